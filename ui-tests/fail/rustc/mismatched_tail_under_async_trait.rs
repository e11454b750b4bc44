use cancel_context::{Cancelled, cancellable};

#[async_trait::async_trait]
trait Work {
    #[cancellable]
    async fn work(&self) -> Result<u8, Cancelled> {
        std::future::ready(()).await;
        "seven" //~ ERROR mismatched types
    }
}

fn main() {}
