use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn both(id: u64) -> Result<u64, Cancelled> {
    let block = async move { std::future::ready(id).await };
    Ok(block.await)
}
