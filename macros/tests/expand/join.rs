use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn both() -> Result<u8, Cancelled> {
    let (x, y) = other::join!(std::future::ready(1), std::future::ready(2));
    Ok(x + y)
}

mod other {
    // Expands to something short in place of the real macro.
    macro_rules! join {
        ($first:expr, $second:expr) => {
            ($first.await, $second.await)
        };
    }
    pub(crate) use join;
}
