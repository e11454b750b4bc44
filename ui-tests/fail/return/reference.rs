use cancel_context::cancellable;

#[cancellable]
async fn work() -> &'static str { //~ ERROR a cancelled call cannot return `&'static str`; return a `Result` whose error is `From<Cancelled>`, or write `on_cancel = expr`
    std::future::ready(()).await;
    "a"
}

fn main() {}
