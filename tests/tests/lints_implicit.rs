//! What the attribute emits in implicit mode raises no lint: one of each shape, and the compiler as
//! strict as it gets. Clippy runs over this file with the rest of the workspace.

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
    clippy::large_futures,
    clippy::let_underscore_must_use,
    clippy::shadow_unrelated,
    clippy::use_self
)]

use std::future::ready;

use cancel_context::{Cancelled, cancellable};

/// An error without a way to say "cancelled".
#[derive(Debug)]
struct Failure;

#[cancellable(implicit)]
async fn returns(left: u8, right: u8) -> Result<u8, Cancelled> {
    let sum = ready(left).await + ready(right).await;
    ready(()).await;
    Ok((ready(sum)).await)
}

#[cancellable(implicit)]
async fn is_unwound_by_its_error(sum: u8) -> Result<u8, Failure> {
    if ready(sum > 200).await {
        return Err(Failure);
    }
    Ok(ready(sum).await)
}

#[cancellable(implicit)]
async fn is_unwound() {
    ready(()).await;
    let one = ready(1).await;
    assert_eq!(one, ready(1).await);
}

#[cancellable(implicit, on_cancel = 0)]
async fn on_cancel() -> u8 {
    ready(1).await
}

#[cancellable(implicit)]
async fn nested() -> usize {
    let block = async {
        ready(()).await;
        ready(1).await
    };
    let closure = async |value: usize| ready(value).await;
    let blocks = [1, 2].map(|value| async move { ready(value).await });
    let (first, second) = futures::join!(block, closure(2));
    first + second + futures::future::join_all(blocks).await.len()
}

#[cancellable(implicit)]
async fn selects() -> u8 {
    let mut rounds = 0;
    loop {
        tokio::select! {
            biased;
            Some(value) = ready((rounds < 2).then_some(1)), if rounds < 3 => rounds += value,
            else => break rounds,
        }
    }
}

#[cancellable(implicit)]
async fn shields() -> Result<u8, Cancelled> {
    #[shield]
    ready(()).await;
    #[shield]
    let first = returns(1, 2).await?;
    #[shield(timeout = std::time::Duration::from_secs(1))]
    let second = returns(1, 2).await?;
    Ok(first + second)
}

#[cancellable(implicit, inherit_spawns)]
async fn spawns() -> u8 {
    let mut set = tokio::task::JoinSet::new();
    let first = set.spawn(async { ready(1).await });
    drop(first);
    let second = tokio::spawn(async { ready(2).await });
    let third = tokio::runtime::Handle::current().spawn(async { ready(3).await });
    let mut sum = second.await.unwrap_or_default() + third.await.unwrap_or_default();
    while let Some(end) = set.join_next().await {
        sum += end.unwrap_or_default();
    }
    sum
}

#[cancellable(implicit)]
mod block {
    use super::ready;

    pub(super) struct Store;

    impl Store {
        pub(super) async fn read(&self, key: &str) -> usize {
            ready(key.len()).await
        }
    }
}

// guarantee A7
#[tokio::test]
async fn what_compiles_without_a_warning_runs() {
    is_unwound().await;
    assert_eq!(returns(1, 2).await.expect("is live"), 3);
    assert_eq!(is_unwound_by_its_error(3).await.expect("is small"), 3);
    assert_eq!(on_cancel().await, 1);
    assert_eq!(nested().await, 5);
    assert_eq!(selects().await, 2);
    assert_eq!(shields().await.expect("is live"), 6);
    assert_eq!(spawns().await, 6);
    assert_eq!(block::Store.read("key").await, 3);
}
