use cancel_context::cancellable;

#[cancellable]
async fn work() -> usize { //~ ERROR a cancelled call cannot return `usize`; return a `Result` whose error is `From<Cancelled>`, or write `on_cancel = expr`
    std::future::ready(()).await;
    1
}

fn main() {}
