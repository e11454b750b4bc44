use cancel_context::cancellable;

#[cancellable(implicit)]
async fn work() {
    #[shield(timeout = std::time::Duration::from_secs(1))] //~ ERROR `#[shield(timeout = …)]` needs a function that returns the error; write `Context::current().shield_with_timeout(…)`
    std::future::ready(()).await;
}

fn main() {}
