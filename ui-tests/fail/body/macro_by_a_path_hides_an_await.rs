use cancel_context::{Cancelled, cancellable};

mod sums {
    macro_rules! sum {
        ($($value:expr),*) => { 0 $(+ $value)* };
    }
    pub(crate) use sum;
}

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    let sum = self::sums::sum!(1, std::future::ready(2).await); //~ ERROR `self::sums::sum!` hides an `.await` that cannot be checked; await before it, or write `macros(sum)`
    drop(sum);
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
