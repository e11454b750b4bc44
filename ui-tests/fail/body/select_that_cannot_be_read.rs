use cancel_context::{Cancelled, cancellable};

mod tokio {
    macro_rules! select {
        ($first:expr; $second:expr) => {
            $first
        };
    }
    pub(crate) use select;
}

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    tokio::select!(1; 2); //~ ERROR the arms of `tokio::select!` cannot be read; write each as `pattern = future => handler`
    Ok(())
}

fn main() {}
