use cancel_context::{Cancelled, cancellable};

#[cancellable(ctx = 3)] //~ ERROR the value of `ctx` does not parse; expected a parameter's name
async fn work() -> Result<(), Cancelled> {
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
