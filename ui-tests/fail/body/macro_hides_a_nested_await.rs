use cancel_context::{Cancelled, cancellable};

macro_rules! lazily {
    ($future:expr) => {
        $future
    };
}

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    lazily!(async { std::future::ready(()).await }).await; //~ ERROR `lazily!` hides an `.await` that cannot be checked; await before it, or write `macros(lazily)`
    Ok(())
}

fn main() {}
