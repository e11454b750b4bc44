use cancel_context::{Cancelled, cancellable};

#[cancellable(implicit = true)] //~ ERROR option `implicit` takes no value; write `implicit`
async fn work() -> Result<(), Cancelled> {
    std::future::ready(()).await;
    Ok(())
}

#[cancellable(implicit, inherit_spawns(all))] //~ ERROR option `inherit_spawns` takes no value; write `inherit_spawns`
async fn spawns() -> Result<(), Cancelled> {
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
