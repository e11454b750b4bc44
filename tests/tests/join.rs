//! `join!` and `try_join!` of both crates: one await each.

use std::future::{pending, ready};

use cancel_context::private::waiting;
use cancel_context::{Cancelled, Canceller, Context, cancellable};
use tests::{Polled, Trace, complete};

#[cancellable]
async fn wait(trace: &Trace, name: &'static str) -> Result<(), Cancelled> {
    let result = forever(ctx).await;
    trace.note(name);
    result
}

#[cancellable]
async fn forever() -> Result<(), Cancelled> {
    pending::<()>().await;
    Ok(())
}

async fn cancels(canceller: &Canceller) -> bool {
    canceller.cancel();
    ready(true).await
}

#[cancellable]
async fn joins(trace: &Trace) -> Result<(u8, u8), Cancelled> {
    let joined = tokio::join!(
        trace.note_value("first", ready(1)),
        trace.note_value("second", ready(2)),
    );
    Ok(joined)
}

#[cancellable]
async fn joins_futures(trace: &Trace) -> Result<(u8, u8), Cancelled> {
    Ok(futures::join!(
        trace.note_value("first", ready(1)),
        trace.note_value("second", ready(2)),
    ))
}

#[cancellable]
async fn tries(trace: &Trace) -> Result<(u8, u8), Cancelled> {
    tokio::try_join!(
        trace.note_value("first", ready(Ok::<_, Cancelled>(1))),
        trace.note_value("second", ready(Ok(2))),
    )
}

#[cancellable]
async fn tries_futures(trace: &Trace) -> Result<(u8, u8), Cancelled> {
    futures::try_join!(
        trace.note_value("first", ready(Ok::<_, Cancelled>(1))),
        trace.note_value("second", ready(Ok(2))),
    )
}

// guarantee A3
#[test]
fn nothing_is_evaluated_or_polled_when_the_context_has_ended() {
    let trace = Trace::default();
    let (ctx, canceller) = Context::background().with_cancel();
    for round in ["first second", ""] {
        let results = [
            complete(joins(&ctx, &trace)),
            complete(joins_futures(&ctx, &trace)),
            complete(tries(&ctx, &trace)),
            complete(tries_futures(&ctx, &trace)),
        ];
        for result in results {
            assert_eq!(result.ok(), (!round.is_empty()).then_some((1, 2)));
        }
        assert_eq!(trace.take(), [round; 4].join(" ").trim());
        canceller.cancel();
    }
}

// guarantee A4
#[test]
fn members_leave_first_and_their_results_are_delivered() {
    #[cancellable]
    async fn both(trace: &Trace) -> Result<(), Cancelled> {
        let (left, right) = tokio::join!(
            biased;
            wait(ctx, trace, "left"),
            wait(ctx, trace, "right"),
        );
        trace.note("joined");
        left.and(right)
    }
    let trace = Trace::default();
    let (ctx, canceller) = Context::background().with_cancel();
    let mut call = Polled::new(both(&ctx, &trace));
    call.waits();
    assert_eq!(waiting(&ctx), 1);
    canceller.cancel();
    let left = call.completes().unwrap_err().site().unwrap();
    assert_eq!(trace.take(), "left right joined");
    assert_eq!(left.expression(), "pending::<()>()");
}

// guarantee A5
#[test]
fn a_pending_join_is_left_and_its_members_are_dropped() {
    #[cancellable]
    async fn both(trace: &Trace) -> Result<(), Cancelled> {
        tokio::join!(biased; tests::pending(trace, "a"), tests::pending(trace, "b"));
        Ok(())
    }
    let trace = Trace::default();
    let (ctx, canceller) = Context::background().with_cancel();
    let mut call = Polled::new(both(&ctx, &trace));
    call.waits();
    assert_eq!(trace.take(), "a b");
    canceller.cancel();
    let left = call.completes().unwrap_err().site().unwrap();
    assert!(left.expression().starts_with("tokio::join!"), "{left}");
    assert_eq!(trace.take(), "a b -a -b");
    assert_eq!(waiting(&ctx), 0);
}

