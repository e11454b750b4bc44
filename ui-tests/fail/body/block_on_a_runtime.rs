use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    tokio::runtime::Handle::current().block_on(async {}); //~ ERROR `block_on` would run in the scope of the poll around it; await instead, or write `cancel_context::outside(…)` around it
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
