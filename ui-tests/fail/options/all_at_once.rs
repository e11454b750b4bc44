use cancel_context::{Cancelled, cancellable};

#[cancellable(
    timout = 3, //~ ERROR unknown option `timout`; expected one of `ctx`, `inject`, `implicit`, `inherit_spawns`, `on_cancel`, `crate`, `macros`, `allow`, `skip`
    inject, //~ ERROR option `inject` has no value; write `inject = …` with a name
    on_cancel = Ok(()),
    on_cancel = Ok(()), //~ ERROR duplicate option `on_cancel`
    allow(), //~ ERROR empty list of `allow`; name something or leave it out
)]
async fn work() -> Result<(), Cancelled> {
    std::future::ready(()).await;
    Ok(())
}

// The item is still there: its callers have no errors of their own.
async fn caller(ctx: &cancel_context::Context) -> Result<(), Cancelled> {
    work(ctx).await
}

fn main() {}
