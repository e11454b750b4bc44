use cancel_context::{Cancelled, cancellable};

#[cancellable("ctx")] //~ ERROR expected an option, one of `ctx`, `inject`, `implicit`, `inherit_spawns`, `on_cancel`, `crate`, `macros`, `allow`, `skip`
async fn work() -> Result<(), Cancelled> {
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
