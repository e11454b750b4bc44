use cancel_context::{Cancelled, cancellable};

trait Work {
    #[cancellable]
    async fn work(&self, id: u64) -> Result<(), Cancelled>;
}

struct Worker;

impl Work for Worker {
    #[cancellable]
    async fn work(&self, id: u32) -> Result<(), Cancelled> { //~ ERROR method `work` has an incompatible type for trait
        std::future::ready(id).await;
        Ok(())
    }
}

fn main() {}
