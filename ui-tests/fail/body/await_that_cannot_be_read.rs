use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    let x = builtin # type_ascribe(std::future::ready(1).await, u8); //~ ERROR an `.await` in syntax that cannot be read; await before it
    //~| ERROR `builtin #` syntax is unstable
    std::future::ready(x).await;
    Ok(())
}

fn main() {}
