use cancel_context::cancellable;

#[tokio::test]
#[cancellable]
async fn works() -> Result<(), cancel_context::Cancelled> { //~ ERROR `#[cancellable]` needs an `async fn`; put it above `#[tokio::test]`, which makes it sync
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
