use cancel_context::{Cancelled, cancellable};

struct Store;

#[cancellable]
impl Store {
    fn key(&self) -> u8 {
        1
    }

    async fn read(&self) -> Result<u8, Cancelled> {
        Ok(std::future::ready(self.key()).await)
    }

    #[cancellable(skip)]
    async fn count(&self) -> usize {
        std::future::ready(1).await
    }
}
