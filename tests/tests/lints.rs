//! The attribute's output raises no lint: one of each shape, and the compiler as strict as it gets.
//!
//! Clippy runs over this file with the rest of the workspace.

#![forbid(unsafe_code)]
#![deny(warnings)]
#![deny(clippy::all, clippy::pedantic)]
#![deny(
    future_incompatible,
    let_underscore_drop,
    missing_debug_implementations,
    missing_docs,
    nonstandard_style,
    rust_2018_idioms,
    single_use_lifetimes,
    trivial_casts,
    trivial_numeric_casts,
    unreachable_pub,
    unused,
    unused_extern_crates,
    unused_import_braces,
    unused_lifetimes,
    unused_qualifications,
    unused_results,
    variant_size_differences
)]
#![deny(
    clippy::await_holding_lock,
    clippy::await_holding_refcell_ref,
    clippy::dbg_macro,
    clippy::large_futures,
    clippy::let_underscore_must_use,
    clippy::shadow_unrelated,
    clippy::use_self
)]

use std::future::{Future, ready};
use std::pin::Pin;

use cancel_context::{Cancelled, Context, FromCancelled, cancellable};
use tests::complete;

/// An error of the user's.
#[derive(Debug)]
struct Failure;

impl From<Cancelled> for Failure {
    fn from(_: Cancelled) -> Self {
        Self
    }
}

/// A return type of the user's.
#[derive(Debug)]
struct Reply(bool);

impl FromCancelled for Reply {
    fn from_cancelled(_: Cancelled) -> Self {
        Self(false)
    }
}

#[cancellable]
async fn plain(left: u8, right: u8) -> Result<u8, Failure> {
    let sum = ready(left).await + ready(right).await;
    ready(()).await;
    if ready(sum > 200).await {
        return Err(Failure);
    }
    Ok((ready(sum)).await)
}

#[expect(clippy::unused_async, reason = "the attribute is not what awaits")]
#[cancellable]
async fn without_an_await() -> bool {
    true
}

#[expect(clippy::unused_async, reason = "the attribute is not what awaits")]
#[cancellable]
async fn without_an_await_that_ignores_its_context(flag: bool) -> bool {
    !flag
}

#[cancellable]
async fn narrows() -> Result<u8, Failure> {
    let ctx = ctx.with_name("narrowed");
    plain(&ctx, 1, 2).await
}

#[cancellable]
async fn moves(ctx: Context) -> Result<u8, Failure> {
    plain(ctx, 1, 2).await
}

#[cancellable(ctx = parent)]
async fn takes(parent: &Context) -> Result<u8, Failure> {
    plain(parent, 1, 2).await
}

#[cancellable(inject = parent)]
async fn injects() -> Result<u8, Failure> {
    plain(parent, 1, 2).await
}

#[cancellable(on_cancel = ())]
async fn returns_nothing() {
    ready(()).await;
}

#[cancellable(on_cancel = 0)]
async fn returns_a_value() -> u8 {
    ready(1).await
}

#[cancellable(on_cancel = panic!("{cancelled}"))]
async fn diverges() -> u8 {
    ready(1).await
}

#[cancellable]
async fn replies() -> Reply {
    ready(Reply(true)).await
}

#[cancellable]
async fn selects() -> Result<u8, Failure> {
    let mut rounds = 0;
    let mut option = Some(3);
    loop {
        tokio::select! {
            biased;
            Some(ref mut value) = ready(option.take()), if rounds < 3 => {
                *value += 1;
                rounds += *value;
                continue;
            }
            mut value = ready(1), if rounds < 9 => {
                value += rounds;
                rounds = value.max(9);
            }
            _ = ready(1), if rounds == 0 => {}
            else => break,
        }
        rounds += 1;
    }
    tokio::select! {
        result = plain(ctx, 1, 2) => result,
        () = ready(()) => Ok(rounds),
    }
}

#[cancellable]
async fn selects_with_futures() -> Result<u8, Failure> {
    let mut done = futures::future::ready(1);
    let mut sum = 0;
    loop {
        futures::select! {
            value = done => sum += value,
            complete => return Ok(sum),
        }
    }
}

