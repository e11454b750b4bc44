use cancel_context::{Cancelled, cancellable};

async fn fetch(id: u64) -> u64 {
    id
}

#[cancellable]
async fn work() -> Result<u64, Cancelled> {
    let row = fetch("seven").await; //~ ERROR mismatched types
    Ok(row)
}

fn main() {}
