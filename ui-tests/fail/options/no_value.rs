use cancel_context::{Cancelled, cancellable};

#[cancellable(inject)] //~ ERROR option `inject` has no value; write `inject = …` with a name
async fn work() -> Result<(), Cancelled> {
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
