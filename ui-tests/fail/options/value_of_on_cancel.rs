use cancel_context::{Cancelled, cancellable};

#[cancellable(on_cancel =)] //~ ERROR the value of `on_cancel` does not parse; expected an expression
async fn work() -> Result<(), Cancelled> {
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
