use cancel_context::{Cancelled, cancellable};

#[cancellable(crate = 5)] //~ ERROR the value of `crate` does not parse; expected a path
async fn work() -> Result<(), Cancelled> {
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
