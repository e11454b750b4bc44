use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    std::future::ready(()).await;
    drop(&__kept); //~ ERROR cannot find value `__kept` in this scope
    drop(&__ctx); //~ ERROR cannot find value `__ctx` in this scope
    Ok(())
}

fn main() {}
