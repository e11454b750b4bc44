use std::time::Duration;

use cancel_context::cancellable;

struct Failure;

#[cancellable(implicit)]
async fn work() -> Result<(), Failure> { //~ ERROR the trait bound `Failure: From<cancel_context::Cancelled>` is not satisfied
    #[shield(timeout = Duration::from_secs(1))]
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
