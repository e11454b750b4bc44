//! Events as a subscriber sees them: in which span, on one line, and while the subscriber itself does things.

use std::future::pending;

use cancel_context::{Cancelled, Canceller, Context, cancellable};
use tests::log::Log;
use tests::{Polled, complete, panic_text};
use tracing::instrument;

#[cancellable]
async fn explicit() -> Result<(), Cancelled> {
    pending::<()>().await;
    Ok(())
}

#[cancellable(implicit)]
async fn implicit() -> Result<(), Cancelled> {
    pending::<()>().await;
    Ok(())
}

#[cancellable(implicit)]
async fn unwound() -> usize {
    pending::<()>().await;
    0
}

fn job() -> (Context, Canceller) {
    Context::background().with_name("job").with_cancel()
}

/// Has `future` wait, ends its context by `end`, and gives what it completes with.
fn ended<T>(future: impl Future<Output = T>, end: impl FnOnce()) -> T {
    let mut polled = Polled::new(future);
    polled.waits();
    end();
    polled.completes()
}

mod instrumented {
    use super::*;

    #[cancellable]
    #[instrument(skip_all)]
    pub(super) async fn explicit_above() -> Result<(), Cancelled> {
        pending::<()>().await;
        Ok(())
    }

    #[instrument(skip_all)]
    #[cancellable(implicit)]
    pub(super) async fn implicit_below() -> Result<(), Cancelled> {
        pending::<()>().await;
        Ok(())
    }

    #[cancellable(implicit)]
    #[instrument(skip_all)]
    pub(super) async fn unwound_above() -> usize {
        pending::<()>().await;
        0
    }

    #[instrument(skip_all)]
    #[cancellable(implicit)]
    pub(super) async fn unwound_below() -> usize {
        pending::<()>().await;
        0
    }

    #[instrument(skip_all)]
    pub(super) async fn outer<F: Future>(inner: F) -> F::Output {
        inner.await
    }
}

/// The span of the event, when what `call` makes of a context is cancelled.
fn span<F: Future>(call: impl FnOnce(Context) -> F) -> Option<&'static str> {
    let (log, (ctx, canceller)) = (Log::default(), job());
    log.during(|| ended(call(ctx), || canceller.cancel()));
    log.only().span
}

// guarantees A8, E5
#[test]
fn the_event_is_in_the_span_of_the_function_that_was_left() {
    use instrumented::*;
    let left = span(|ctx| outer(explicit_above(ctx)));
    assert_eq!(left, Some("explicit_above"));
    let left = span(|ctx| ctx.run(outer(implicit_below())));
    assert_eq!(left, Some("implicit_below"));
    let left = span(|ctx| ctx.run(outer(unwound_above())));
    assert_eq!(left, Some("unwound_above"));
    let left = span(|ctx| ctx.run(outer(unwound_below())));
    assert_eq!(left, Some("unwound_below"));
    let left = span(|ctx| outer(ctx.run(pending::<()>())));
    assert_eq!(left, Some("outer"));
}

// guarantee E5; the symptom: the name of a user has added a line to the log, and coloured the rest of it
#[test]
fn a_text_from_outside_stays_on_its_line() {
    let log = Log::default();
    let (ctx, canceller) = Context::background().with_name("a\r\nb").with_cancel();
    let cause = format!("\x1b[31mred\nERROR forged{}", "é".repeat(1_000));
    log.during(|| ended(explicit(&ctx), || canceller.cancel_with(cause)))
        .unwrap_err();
    let event = log.only();
    assert_eq!(event.field("path"), Some("a  b"));
    let cause = event.field("cause").unwrap();
    assert!(
        cause.starts_with(" [31mred ERROR forgedé") && cause.ends_with("é…"),
        "{cause}"
    );
    assert_eq!(cause.chars().count(), 513);
}

// guarantees B9, E5
#[test]
fn a_subscriber_may_use_contexts_itself() {
    let (ctx, canceller) = job();
    let used = ctx.clone();
    let log = Log::with_hook(move || {
        assert!(used.is_cancelled() && used.with_name("below").check().is_err());
        complete(used.run(implicit())).unwrap_err();
        complete(explicit(&used)).unwrap_err();
        let (other, canceller) = used.without_cancel().with_cancel();
        ended(other.run(unwound()), || canceller.cancel()).unwrap_err();
    });
    log.during(|| ended(ctx.run(explicit(&ctx)), || canceller.cancel()))
        .unwrap()
        .unwrap_err();
    _ = log.only();
}

// guarantees B9, E5
#[test]
fn a_subscriber_that_panics_leaves_nothing_behind() {
    let log = Log::with_hook(|| panic!("no space left"));
    let (ctx, canceller) = job();
    for call in [true, false] {
        let end = || canceller.cancel();
        let text = panic_text(|| {
            log.during(|| {
                if call {
                    ended(ctx.run(unwound()), end).map(|_| ())
                } else {
                    complete(explicit(&ctx))
                }
            })
        });
        assert_eq!(text, "no space left");
        assert_eq!(Context::current(), Context::background());
        _ = log.only();
    }
    complete(explicit(&ctx)).unwrap_err();
}
