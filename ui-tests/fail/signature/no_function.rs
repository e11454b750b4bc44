use cancel_context::cancellable;

#[cancellable] //~ ERROR `#[cancellable]` needs an `async fn`, or one that returns a future
struct Work;

fn caller() -> Work {
    Work
}

fn main() {}
