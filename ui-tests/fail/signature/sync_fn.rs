use cancel_context::cancellable;

#[cancellable]
fn work() -> Result<(), ()> { //~ ERROR `#[cancellable]` needs an `async fn`, or one that returns a future
    Ok(())
}

fn caller() -> Result<(), ()> {
    work()
}

fn main() {}
