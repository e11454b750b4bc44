//! `unsafe` functions, recursion, nested functions, other attributes and visibility.

use std::future::ready;

use cancel_context::{Cancelled, Context, cancellable};
use futures::future::BoxFuture;

/// # Safety
///
/// `values` is not empty.
#[cancellable]
pub async unsafe fn first(values: &[u8]) -> Result<u8, Cancelled> {
    ready(()).await;
    // SAFETY: as the function asks for.
    let first = unsafe { values.get_unchecked(ready(0).await) };
    Ok(*first)
}

#[cancellable]
#[must_use = "is awaited"]
#[inline]
#[allow(clippy::needless_lifetimes)]
pub(crate) async fn depth(left: u32) -> Result<u32, Cancelled> {
    /// A function of its own.
    #[cancellable]
    async fn decremented(left: u32) -> Result<u32, Cancelled> {
        Ok(ready(left).await - 1)
    }
    if left == 0 {
        return Ok(0);
    }
    let below = Box::pin(depth(ctx, decremented(ctx, left).await?)).await?;
    Ok(below + 1)
}

#[cancellable]
fn even(number: u32) -> BoxFuture<'static, Result<bool, Cancelled>> {
    Box::pin(async move {
        match ready(number).await {
            0 => Ok(true),
            number => odd(ctx, number - 1).await,
        }
    })
}

#[cancellable]
fn odd(number: u32) -> BoxFuture<'static, Result<bool, Cancelled>> {
    Box::pin(async move {
        match ready(number).await {
            0 => Ok(false),
            number => even(ctx, number - 1).await,
        }
    })
}

#[tokio::main(flavor = "current_thread")]
pub async fn main() {
    let ctx = Context::background();
    // SAFETY: the slice is not empty.
    assert_eq!(unsafe { first(&ctx, &[7]) }.await.unwrap(), 7);
    assert_eq!(depth(&ctx, 9).await.unwrap(), 9);
    assert!(odd(&ctx, 9).await.unwrap());
}
