use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work() -> Result<u8, Cancelled> {
    std::future::ready(()).await;
    "seven" //~ ERROR mismatched types
}

fn main() {}
