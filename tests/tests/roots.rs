//! `main` and tests: nothing is injected, `ctx` is a root of their own.

use std::cell::RefCell;
use std::future::pending;
use std::process::Command;

use cancel_context::{Cancelled, Context, cancellable};

thread_local! {
    static KEPT: RefCell<Option<Context>> = const { RefCell::new(None) };
}

// guarantee A8
#[cancellable]
#[tokio::test]
async fn a_test_has_a_root_that_is_live() -> Result<(), Cancelled> {
    tokio::task::yield_now().await;
    KEPT.set(Some(ctx.clone()));
    assert!(!ctx.is_cancelled());
    Ok(())
}

// guarantee A8
#[test]
fn the_root_of_a_test_ends_with_it() {
    a_test_has_a_root_that_is_live().expect("nobody cancels");
    let kept = KEPT.take().expect("the test kept its root");
    assert!(kept.is_cancelled());
}

// guarantee A8
#[cancellable(inject = root)]
#[tokio::test]
async fn the_root_of_a_test_has_the_name_that_is_given() -> Result<(), Cancelled> {
    tokio::task::yield_now().await;
    root.check()
}

// guarantee A8
#[cancellable(on_cancel = ())]
#[tokio::test]
async fn a_test_that_returns_nothing_says_how_to_leave() {
    let ctx = ctx.with_timeout(std::time::Duration::ZERO);
    pending::<()>().await;
    unreachable!("{ctx:?} has ended");
}

// guarantee A5
#[cancellable]
#[tokio::test]
async fn a_test_awaits_annotated_functions() -> Result<(), Cancelled> {
    #[cancellable]
    async fn wait() -> Result<(), Cancelled> {
        pending::<()>().await;
        Ok(())
    }
    let (child, canceller) = ctx.with_cancel();
    canceller.cancel();
    assert!(wait(&child).await.is_err());
    Ok(())
}

mod program {
    use super::*;

    #[cancellable]
    #[tokio::main(flavor = "current_thread")]
    pub(super) async fn main() -> Result<(), Cancelled> {
        let interrupt = Command::new("kill")
            .args(["-INT", &std::process::id().to_string()])
            .status();
        assert!(interrupt.expect("`kill` runs").success());
        pending::<()>().await;
        Ok(())
    }
}

// guarantee A8
#[cfg(unix)]
#[test]
fn the_root_of_main_is_cancelled_by_a_signal() {
    let cancelled = program::main().expect_err("was interrupted");
    assert_eq!(cancelled.cause().to_string(), "SIGINT");
    let left = cancelled.site().expect("an await was left");
    assert_eq!(left.expression(), "pending::<()>()");
}