// guarantee A7
#[test]
fn members_are_dropped_in_the_order_that_they_are_without_us() {
    async fn plain(trace: &Trace) {
        futures::join!(tests::pending(trace, "a"), tests::pending(trace, "b"));
    }
    #[cancellable]
    async fn annotated(trace: &Trace) -> Result<(), Cancelled> {
        futures::join!(tests::pending(trace, "a"), tests::pending(trace, "b"));
        Ok(())
    }
    let trace = Trace::default();
    let mut call = Polled::new(plain(&trace));
    call.waits();
    assert_eq!(trace.take(), "a b");
    drop(call);
    let dropped = trace.take();
    let (ctx, canceller) = Context::background().with_cancel();
    let mut call = Polled::new(annotated(&ctx, &trace));
    call.waits();
    canceller.cancel();
    call.completes().unwrap_err();
    assert_eq!(trace.take(), format!("a b a b {dropped}"));
}

// guarantee A4; scenario 2
#[test]
fn results_that_are_ready_with_the_cancel_are_delivered() {
    #[cancellable]
    async fn both(canceller: Canceller) -> Result<(u8, bool), Cancelled> {
        let (value, _) = tokio::join!(ready(7), cancels(&canceller),);
        Ok((value, ctx.is_cancelled()))
    }
    let (ctx, canceller) = Context::background().with_cancel();
    assert_eq!(complete(both(&ctx, canceller)).unwrap(), (7, true));
}

// guarantee A3
#[test]
fn the_first_error_ends_try_join_and_drops_the_others() {
    #[cancellable]
    async fn fails(trace: &Trace) -> Result<(), Box<dyn std::error::Error>> {
        tokio::try_join!(
            async {
                tests::pending(trace, "member").await;
                Ok::<(), std::num::ParseIntError>(())
            },
            async { "x".parse::<u8>() },
        )?;
        Ok(())
    }
    let trace = Trace::default();
    complete(fails(Context::background(), &trace)).unwrap_err();
    assert!(trace.take().ends_with("-member"));
}

// guarantee A3
#[test]
fn awaits_in_operands_are_checked_in_order() {
    #[cancellable]
    async fn both(trace: &Trace, canceller: &Canceller) -> Result<(), Cancelled> {
        tokio::join!(
            trace.note_value("first", ready(cancels(canceller).await)),
            trace.note_value("second", ready(ready(2).await)),
        );
        Ok(())
    }
    let trace = Trace::default();
    let (ctx, canceller) = Context::background().with_cancel();
    let left = complete(both(&ctx, &trace, &canceller)).unwrap_err();
    assert_eq!(left.site().unwrap().expression(), "ready(2)");
    assert_eq!(trace.take(), "first");
}

// guarantee A7
#[test]
fn members_may_borrow_mutably_and_be_given_by_name() {
    #[cancellable]
    async fn both() -> Result<u8, Cancelled> {
        let (mut left, mut right) = (0, 0);
        let first = async { left += 1 };
        tokio::join!(first, async { right += 2 });
        let pinned = Box::pin(async { 4 });
        let (more,) = futures::join!(pinned);
        Ok(left + right + more)
    }
    assert_eq!(complete(both(Context::background())).unwrap(), 7);
}

// guarantee A3
#[test]
fn a_single_member_and_none_are_accepted_as_without_us() {
    #[cancellable]
    async fn few() -> Result<u8, Cancelled> {
        let (one,) = tokio::join!(ready(1));
        tokio::join!();
        Ok(one)
    }
    assert_eq!(complete(few(Context::background())).unwrap(), 1);
}

// guarantee A1
#[test]
fn a_member_may_move_the_context() {
    #[cancellable]
    async fn moves(ctx: Context, trace: &Trace) -> Result<(), Cancelled> {
        let (left, ()) = futures::join!(wait(ctx, trace, "member"), ready(()));
        left
    }
    let trace = Trace::default();
    let (ctx, canceller) = Context::background().with_cancel();
    let mut call = Polled::new(moves(ctx, &trace));
    call.waits();
    canceller.cancel();
    call.completes().unwrap_err();
    assert_eq!(trace.take(), "member");
}
