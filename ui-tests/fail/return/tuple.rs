use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work() -> (u8, Result<(), Cancelled>) { //~ ERROR a cancelled call cannot return `(u8, Result<(), Cancelled>)`; return a `Result` whose error is `From<Cancelled>`, or write `on_cancel = expr`
    std::future::ready(()).await;
    (1, Ok(()))
}

fn main() {}
