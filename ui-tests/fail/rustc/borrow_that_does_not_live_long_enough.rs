use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work<'a>(name: String) -> Result<&'a str, Cancelled> {
    std::future::ready(()).await;
    Ok(&name) //~ ERROR cannot return value referencing local variable `name`
}

fn main() {}
