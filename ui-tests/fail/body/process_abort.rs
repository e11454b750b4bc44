use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    if ctx.is_cancelled() {
        std::process::abort(); //~ ERROR `process::abort` runs no `Drop` of any task; return an error instead
    }
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
