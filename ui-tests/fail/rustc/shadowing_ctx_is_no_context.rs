use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    let ctx = ctx.path();
    std::future::ready(ctx.len()).await; //~ ERROR `String` is no `cancel_context::Context`
    Ok(())
}

fn main() {}
