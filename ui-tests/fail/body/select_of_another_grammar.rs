use cancel_context::{Cancelled, cancellable};

macro_rules! select {
    ($left:expr => $right:expr) => { $left + $right };
}

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    let x = select!(1 => std::future::ready(2).await); //~ ERROR `select!` hides an `.await` that cannot be checked; await before it, or write `macros(select)`
    drop(x);
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
