//! A context that is narrowed, moved, or taken by other names.

use std::future::ready;
use std::time::Duration;

use cancel_context::{AsContext, Cancelled, Context, cancellable};

#[cancellable]
async fn leaf() -> Result<String, Cancelled> {
    ready(()).await;
    Ok(ctx.path())
}

#[cancellable]
async fn narrows() -> Result<String, Cancelled> {
    let before = leaf(ctx).await?;
    let (ctx, canceller) = ctx.with_name("inner").with_cancel();
    let ctx = &ctx.with_timeout(Duration::from_secs(60));
    let inner = leaf(ctx).await?;
    for ctx in [ctx.with_name("a"), ctx.with_name("b")] {
        leaf(&ctx).await?;
    }
    if let Some(ctx) = Some(ctx) {
        leaf(ctx).await?;
    }
    canceller.cancel();
    #[shield]
    let after = leaf(ctx).await?;
    Ok(format!("{} {} {}", before, inner, after))
}

#[cancellable]
async fn owns(ctx: Context) -> Result<String, Cancelled> {
    let first = leaf(ctx.clone()).await?;
    let second = leaf(ctx).await?;
    Ok(first + &second)
}

#[cancellable]
async fn owns_mutably(mut ctx: Context) -> Result<String, Cancelled> {
    ctx = ctx.with_name("changed");
    leaf(&ctx).await
}

#[cancellable(ctx = parent)]
async fn takes(_: u8, parent: impl AsContext) -> Result<String, Cancelled> {
    let child = parent.as_context().with_name("child");
    leaf(&child).await
}

#[cancellable(inject = scope)]
async fn injects(ctx: u8) -> Result<String, Cancelled> {
    let path = leaf(scope).await?;
    Ok(format!("{}{}", path, ctx))
}

#[tokio::main(flavor = "current_thread")]
pub async fn main() {
    let ctx = Context::background().with_name("r");
    assert_eq!(narrows(&ctx).await.unwrap(), "r r/inner r/inner");
    assert_eq!(owns(ctx.clone()).await.unwrap(), "rr");
    assert_eq!(owns_mutably(ctx.clone()).await.unwrap(), "r/changed");
    assert_eq!(takes(1, &ctx).await.unwrap(), "r/child");
    assert_eq!(injects(&ctx, 7).await.unwrap(), "r7");
}
