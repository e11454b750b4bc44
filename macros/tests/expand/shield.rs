use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn save() -> Result<(), Cancelled> {
    #[shield]
    std::future::ready(()).await;
    Ok(())
}
