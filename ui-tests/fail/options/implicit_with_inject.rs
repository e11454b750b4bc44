use cancel_context::{Cancelled, cancellable};

#[cancellable(inject = cx, implicit)] //~ ERROR `inject` conflicts with `implicit`, which takes no parameter; write one of them
async fn work() -> Result<(), Cancelled> {
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
