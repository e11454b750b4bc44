use cancel_context::cancellable;

#[cancellable]
async fn work() -> ! { //~ ERROR a cancelled call cannot return `!`; return a `Result` whose error is `From<Cancelled>`, or write `on_cancel = expr`
    std::future::ready(()).await;
    panic!()
}

fn main() {}
