//! `select!`, `join!`, known macros and shields, in a crate that allows nothing.

#![forbid(unsafe_code)]
#![deny(warnings)]

use std::future::{pending, ready};
use std::time::Duration;

use cancel_context::{Cancelled, Context, cancellable};
use futures::FutureExt;

#[cancellable]
async fn selects(values: &mut Vec<u8>) -> Result<u8, Cancelled> {
    let mut sum = 0;
    while sum < 10 {
        tokio::select! {
            biased;
            Some(value) = ready(values.pop()), if sum < 5 => sum += value,
            () = pending(), if false => unreachable!(),
            else => break,
        }
    }
    let mut done = ready(1).fuse();
    loop {
        futures::select! {
            value = done => sum += value,
            complete => return Ok(sum),
        }
    }
}

#[cancellable]
async fn joins() -> Result<u8, Cancelled> {
    let (left, right) = tokio::join!(ready(1), async { ready(2).await });
    let (more, most) = futures::try_join!(ready(Ok::<_, Cancelled>(left)), ready(Ok(right)))?;
    Ok(more + most)
}

#[cancellable]
async fn prints() -> Result<String, Cancelled> {
    assert!(ready(1).await < 2);
    assert_eq!(ready(1).await, 1, "{}", ready("same").await);
    let list = vec![ready(1).await; 2];
    Ok(format!("{:?} {}", list, matches!(ready(1).await, 1 | 2)))
}

#[cancellable]
async fn shields() -> Result<u8, Cancelled> {
    #[shield]
    ready(()).await;
    #[shield(timeout = Duration::from_secs(1))]
    let value = ready(1).await;
    #[cancellable(allow(thread_sleep))]
    std::thread::sleep(Duration::from_secs(0));
    let more = ctx.shield(|_| ready(1)).await;
    Ok(value + more)
}

#[tokio::main(flavor = "current_thread")]
pub async fn main() {
    let ctx = Context::background();
    assert_eq!(selects(&ctx, &mut vec![1, 2]).await.unwrap(), 4);
    assert_eq!(joins(&ctx).await.unwrap(), 3);
    assert_eq!(prints(&ctx).await.unwrap(), "[1, 1] true");
    assert_eq!(shields(&ctx).await.unwrap(), 2);
}
