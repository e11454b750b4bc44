use cancel_context::cancellable;
use std::pin::Pin;

#[cancellable]
fn work() -> Pin<Box<dyn Future<Output = ()>>> { //~ ERROR a cancelled call cannot return `()`; return a `Result` whose error is `From<Cancelled>`, or write `on_cancel = ()`
    Box::pin(async move {
        std::future::ready(()).await;
    })
}

fn main() {}