#[cancellable]
async fn joins() -> Result<u8, Failure> {
    let (left, right) = tokio::join!(plain(ctx, 1, 2), ready(3));
    let (more, most) = futures::try_join!(plain(ctx, 1, 2), plain(ctx, 3, 4))?;
    Ok(left? + right + more + most)
}

#[cancellable]
async fn shields() -> Result<u8, Failure> {
    #[shield]
    ready(()).await;
    #[shield(timeout = std::time::Duration::from_secs(1))]
    let first = plain(ctx, 1, 2).await?;
    let second = ctx.shield(|ctx| plain(ctx, 1, 2)).await?;
    Ok(first + second)
}

#[cancellable]
async fn prints() -> anyhow::Result<String> {
    assert!(ready(true).await);
    assert_eq!(ready(1).await, 1, "{}", ready(2).await);
    anyhow::ensure!(ready(1).await == 1);
    anyhow::ensure!(ready(true).await);
    let text = format!("{} {x}", ready(1).await, x = vec![ready(2).await].len());
    Ok(text)
}

#[cancellable]
async fn allows() -> Result<(), Failure> {
    #[cancellable(allow(root_context))]
    plain(&Context::background(), 1, 2).await.map(drop)
}

/// Methods and receivers.
trait Service {
    #[cancellable]
    async fn call(&mut self) -> Result<u8, Failure>;

    #[cancellable]
    async fn call_twice(&mut self) -> Result<u8, Failure> {
        let first = self.call(ctx).await?;
        Ok(first + self.call(ctx).await?)
    }
}

impl Service for Reply {
    #[cancellable]
    async fn call(&mut self) -> Result<u8, Failure> {
        self.0 = !self.0;
        plain(ctx, u8::from(self.0), 0).await
    }
}

#[async_trait::async_trait]
trait Boxed {
    #[cancellable]
    async fn call(&self, name: &str) -> Result<usize, Failure>;
}

#[async_trait::async_trait]
impl Boxed for u8 {
    #[cancellable]
    async fn call(&self, name: &str) -> Result<usize, Failure> {
        Ok(ready(usize::from(*self) + name.len()).await)
    }
}

#[cancellable]
fn returns_a_future() -> impl Future<Output = Result<u8, Failure>> + Send {
    async move { plain(ctx, 1, 2).await }
}

#[cancellable]
fn returns_a_box(depth: u8) -> Pin<Box<dyn Future<Output = Result<u8, Failure>> + Send>> {
    Box::pin(async move {
        if depth == 0 {
            return plain(ctx, 1, 2).await;
        }
        returns_a_box(ctx, depth - 1).await
    })
}

// guarantee A7
#[test]
fn what_compiles_without_a_warning_runs() {
    let ctx = &Context::background();
    complete(returns_nothing(ctx));
    complete(allows(ctx)).expect("is live");
    let mut sum = 0;
    sum += complete(plain(ctx, 1, 2)).expect("is live");
    sum += complete(narrows(ctx)).expect("is live");
    sum += complete(moves(ctx.clone())).expect("is live");
    sum += complete(takes(ctx)).expect("is live");
    sum += complete(injects(ctx)).expect("is live");
    sum += complete(returns_a_value(ctx));
    sum += complete(diverges(ctx));
    sum += complete(selects(ctx)).expect("is live");
    sum += complete(selects_with_futures(ctx)).expect("is live");
    sum += complete(shields(ctx)).expect("is live");
    sum += complete(joins(ctx)).expect("is live");
    sum += complete(Reply(true).call_twice(ctx)).expect("is live");
    sum += complete(returns_a_future(ctx)).expect("is live");
    sum += complete(returns_a_box(ctx, 3)).expect("is live");
    assert!(complete(without_an_await(ctx)));
    assert!(complete(without_an_await_that_ignores_its_context(
        ctx, false
    )));
    assert!(complete(replies(ctx)).0);
    assert_eq!(complete(prints(ctx)).expect("is live"), "1 1");
    let boxed: &dyn Boxed = &1;
    assert_eq!(complete(boxed.call(ctx, "four")).expect("is live"), 5);
    assert!(sum > 0);
}
