//! Implicit functions: the context is the one in whose scope they are polled.

use std::future::{pending, ready};

use cancel_context::{Cancelled, Context, cancellable};
use tests::{Polled, Trace, complete};

#[cancellable(implicit)]
async fn wait() -> Result<(), Cancelled> {
    pending::<()>().await;
    Ok(())
}

#[cancellable(implicit)]
async fn count(trace: &Trace) -> usize {
    let _first = trace.drops("first");
    let _second = trace.drops("second");
    pending::<()>().await;
    trace.note("went on");
    7
}

// guarantee A2: scenario 6
#[test]
fn outside_of_any_scope_an_implicit_function_is_transparent() {
    #[cancellable(implicit)]
    async fn double(n: u8) -> u8 {
        tokio::task::yield_now().await;
        ready(n).await * 2
    }
    assert_eq!(complete(double(4)), 8);
    let trace = Trace::default();
    let mut counts = Polled::new(count(&trace));
    counts.waits();
    drop(counts);
    assert_eq!(trace.take(), "-second -first");
}

// guarantee A2, A5
#[test]
fn an_implicit_function_leaves_with_an_error_in_the_scope_it_is_polled_in() {
    let (ctx, canceller) = Context::background().with_name("job").with_cancel();
    let mut scope = Polled::new(ctx.run(wait()));
    scope.waits();
    canceller.cancel();
    let inner = scope
        .completes()
        .expect("the function left before the scope");
    let cancelled = inner.unwrap_err();
    assert_eq!(cancelled.site().unwrap().expression(), "pending::<()>()");
    assert!(cancelled.to_string().ends_with("in job"));
}

// guarantee A6: scenario 5
#[test]
fn where_nobody_can_leave_the_scope_reports_and_every_drop_has_run_in_order() {
    let (ctx, canceller) = Context::background().with_cancel();
    let trace = Trace::default();
    #[cancellable(implicit)]
    async fn outer(trace: &Trace) -> Option<usize> {
        let _outer = trace.drops("outer");
        let counted = count(trace).await;
        trace.note("outer went on");
        Some(counted)
    }
    let mut scope = Polled::new(ctx.run(outer(&trace)));
    scope.waits();
    canceller.cancel();
    let cancelled = scope.completes().unwrap_err();
    assert_eq!(trace.take(), "-second -first -outer");
    assert_eq!(cancelled.site().unwrap().expression(), "pending::<()>()");
    assert!(cancelled.site().unwrap().function().ends_with("::count"));
}

// guarantee A6: scenario 4
#[test]
fn a_caller_that_can_leave_reports_what_was_unwound_below_it() {
    #[cancellable(implicit)]
    async fn caller(trace: &Trace) -> Result<usize, Cancelled> {
        let counted = count(trace).await;
        trace.note("caller went on");
        Ok(counted)
    }
    let (ctx, canceller) = Context::background().with_cancel();
    let trace = Trace::default();
    let mut scope = Polled::new(ctx.run(caller(&trace)));
    scope.waits();
    canceller.cancel();
    let cancelled = scope.completes().unwrap().unwrap_err();
    assert_eq!(trace.take(), "-second -first");
    assert_eq!(cancelled.site().unwrap().expression(), "pending::<()>()");
}
