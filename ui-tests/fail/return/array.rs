use cancel_context::cancellable;

#[cancellable]
async fn work() -> [u8; 2] { //~ ERROR a cancelled call cannot return `[u8; 2]`; return a `Result` whose error is `From<Cancelled>`, or write `on_cancel = expr`
    std::future::ready(()).await;
    [1, 2]
}

fn main() {}
