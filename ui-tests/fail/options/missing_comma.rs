use cancel_context::{Cancelled, cancellable};

#[cancellable(inject = cx on_cancel = Ok(()))] //~ ERROR missing comma; separate options by `,`
async fn work() -> Result<(), Cancelled> {
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
