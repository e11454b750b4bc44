use cancel_context::{Cancelled, cancellable};

#[cancellable(inherit_spawns)] //~ ERROR `inherit_spawns` needs `implicit`; write `ctx.spawn(…)` where the context is explicit
async fn work() -> Result<(), Cancelled> {
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
