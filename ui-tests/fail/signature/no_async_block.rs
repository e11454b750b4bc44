use cancel_context::{Cancelled, cancellable};

#[cancellable]
fn work() -> impl Future<Output = Result<(), Cancelled>> { //~ ERROR this function does not end in an `async` block; end it so, as in `Box::pin(async move { … })`
    std::future::ready(Ok(()))
}

fn main() {}
