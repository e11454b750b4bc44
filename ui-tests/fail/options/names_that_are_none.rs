use cancel_context::{Cancelled, cancellable};

#[cancellable(macros(sum!))] //~ ERROR the value of `macros` does not parse; expected names
async fn work() -> Result<(), Cancelled> {
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
