use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work() -> Result<u8, Cancelled> {
    let number: u8 = std::future::ready("seven").await; //~ ERROR mismatched types
    Ok(number)
}

fn main() {}
