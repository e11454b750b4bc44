use cancel_context::{Cancelled, cancellable};

#[cancellable(on_cancel = Ok(()), on_cancel = Ok(()))] //~ ERROR duplicate option `on_cancel`
async fn work() -> Result<(), Cancelled> {
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
