use cancel_context::{Cancelled, cancellable};

#[cancellable]
async unsafe fn work() -> Result<(), Cancelled> {
    std::future::ready(()).await;
    Ok(())
}

#[cancellable]
async fn caller() -> Result<(), Cancelled> {
    work(ctx).await //~ ERROR call to unsafe function `work` is unsafe and requires unsafe block
}

fn main() {}
