use cancel_context::{Cancelled, Context, cancellable};
use std::rc::Rc;

fn is_send(_: impl Send) {}

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    let shared = Rc::new(());
    std::future::ready(()).await;
    drop(shared);
    Ok(())
}

fn main() {
    is_send(work(Context::background())); //~ ERROR future cannot be sent between threads safely
}
