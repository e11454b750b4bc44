use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    let number = 7_u8;
    number.await; //~ ERROR `u8` is not a future
    Ok(())
}

fn main() {}
