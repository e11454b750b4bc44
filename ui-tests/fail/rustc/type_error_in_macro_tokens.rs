use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    assert_eq!(std::future::ready(7_u8).await + "a", 7); //~ ERROR cannot add `&str` to `u8`
    Ok(())
}

fn main() {}
