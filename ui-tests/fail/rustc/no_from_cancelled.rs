use cancel_context::cancellable;

#[derive(Debug)]
struct Failure;

#[cancellable]
async fn work() -> Result<(), Failure> { //~ ERROR the trait bound `Failure: From<cancel_context::Cancelled>` is not satisfied
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
