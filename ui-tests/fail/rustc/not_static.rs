use cancel_context::{Cancelled, Context, cancellable};

fn is_static(_: impl Send + 'static) {}

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    std::future::ready(()).await;
    Ok(())
}

fn main() {
    let ctx = Context::background();
    is_static(work(&ctx)); //~ ERROR `ctx` does not live long enough
}
