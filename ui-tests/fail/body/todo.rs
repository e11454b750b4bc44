use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    let ctx = cancel_context::Context::todo(); //~ ERROR `Context::todo` is never cancelled; pass `ctx` on, or derive from it
    std::future::ready(ctx).await;
    Ok(())
}

fn main() {}
