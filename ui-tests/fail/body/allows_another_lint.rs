use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    #[cancellable(allow(spin))]
    std::thread::sleep(std::time::Duration::ZERO); //~ ERROR `thread::sleep` cannot be cancelled; write `ctx.sleep(…).await`
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
