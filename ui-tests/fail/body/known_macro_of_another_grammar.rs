use cancel_context::{Cancelled, cancellable};

macro_rules! format {
    ($left:expr => $right:expr) => { $left + $right };
}

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    let x = format!(1 => std::future::ready(2).await); //~ ERROR `format!` hides an `.await` that cannot be checked; await before it, or write `macros(format)`
    drop(x);
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
