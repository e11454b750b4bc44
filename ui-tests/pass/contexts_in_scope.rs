//! The other types named `Context` may be imported, and ours need not be.

use std::future::poll_fn;
use std::task::{Context, Poll};

use anyhow::Context as _;
use cancel_context::cancellable;

#[cancellable]
async fn polls(text: &str) -> anyhow::Result<u8> {
    let value = poll_fn(|context: &mut Context<'_>| {
        context.waker().wake_by_ref();
        Poll::Ready(text.parse().ok())
    })
    .await;
    value.context("no number")
}

#[cancellable]
async fn awaits_by_hand(context: &mut Context<'_>) -> anyhow::Result<()> {
    context.waker().wake_by_ref();
    std::future::ready(()).await;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
pub async fn main() {
    let ctx = cancel_context::Context::background();
    assert_eq!(polls(&ctx, "7").await.unwrap(), 7);
    assert_eq!(polls(&ctx, "x").await.unwrap_err().to_string(), "no number");
    let mut context = Context::from_waker(std::task::Waker::noop());
    awaits_by_hand(&ctx, &mut context).await.unwrap();
}
