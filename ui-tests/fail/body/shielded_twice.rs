use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    #[shield]
    #[shield] //~ ERROR `#[shield]` is already on this expression; remove this one
    std::future::ready(()).await;
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
