use cancel_context::{Cancelled, Context, cancellable};

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    let ctx = Context::background(); //~ ERROR `Context::background` is never cancelled; pass `ctx` on, or derive from it
    std::future::ready(ctx).await;
    Ok(())
}

fn main() {}
