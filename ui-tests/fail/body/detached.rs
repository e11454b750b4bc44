use cancel_context::{Cancelled, cancellable};
use tokio::task::JoinSet;

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    tokio::spawn(async { std::future::ready(()).await }); //~ ERROR the awaits of this task are in no scope; write `ctx.run(…)` around its future, or `#[cancellable(allow(detached))]`
    let mut set = JoinSet::new();
    set.spawn(async { tokio::join!(std::future::ready(())) }); //~ ERROR the awaits of this task are in no scope; write `ctx.run(…)` around its future, or `#[cancellable(allow(detached))]`
    let thread = std::thread::spawn(|| async { std::future::ready(()).await }); //~ ERROR the awaits of this task are in no scope; write `ctx.run(…)` around its future, or `#[cancellable(allow(detached))]`
    drop(thread);
    let ctx = ctx.clone();
    tokio::spawn(ctx.run(async { std::future::ready(()).await }));
    ctx.spawn(async { std::future::ready(()).await });
    Ok(())
}

fn main() {}
