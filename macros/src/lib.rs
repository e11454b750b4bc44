//! The attribute [`macro@cancellable`] of `cancel-context`, which re-exports it; nothing depends on
//! this crate directly.

#![forbid(unsafe_code)]

use proc_macro::TokenStream;

/// Makes an async function leave at its awaits when its context is cancelled.
///
/// One parameter is added in front of all others but the receiver, and the body sees it as
/// `ctx: &Context`. Each `.await` checks the `ctx` that is in scope there: before its operand is
/// evaluated, and again whenever its future is pending. If the context is cancelled, the future is
/// dropped and the function returns with the error.
///
/// ```
/// use cancel_context::{Cancelled, Context, cancellable};
/// use std::time::Duration;
///
/// #[cancellable]
/// async fn total(prices: &[u64]) -> Result<u64, Cancelled> {
///     let mut total = 0;
///     for price in prices {
///         total += convert(ctx, *price).await?;
///     }
///     // Shadowing narrows the context for what follows.
///     let ctx = ctx.with_timeout(Duration::from_secs(1));
///     convert(&ctx, total).await
/// }
///
/// #[cancellable]
/// async fn convert(price: u64) -> Result<u64, Cancelled> {
///     tokio::task::yield_now().await;
///     Ok(price * 2)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (ctx, canceller) = Context::background().with_cancel();
/// assert_eq!(total(&ctx, &[1, 2]).await.unwrap(), 12);
/// canceller.cancel();
/// assert!(total(&ctx, &[1, 2]).await.is_err());
/// # }
/// ```
///
/// With `implicit` nothing is added: the context is the one in whose scope the function is polled, so
/// callers do not change, and existing code is annotated as it is. See below.
///
/// # What it goes on
///
/// - An `async fn`: free, method with any receiver, trait method with or without a body.
/// - A function that returns `impl Future`, `Pin<Box<dyn Future>>` or `BoxFuture` and ends in an
///   `async` block; what `#[async_trait]` makes of a method is one.
/// - An `impl`, a `trait` or an inline `mod`: every async fn in it, with the options of the block. A
///   function may have options of its own; `#[cancellable(skip)]` leaves it as it is.
/// - `async fn main()` and tests: nothing is added, and `ctx` is a root of their own, which signals
///   cancel (`main`) or the end of the test. Write it above `#[tokio::main]` or `#[tokio::test]`. With
///   `implicit` they are functions like any other, and either order works. `#[rstest]` moves the body
///   into another function, so the attribute goes above it in any case.
///
/// # The context
///
/// Callers pass `&ctx`, or an owned `Context` where the future must be `'static`. A parameter that
/// is already named `ctx` is taken as the context, and nothing is added.
///
/// # Leaving
///
/// A cancelled call returns `Err` if the error type is `From<Cancelled>`, or what a `FromCancelled`
/// of the return type says, or the value of `on_cancel`. Any other return type does not compile, unless
/// the function is `implicit`.
///
/// # Implicit functions
///
/// Each await checks the current context. Outside of any scope (`ctx.run(…)`, `ctx.spawn(…)`, an await
/// of an explicit function) the function does just what it did. Where it has nothing to leave with, it
/// is *unwound by drop*: it never resumes, its values are dropped in order, and the nearest caller
/// that can return the error, or the scope itself, reports the cancellation, with the await that was left.
///
/// ```
/// use cancel_context::{Context, cancellable};
/// use std::time::Duration;
///
/// #[cancellable(implicit)]
/// async fn report(lines: &[u64]) -> std::io::Result<usize> {
///     let total = sum(lines).await;
///     Ok(total.to_string().len())
/// }
///
/// #[cancellable(implicit)]
/// async fn sum(lines: &[u64]) -> u64 {
///     tokio::time::sleep(Duration::from_secs(60)).await;
///     lines.iter().sum()
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let ctx = Context::background().with_timeout(Duration::from_millis(5));
/// let error = ctx.run(report(&[1, 2])).await.unwrap().unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
/// assert!(error.to_string().contains("`tokio::time::sleep(Duration::from_secs(60))`"));
/// # }
/// ```
///
/// # Options
///
/// - `ctx = name`: the parameter of this name is the context.
/// - `inject = name`: the added context has this name instead of `ctx`.
/// - `implicit`: the context is the current one; see above.
/// - `inherit_spawns`, with `implicit`: the tasks that `tokio::spawn`, `spawn_local`, `JoinSet::spawn`
///   and their kin start in this function carry the current context, with their types unchanged; a
///   cancelled one ends like an aborted one. Needs the feature `tokio` of `cancel-context`. Without it
///   they are in no scope, for work that must outlive its request.
/// - `skip`, on a function or block within an annotated block: leaves it as it is.
/// - `on_cancel = expr`: what a cancelled call returns; `cancelled` is in scope.
/// - `macros(name, …)`: the tokens of these macros are expressions, whose awaits are checked.
/// - `allow(lint, …)`: allows `root_context`, `thread_sleep`, `process_exit`, `block_on`, `spin`,
///   `dropped_canceller` or `detached`; also on a statement, as `#[cancellable(allow(lint))]`. In implicit
///   functions these are no errors, but findings of `cargo cancellable`.
/// - `crate = path`: where `cancel_context` is to be found.
///
/// # In the body
///
/// - The awaits in macros of std, tokio, futures, tracing, log and anyhow are checked. Any other
///   macro with an `.await` in it does not compile unless `macros` names it; in an implicit function it
///   is left as it is, and `cargo cancellable` lists it as opaque.
/// - `select!`, `join!` and `try_join!` of tokio and futures are one await each.
/// - `#[shield]` on a statement or expression, or `#[shield(timeout = duration)]`, lets what is
///   awaited in it run to completion; inside, `ctx` is not cancelled with its parent.
/// - Nested `async` blocks and async closures check the context in whose scope they are polled, and
///   are unwound by drop. Handed to a spawn they are in no scope, so an explicit function asks for
///   `ctx.run(…)` around them, or for `allow(detached)`.
/// - Nested items are left as they are.
///
/// # Examples
///
/// ```
/// use cancel_context::{Context, cancellable};
///
/// #[cancellable(on_cancel = ())]
/// async fn worker(jobs: &[u32], written: &mut Vec<u32>) {
///     for job in jobs {
///         tokio::task::yield_now().await;
///         #[shield]
///         write(*job, written).await;
///     }
/// }
///
/// async fn write(job: u32, written: &mut Vec<u32>) {
///     written.push(job);
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (ctx, canceller) = Context::background().with_cancel();
/// let mut written = Vec::new();
/// worker(&ctx, &[1, 2], &mut written).await;
/// canceller.cancel();
/// worker(&ctx, &[3, 4], &mut written).await;
/// assert_eq!(written, [1, 2]);
/// # }
/// ```
#[proc_macro_attribute]
pub fn cancellable(args: TokenStream, item: TokenStream) -> TokenStream {
    cancel_context_syntax::cancellable(args.into(), item.into()).into()
}
