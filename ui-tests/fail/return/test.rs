use cancel_context::cancellable;

#[cancellable]
#[tokio::test]
async fn works() { //~ ERROR a cancelled call cannot return `()`; return a `Result` whose error is `From<Cancelled>`, or write `on_cancel = ()`
    std::future::ready(()).await;
}

fn main() {}
