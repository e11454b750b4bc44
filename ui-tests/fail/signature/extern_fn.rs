use cancel_context::cancellable;

#[cancellable]
extern "C" fn work() -> u8 { //~ ERROR `#[cancellable]` needs an `async fn`, or one that returns a future
    1
}

fn main() {}
