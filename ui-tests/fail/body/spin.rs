use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    while !ctx.is_cancelled() { //~ ERROR this loop awaits nothing, so it blocks its thread until the context ends; await in it, or call `ctx.check()?`
        std::hint::spin_loop();
    }
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
