use cancel_context::{Cancelled, cancellable};
use std::task::Context;

#[cancellable]
async fn work(ctx: &mut Context<'_>) -> Result<(), Cancelled> { //~ ERROR `std::task::Context<'_>` is no `cancel_context::Context`
    std::future::ready(()).await; //~ ERROR `std::task::Context<'_>` is no `cancel_context::Context`
    Ok(())
}

fn main() {}
