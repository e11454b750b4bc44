use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work(values: &mut Vec<u8>) -> Result<u8, Cancelled> {
    let first = &values[0];
    values.push(std::future::ready(1).await); //~ ERROR cannot borrow `*values` as mutable because it is also borrowed as immutable
    Ok(*first)
}

fn main() {}
