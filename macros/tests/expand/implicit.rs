use cancel_context::{Cancelled, cancellable};

#[cancellable(implicit)]
async fn user(id: u64) -> Result<u64, Cancelled> {
    let row = std::future::ready(id).await;
    Ok(row + 1)
}
