use cancel_context::{Cancelled, cancellable};

macro_rules! sum {
    ($($value:expr),*) => { 0 $(+ $value)* };
}

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    let sum = sum!(1, std::future::ready(2).await); //~ ERROR `sum!` hides an `.await` that cannot be checked; await before it, or write `macros(sum)`
    drop(sum);
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
