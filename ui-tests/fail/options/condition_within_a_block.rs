use cancel_context::{Cancelled, cancellable};

struct Store;

#[cancellable]
impl Store {
    #[cfg_attr(unix, cancellable(skip))] //~ ERROR a condition is not known within an annotated block; take `cancellable` off this item or off the block
    async fn read(&self) -> Result<(), Cancelled> {
        std::future::ready(()).await;
        Ok(())
    }
}

fn main() {}
