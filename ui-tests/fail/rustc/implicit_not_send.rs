use std::rc::Rc;

use cancel_context::cancellable;

#[cancellable(implicit)]
async fn work() -> usize {
    let shared = Rc::new(1);
    std::future::ready(()).await;
    *shared
}

fn main() {
    fn is_send(_: impl Send) {}
    is_send(work()); //~ ERROR future cannot be sent between threads safely
}
