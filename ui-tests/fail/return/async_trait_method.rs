use cancel_context::cancellable;

#[async_trait::async_trait]
trait Work {
    #[cancellable]
    async fn work(&self) -> u8 { //~ ERROR a cancelled call cannot return `u8`; return a `Result` whose error is `From<Cancelled>`, or write `on_cancel = expr`
        std::future::ready(1).await
    }
}

fn main() {}
