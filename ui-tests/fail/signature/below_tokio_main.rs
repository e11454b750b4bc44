use cancel_context::{Cancelled, cancellable};

#[tokio::main]
#[cancellable]
async fn main() -> Result<(), Cancelled> { //~ ERROR `#[cancellable]` needs an `async fn`; put it above `#[tokio::main]`, which makes it sync
    std::future::ready(()).await;
    Ok(())
}
