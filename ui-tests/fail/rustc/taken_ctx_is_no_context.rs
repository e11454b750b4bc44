use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work(ctx: &str) -> Result<(), Cancelled> { //~ ERROR `str` is no `cancel_context::Context`
    std::future::ready(()).await; //~ ERROR `str` is no `cancel_context::Context`
    Ok(())
}

fn main() {}
