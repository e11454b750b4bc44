use cancel_context::cancellable;

#[cancellable] //~ ERROR `#[cancellable]` needs an `async fn`, one that returns a future, or an `impl`, `trait` or `mod` block
struct Work;

fn caller() -> Work {
    Work
}

fn main() {}
