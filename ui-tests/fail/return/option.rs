use cancel_context::cancellable;

#[cancellable]
async fn work() -> Option<u8> { //~ ERROR a cancelled call cannot return `Option<u8>`; return a `Result` whose error is `From<Cancelled>`, or write `on_cancel = expr`
    std::future::ready(()).await;
    None
}

fn main() {}
