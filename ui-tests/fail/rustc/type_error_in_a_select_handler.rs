use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work() -> Result<u8, Cancelled> {
    tokio::select! {
        number = std::future::ready(7_u8) => Ok(number),
        text = std::future::ready("a") => Ok(text), //~ ERROR mismatched types
    }
}

fn main() {}
