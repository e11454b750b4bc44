use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    #[shield(timeout)] //~ ERROR unknown option of `#[shield]`; write `#[shield]` or `#[shield(timeout = expr)]`
    std::future::ready(()).await;
    #[shield = 3] //~ ERROR unknown option of `#[shield]`; write `#[shield]` or `#[shield(timeout = expr)]`
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
