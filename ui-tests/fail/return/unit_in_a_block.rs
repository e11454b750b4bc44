use cancel_context::{Cancelled, cancellable};

struct Store;

#[cancellable]
impl Store {
    async fn read(&self) -> Result<(), Cancelled> {
        std::future::ready(()).await;
        Ok(())
    }

    async fn forget(&self) { //~ ERROR a cancelled call cannot return `()`; return a `Result` whose error is `From<Cancelled>`, or write `on_cancel = ()`
        std::future::ready(()).await;
    }
}

fn main() {}
