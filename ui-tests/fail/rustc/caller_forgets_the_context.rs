use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work(id: u64) -> Result<(), Cancelled> {
    std::future::ready(id).await;
    Ok(())
}

#[cancellable]
async fn caller() -> Result<(), Cancelled> {
    work(7).await //~ ERROR this function takes 2 arguments but 1 argument was supplied
    //~| ERROR `{integer}` is no `cancel_context::Context`
}

fn main() {}
