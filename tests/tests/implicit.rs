//! Implicit functions: the context is the one in whose scope they are polled.

use std::future::{pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use cancel_context::private::waiting;
use cancel_context::{Cancelled, Context, FromCancelled, cancellable};
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

/// Ten nested functions, with and without the attribute.
macro_rules! nested {
    ($name:ident $(, $attribute:meta)?) => {
        mod $name {
            $(#[$attribute])?
            async fn leaf(text: &str) -> usize {
                tokio::task::yield_now().await;
                text.len()
            }

            nested!(@ $($attribute)?, ten nine eight seven six five four three two leaf);
        }
    };
    (@ $($attribute:meta)?, $outer:ident $inner:ident $($more:ident)*) => {
        $(#[$attribute])?
        pub(super) async fn $outer(text: &str) -> usize {
            let length = $inner(text).await;
            std::future::ready(length).await
        }

        nested!(@ $($attribute)?, $inner $($more)*);
    };
    (@ $($attribute:meta)?, leaf) => {};
}

nested!(plain);
nested!(annotated, cancel_context::cancellable(implicit));

// guarantee A7
#[test]
fn an_implicit_function_is_no_larger_than_it_was() {
    let (plain, annotated) = (plain::ten("four"), annotated::ten("four"));
    assert_eq!(size_of_val(&plain), size_of_val(&annotated));
    assert_eq!((complete(plain), complete(annotated)), (4, 4));
}

/// Is `Send`, though what it gives is not.
struct Makes;

impl Future for Makes {
    type Output = Rc<u8>;

    fn poll(self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<Rc<u8>> {
        Poll::Ready(Rc::new(1))
    }
}

// guarantee A7; scenario 25
#[test]
fn an_awaited_value_that_is_not_send_may_be_gone_before_the_next_await() {
    #[cancellable(implicit)]
    async fn returns() -> Result<u8, Cancelled> {
        let one = *Makes.await;
        ready(()).await;
        Ok(one)
    }
    #[cancellable(implicit)]
    async fn unwinds() -> u8 {
        let one = *Makes.await;
        let block = async {
            let one = *Makes.await;
            one + ready(1).await
        };
        one + block.await
    }
    fn is_send(_: &impl Send) {}
    let (returns, unwinds) = (returns(), unwinds());
    is_send(&returns);
    is_send(&unwinds);
    assert_eq!((complete(returns).unwrap(), complete(unwinds)), (1, 3));
}

// guarantee A2; scenario 6
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
    let inner = scope.completes().expect("leaves before the scope");
    let error = inner.unwrap_err();
    assert_eq!(error.site().unwrap().expression(), "pending::<()>()");
    assert!(error.to_string().ends_with("in job"));
}

// guarantee A6; scenario 5
#[test]
fn where_nobody_can_leave_the_scope_reports_and_every_drop_has_run_in_order() {
    #[cancellable(implicit)]
    async fn outer(trace: &Trace) -> Option<usize> {
        let _outer = trace.drops("outer");
        let counted = count(trace).await;
        trace.note("outer went on");
        Some(counted)
    }
    let (ctx, canceller) = Context::background().with_cancel();
    let trace = Trace::default();
    let mut scope = Polled::new(ctx.run(outer(&trace)));
    scope.waits();
    canceller.cancel();
    let error = scope.completes().unwrap_err();
    assert_eq!(trace.take(), "-second -first -outer");
    assert_eq!(error.site().unwrap().expression(), "pending::<()>()");
    assert!(error.site().unwrap().function().ends_with("::count"));
    assert_eq!(waiting(&ctx), 0);
}

// guarantee A6; scenario 4
#[test]
fn a_caller_that_can_leave_reports_what_was_unwound_below_it() {
    #[cancellable(implicit)]
    async fn nothing(trace: &Trace) {
        count(trace).await;
        trace.note("nothing went on");
    }
    #[cancellable(implicit)]
    async fn opaque(trace: &Trace) -> impl Iterator<Item = usize> {
        nothing(trace).await;
        trace.note("opaque went on");
        [1].into_iter()
    }
    #[cancellable(implicit)]
    async fn maybe(trace: &Trace) -> Option<usize> {
        let found = opaque(trace).await.next();
        trace.note("maybe went on");
        found
    }
    #[cancellable(implicit)]
    async fn caller(trace: &Trace) -> Result<usize, Cancelled> {
        let _caller = trace.drops("caller");
        let found = maybe(trace).await;
        trace.note("caller went on");
        Ok(found.unwrap_or_default())
    }
    let (ctx, canceller) = Context::background().with_cancel();
    let trace = Trace::default();
    let mut scope = Polled::new(ctx.run(caller(&trace)));
    scope.waits();
    canceller.cancel();
    let error = scope.completes().unwrap().unwrap_err();
    assert_eq!(trace.take(), "-second -first -caller");
    assert_eq!(error.site().unwrap().expression(), "pending::<()>()");
}

// guarantee A4
#[test]
fn an_operand_is_not_evaluated_once_the_context_has_ended() {
    #[cancellable(implicit)]
    async fn returns(trace: &Trace) -> Result<(), Cancelled> {
        trace.note("began");
        trace.note_value("operand", ready(())).await;
        Ok(())
    }
    #[cancellable(implicit)]
    async fn unwinds(trace: &Trace) {
        trace.note("began");
        trace.note_value("operand", ready(())).await;
        trace.note("went on");
    }
    #[cancellable(implicit)]
    async fn cancels(canceller: cancel_context::Canceller, trace: &Trace) -> Result<(), Cancelled> {
        canceller.cancel();
        let _ = returns(trace).await;
        trace.note("not reached");
        Ok(())
    }
    let trace = Trace::default();
    for unwound in [false, true] {
        let (ctx, canceller) = Context::background().with_cancel();
        let result = complete(ctx.run(async {
            canceller.cancel();
            if unwound {
                unwinds(&trace).await;
                Ok(())
            } else {
                returns(&trace).await
            }
        }));
        assert_eq!(
            result.is_err(),
            unwound,
            "the scope reports what was unwound"
        );
        assert_eq!(trace.take(), "began");
    }
    let (ctx, canceller) = Context::background().with_cancel();
    complete(ctx.run(cancels(canceller, &trace)))
        .unwrap()
        .unwrap_err();
    assert_eq!(trace.take(), "");
}

// guarantee A2
#[test]
fn explicit_and_implicit_functions_see_the_same_context() {
    #[cancellable]
    async fn explicit() -> Result<[String; 2], Cancelled> {
        let first = implicit().await?;
        let ctx = ctx.with_name("narrowed");
        let second = relay(&ctx).await?;
        Ok([first, second])
    }
    #[cancellable]
    async fn relay() -> Result<String, Cancelled> {
        implicit().await
    }
    #[cancellable(implicit)]
    async fn implicit() -> Result<String, Cancelled> {
        ready(()).await;
        // And back: an explicit function called with the current one.
        path(&Context::current()).await
    }
    #[cancellable]
    async fn path() -> Result<String, Cancelled> {
        Ok(ready(ctx.path()).await)
    }
    let root = Context::background().with_name("root");
    let names = complete(explicit(&root)).unwrap();
    assert_eq!(names, ["root", "root/narrowed"]);
    let name = complete(root.run(implicit())).unwrap().unwrap();
    assert_eq!(name, "root");
}

// guarantee A2
#[test]
fn an_explicit_caller_ends_what_is_unwound_below_it() {
    #[cancellable]
    async fn explicit(trace: &Trace) -> Result<usize, Cancelled> {
        let counted = count(trace).await;
        trace.note("explicit went on");
        Ok(counted)
    }
    let (ctx, canceller) = Context::background().with_cancel();
    let trace = Trace::default();
    let mut call = Polled::new(explicit(&ctx, &trace));
    call.waits();
    assert_eq!(waiting(&ctx), 1);
    canceller.cancel();
    let error = call.completes().unwrap_err();
    assert_eq!(trace.take(), "-second -first");
    assert_eq!(error.site().unwrap().expression(), "pending::<()>()");
}

// guarantee A2
#[test]
fn an_explicit_call_on_background_is_not_ended_by_the_scope_around_it() {
    #[cancellable]
    async fn explicit(trace: &Trace) -> Result<usize, Cancelled> {
        assert_eq!(count_current().await, "background");
        Ok(count(trace).await)
    }
    #[cancellable(implicit)]
    async fn count_current() -> String {
        ready(()).await;
        format!("{:?}", Context::current())
    }
    let (ctx, canceller) = Context::background().with_cancel();
    let trace = Trace::default();
    let background = Context::background();
    let mut scope = Polled::new(ctx.run(explicit(&background, &trace)));
    scope.waits();
    canceller.cancel();
    // The scope drops the inner whole: its context is unrelated.
    assert!(scope.completes().unwrap_err().site().is_none());
    assert_eq!(trace.take(), "-second -first");
}

// guarantee A5
#[test]
fn on_cancel_and_types_of_ones_own_are_returned() {
    #[derive(Debug, PartialEq)]
    enum Reply {
        Text,
        Gone(bool),
    }
    impl FromCancelled for Reply {
        fn from_cancelled(cancelled: Cancelled) -> Self {
            Self::Gone(cancelled.is_timeout())
        }
    }
    #[cancellable(implicit)]
    async fn reply() -> Reply {
        pending::<()>().await;
        Reply::Text
    }
    #[cancellable(implicit, on_cancel = cancelled.to_string().len())]
    async fn length() -> usize {
        pending::<()>().await;
        0
    }
    type Aliased<T> = Result<T, std::io::Error>;
    #[cancellable(implicit)]
    async fn aliased() -> Aliased<u8> {
        pending::<()>().await;
        Ok(1)
    }
    let ctx = Context::background().with_timeout(Duration::ZERO);
    let current = Context::background().with_cancel();
    let mut scope = Polled::new(current.0.run(async { (reply().await, length().await) }));
    scope.waits();
    drop(current.1);
    assert!(matches!(scope.completes(), Ok((Reply::Gone(false), 1..))));
    // A scope whose context has ended polls nothing.
    complete(ctx.run(aliased())).unwrap_err();
    let (ctx, canceller) = Context::background().with_cancel();
    let mut scope = Polled::new(ctx.run(aliased()));
    scope.waits();
    canceller.cancel();
    let error = scope.completes().unwrap().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::Other);
    assert!(error.downcast::<Cancelled>().is_ok());
}

// guarantee A5
#[test]
fn generic_functions_return_where_their_bounds_say_so() {
    #[cancellable(implicit)]
    async fn returns<E: From<Cancelled>>() -> Result<(), E> {
        pending::<()>().await;
        Ok(())
    }
    #[cancellable(implicit)]
    async fn unwinds<E>() -> Result<(), E> {
        pending::<()>().await;
        Ok(())
    }
    let (ctx, canceller) = Context::background().with_cancel();
    let mut returned = Polled::new(ctx.run(returns::<String>()));
    let mut unwound = Polled::new(ctx.run(unwinds::<String>()));
    returned.waits();
    unwound.waits();
    canceller.cancel();
    assert!(returned.completes().expect("by its error").is_err());
    unwound.completes().expect_err("by the scope");
}

// guarantee A10
#[test]
fn a_shield_holds_in_implicit_functions() {
    #[cancellable(implicit)]
    async fn is_cancelled() -> bool {
        tokio::task::yield_now().await;
        Context::current().is_cancelled()
    }
    #[cancellable(implicit)]
    async fn cleans(trace: &Trace) -> usize {
        let _guard = trace.drops("guard");
        #[shield]
        {
            tokio::task::yield_now().await;
            assert!(!is_cancelled().await);
            trace.note("cleaned");
        }
        ready(()).await;
        trace.note("went on");
        1
    }
    let (ctx, canceller) = Context::background().with_cancel();
    let trace = Trace::default();
    let mut scope = Polled::new(ctx.run(cleans(&trace)));
    assert!(scope.poll().is_pending());
    canceller.cancel();
    scope.completes().unwrap_err();
    assert_eq!(trace.take(), "cleaned -guard");
}

// guarantee A10
#[tokio::test(start_paused = true)]
async fn the_timeout_of_a_shield_leaves_with_the_error() {
    #[cancellable(implicit)]
    async fn cleans() -> Result<(), Cancelled> {
        #[shield(timeout = Duration::from_secs(1))]
        pending::<()>().await;
        Ok(())
    }
    let (ctx, canceller) = Context::background().with_cancel();
    let mut scope = Box::pin(ctx.run(cleans()));
    assert!(futures::poll!(scope.as_mut()).is_pending());
    canceller.cancel();
    let started = tokio::time::Instant::now();
    let error = scope.await.expect("leaves by itself").unwrap_err();
    assert!(error.is_timeout());
    assert!(started.elapsed() >= Duration::from_secs(1));
}

// guarantee A6; scenario 11
#[test]
fn what_was_unwound_panics_where_it_is_polled_outside_of_its_scope() {
    let trace = Trace::default();
    let (ctx, canceller) = Context::background().with_cancel();
    let mut counts = Box::pin(count(&trace));
    let mut scope = Polled::new(ctx.run(counts.as_mut()));
    scope.waits();
    canceller.cancel();
    scope.completes().unwrap_err();
    drop(scope);
    // It was given by reference, so it outlives the scope: unwound it is all the same.
    let mut again = Polled::new(counts.as_mut());
    let panic = catch_unwind(AssertUnwindSafe(|| again.poll())).unwrap_err();
    let text = panic.downcast::<String>().unwrap();
    assert!(text.contains("`pending::<()>()`"), "{text}");
    assert!(text.contains("outside of the scope that was cancelled"));
    drop(again);
    let other = Context::background().with_name("other");
    let mut elsewhere = Polled::new(other.run(counts.as_mut()));
    catch_unwind(AssertUnwindSafe(|| elsewhere.poll())).unwrap_err();
}
