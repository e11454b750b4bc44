use async_trait::async_trait;
use cancel_context::{Cancelled, cancellable};

struct Store;

#[async_trait]
trait Read {
    async fn read(&self) -> Result<u8, Cancelled>;
}

// It has made the method sync when the attribute sees it.
#[async_trait]
impl Read for Store {
    #[cancellable(implicit)]
    async fn read(&self) -> Result<u8, Cancelled> {
        Ok(std::future::ready(1).await)
    }
}
