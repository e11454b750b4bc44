use cancel_context::{Cancelled, cancellable};

trait Work {
    #[cancellable]
    async fn work(&self) -> Result<(), Cancelled>;
}

struct Worker;

impl Work for Worker {
    async fn work(&self) -> Result<(), Cancelled> { //~ ERROR method `work` has 0 type parameters but its trait declaration has 1 type parameter
        std::future::ready(()).await;
        Ok(())
    }
}

fn main() {}
