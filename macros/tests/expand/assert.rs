use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn holds() -> Result<(), Cancelled> {
    assert!(std::future::ready(true).await);
    Ok(())
}
