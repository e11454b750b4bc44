use cancel_context::{Cancelled, cancellable};

struct Store;

#[cancellable]
impl Store {
    #[cancellable]
    #[cancellable] //~ ERROR `#[cancellable]` is already on this item; remove this one
    async fn read(&self) -> Result<(), Cancelled> {
        std::future::ready(()).await;
        Ok(())
    }
}

fn main() {}
