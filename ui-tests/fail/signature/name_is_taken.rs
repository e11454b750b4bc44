use cancel_context::{Cancelled, cancellable};

#[cancellable(inject = db)] //~ ERROR a parameter is already named `db`; write `ctx = db` to take it
async fn work(db: &str) -> Result<(), Cancelled> {
    std::future::ready(db).await;
    Ok(())
}

fn main() {}
