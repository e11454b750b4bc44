use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    #[cancellable(implicit)] //~ ERROR only lints can be allowed on a statement; write `#[cancellable(allow(…))]`
    let x = 1;
    drop(x);
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
