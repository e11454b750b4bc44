use cancel_context::cancellable;

#[cancellable(implicit)]
fn work() -> Result<(), ()> { //~ ERROR `#[cancellable]` needs an `async fn`, or one that returns a future
    Ok(())
}

fn main() {}
