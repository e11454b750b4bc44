use cancel_context::{Cancelled, cancellable};

#[cancellable(ctx = cx)] //~ ERROR no parameter named `cx`; this function has no parameters with a plain name
async fn work() -> Result<(), Cancelled> {
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
