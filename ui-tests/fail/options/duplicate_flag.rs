use cancel_context::{Cancelled, cancellable};

#[cancellable(implicit, implicit)] //~ ERROR duplicate option `implicit`
async fn work() -> Result<(), Cancelled> {
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
