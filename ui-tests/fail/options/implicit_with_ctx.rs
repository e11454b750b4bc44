use cancel_context::{Cancelled, Context, cancellable};

#[cancellable(implicit, ctx = cx)] //~ ERROR `ctx` conflicts with `implicit`, which takes no parameter; write one of them
async fn work(cx: &Context) -> Result<(), Cancelled> {
    std::future::ready(cx).await;
    Ok(())
}

fn main() {}
