#![deny(warnings)]

use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    let unused = std::future::ready(()).await; //~ ERROR unused variable: `unused`
    std::future::ready(Err::<(), ()>(())).await; //~ ERROR unused `Result` that must be used
    Ok(())
}

fn main() {
    drop(work(cancel_context::Context::background()));
}
