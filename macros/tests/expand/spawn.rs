use cancel_context::cancellable;
use tokio::task::JoinSet;

#[cancellable(implicit, inherit_spawns)]
async fn start(tasks: &mut JoinSet<()>) {
    tasks.spawn(std::future::ready(()));
    tokio::spawn(async { std::future::ready(()).await });
    tokio::runtime::Handle::current().spawn(std::future::ready(()));
}
