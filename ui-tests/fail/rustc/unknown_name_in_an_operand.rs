use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    fetch(7).await; //~ ERROR cannot find function `fetch` in this scope
    Ok(())
}

fn main() {}
