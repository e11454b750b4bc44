use cancel_context::{Cancelled, cancellable};

#[cancellable(ctx = cx)] //~ ERROR no parameter named `cx`; this function has `db`, `id`
async fn work(db: &str, id: u64) -> Result<(), Cancelled> {
    std::future::ready((db, id)).await;
    Ok(())
}

fn main() {}
