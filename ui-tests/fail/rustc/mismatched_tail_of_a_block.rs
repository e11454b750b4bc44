use cancel_context::{Cancelled, cancellable};

#[cancellable]
fn work() -> impl Future<Output = Result<u8, Cancelled>> {
    async move {
        std::future::ready(()).await;
        "seven" //~ ERROR mismatched types
    }
}

fn main() {}
