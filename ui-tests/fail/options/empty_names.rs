use cancel_context::{Cancelled, cancellable};

#[cancellable(macros())] //~ ERROR empty list of `macros`; name something or leave it out
async fn work() -> Result<(), Cancelled> {
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
