use cancel_context::{Cancelled, cancellable};

#[cancellable]
#[cancellable] //~ ERROR `#[cancellable]` is already on this function; remove this one
async fn work() -> Result<(), Cancelled> {
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
