use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    let x = ; //~ ERROR expected an expression
    //~| ERROR expected expression, found `;`
    Ok(())
}

fn main() {}
