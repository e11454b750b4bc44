use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn first(enabled: bool) -> Result<u8, Cancelled> {
    other::select! {
        Some(mut x) = std::future::ready(Some(1)), if enabled => {
            x += 1;
            return Ok(x);
        }
        y = std::future::ready(2) => Ok(y),
        else => Ok(3),
    }
}

mod other {
    // Expands to something short in place of the real macro.
    macro_rules! select {
        ($pattern:pat = $future:expr, if $condition:expr => $arm:expr, $($rest:tt)*) => {
            match $future.await {
                $pattern if $condition => $arm,
                _ => panic!(),
            }
        };
    }
    pub(crate) use select;
}
