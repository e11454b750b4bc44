use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    let (ctx, _) = ctx.with_cancel(); //~ ERROR `_` drops the canceller, which cancels at once; bind it, as in `let (ctx, canceller) = …`
    std::future::ready(ctx).await;
    Ok(())
}

fn main() {}
