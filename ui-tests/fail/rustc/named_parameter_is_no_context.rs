use cancel_context::{Cancelled, cancellable};

#[cancellable(ctx = cx)]
async fn work(cx: u64) -> Result<(), Cancelled> { //~ ERROR `u64` is no `cancel_context::Context`
    std::future::ready(()).await; //~ ERROR `u64` is no `cancel_context::Context`
    Ok(())
}

fn main() {}
