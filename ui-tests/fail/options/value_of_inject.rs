use cancel_context::{Cancelled, cancellable};

#[cancellable(inject = "cx")] //~ ERROR the value of `inject` does not parse; expected a name
async fn work() -> Result<(), Cancelled> {
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
