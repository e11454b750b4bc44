use cancel_context::{Cancelled, Context, cancellable};

#[cancellable]
async fn work(
    first: &Context,
    second: cancel_context::Context, //~ ERROR two candidates for the context: `first`, `second`; write `ctx = first`
) -> Result<(), Cancelled> {
    std::future::ready((first, second)).await;
    Ok(())
}

fn main() {}
