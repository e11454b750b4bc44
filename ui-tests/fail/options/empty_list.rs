use cancel_context::{Cancelled, cancellable};

#[cancellable()] //~ ERROR empty option list; write `#[cancellable]`
async fn work() -> Result<(), Cancelled> {
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
