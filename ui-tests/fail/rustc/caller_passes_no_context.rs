use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work(id: u64) -> Result<(), Cancelled> {
    std::future::ready(id).await;
    Ok(())
}

#[cancellable]
async fn caller() -> Result<(), Cancelled> {
    work("context", 7).await //~ ERROR `str` is no `cancel_context::Context`
}

fn main() {}
