use cancel_context::{Cancelled, cancellable};

#[cancellable(allow(sleep))] //~ ERROR unknown lint `sleep`; expected one of `root_context`, `thread_sleep`, `process_exit`, `block_on`, `spin`, `dropped_canceller`, `detached`
async fn work() -> Result<(), Cancelled> {
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
