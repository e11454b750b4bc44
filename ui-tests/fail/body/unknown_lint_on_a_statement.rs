use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    #[cancellable(allow(sleep))] //~ ERROR unknown lint `sleep`; expected one of `root_context`, `thread_sleep`, `process_exit`, `block_on`, `spin`, `dropped_canceller`, `detached`
    let x = 1;
    drop(x);
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
