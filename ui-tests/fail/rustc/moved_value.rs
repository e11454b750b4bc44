use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work(name: String) -> Result<usize, Cancelled> {
    std::future::ready(name).await;
    Ok(name.len()) //~ ERROR borrow of moved value: `name`
}

fn main() {}
