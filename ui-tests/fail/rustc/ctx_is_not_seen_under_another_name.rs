use cancel_context::{Cancelled, cancellable};

#[cancellable(inject = cx)]
async fn work() -> Result<String, Cancelled> {
    std::future::ready(()).await;
    Ok(ctx.path()) //~ ERROR cannot find value `ctx` in this scope
}

fn main() {}
