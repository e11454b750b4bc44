use cancel_context::cancellable;

#[cancellable(on_cancel = "none")] //~ ERROR mismatched types
async fn work() -> usize {
    std::future::ready(1).await
}

fn main() {}
