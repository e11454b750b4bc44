use cancel_context::cancellable;

#[cancellable]
async fn work() -> bool { //~ ERROR a cancelled call cannot return `bool`; return a `Result` whose error is `From<Cancelled>`, or write `on_cancel = expr`
    std::future::ready(()).await;
    true
}

fn main() {}
