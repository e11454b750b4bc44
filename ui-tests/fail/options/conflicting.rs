use cancel_context::{Cancelled, Context, cancellable};

#[cancellable(ctx = cx, inject = ctx)] //~ ERROR `inject` conflicts with `ctx`; write one of them
async fn work(cx: &Context) -> Result<(), Cancelled> {
    std::future::ready(cx).await;
    Ok(())
}

fn main() {}
