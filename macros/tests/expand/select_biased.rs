use cancel_context::{Cancelled, cancellable};

#[cancellable(implicit)]
async fn first() -> Result<u8, Cancelled> {
    other::select! {
        biased;
        x = std::future::ready(1) => return Ok(x),
        y = std::future::ready(2) => Ok(y),
    }
}

mod other {
    // Expands to something short in place of the real macro.
    macro_rules! select {
        (biased; $pattern:pat = $future:expr => $arm:expr, $($rest:tt)*) => {
            match $future.await {
                $pattern => $arm,
            }
        };
    }
    pub(crate) use select;
}
