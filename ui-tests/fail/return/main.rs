use cancel_context::cancellable;

#[cancellable]
#[tokio::main]
async fn main() { //~ ERROR a cancelled call cannot return `()`; return a `Result` whose error is `From<Cancelled>`, or write `on_cancel = ()`
    std::future::ready(()).await;
}
