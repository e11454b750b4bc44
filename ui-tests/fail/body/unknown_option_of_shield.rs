use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    #[shield(for = 3)] //~ ERROR unknown option of `#[shield]`; write `#[shield]` or `#[shield(timeout = expr)]`
    std::future::ready(()).await;
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
