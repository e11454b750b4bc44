use cancel_context::{Cancelled, cancellable};

#[cancellable(macros = sum)] //~ ERROR option `macros` needs a list; write `macros(…)`
async fn work() -> Result<(), Cancelled> {
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
