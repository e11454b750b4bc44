use cancel_context::cancellable;

#[cancellable]
async fn work() { //~ ERROR a cancelled call cannot return `()`; return a `Result` whose error is `From<Cancelled>`, or write `on_cancel = ()`
    std::future::ready(()).await;
}

fn main() {}
