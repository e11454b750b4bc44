use cancel_context::cancellable;
use futures::future::BoxFuture;

#[derive(Debug)]
struct Failure;

#[cancellable]
fn work() -> BoxFuture<'static, Result<(), Failure>> { //~ ERROR the trait bound `Failure: From<cancel_context::Cancelled>` is not satisfied
    Box::pin(async move {
        std::future::ready(()).await;
        Ok(())
    })
}

fn main() {}
