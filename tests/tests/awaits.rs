//! What happens at an await: the check before it, the poll order, who leaves first.

use std::future::{pending, poll_fn, ready};
use std::task::Poll;
use std::time::Duration;

use cancel_context::private::waiting;
use cancel_context::{Cancelled, Canceller, Context, cancellable};
use tests::{Polled, Trace, complete};

#[cancellable]
async fn wait() -> Result<(), Cancelled> {
    pending::<()>().await;
    Ok(())
}

// guarantee A4
#[test]
fn nothing_of_the_operand_runs_when_the_context_has_ended() {
    #[cancellable]
    async fn evaluates(trace: &Trace) -> Result<(), Cancelled> {
        trace.note("body");
        trace
            .note_value(
                "operand",
                poll_fn(|_| {
                    trace.note("polled");
                    Poll::Ready(())
                }),
            )
            .await;
        Ok(())
    }
    let trace = Trace::default();
    let (ctx, canceller) = Context::background().with_cancel();
    complete(evaluates(&ctx, &trace)).unwrap();
    assert_eq!(trace.take(), "body operand polled");
    canceller.cancel();
    complete(evaluates(&ctx, &trace)).unwrap_err();
    assert_eq!(trace.take(), "body", "a body runs up to its first await");
}

// guarantee A4
#[test]
fn awaits_in_an_operand_are_left_from_the_outermost() {
    #[cancellable]
    async fn nested() -> Result<u8, Cancelled> {
        let sum = ready(ready(1).await + ready(2).await).await;
        Ok(sum)
    }
    let (ctx, canceller) = Context::background().with_cancel();
    assert_eq!(complete(nested(&ctx)).unwrap(), 3);
    canceller.cancel();
    let left = complete(nested(&ctx)).unwrap_err().site().unwrap();
    assert_eq!(left.expression(), "ready(ready(1).await + ready(2).await)");
}

// guarantee A4; scenario 2
#[test]
fn a_value_that_is_ready_in_the_poll_of_the_cancel_is_delivered() {
    #[cancellable]
    async fn receives(canceller: Canceller) -> Result<(u8, bool), Cancelled> {
        let value = poll_fn(|_| {
            canceller.cancel();
            Poll::Ready(7)
        })
        .await;
        Ok((value, ctx.is_cancelled()))
    }
    let (ctx, canceller) = Context::background().with_cancel();
    assert_eq!(complete(receives(&ctx, canceller)).unwrap(), (7, true));
}

// guarantee A4; scenario 2
#[test]
fn a_value_that_arrives_together_with_the_cancel_is_delivered() {
    #[cancellable]
    async fn receives(
        receiver: tokio::sync::oneshot::Receiver<u8>,
    ) -> Result<u8, Box<dyn std::error::Error>> {
        Ok(receiver.await?)
    }
    let (ctx, canceller) = Context::background().with_cancel();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let mut call = Polled::new(receives(&ctx, receiver));
    call.waits();
    canceller.cancel();
    sender.send(7).unwrap();
    assert_eq!(call.completes().unwrap(), 7);
}

// guarantee A4
#[test]
fn a_function_without_an_await_is_never_interrupted() {
    #[cancellable]
    #[expect(clippy::unused_async, reason = "there is no await to leave from")]
    async fn computes() -> u8 {
        u8::from(ctx.is_cancelled())
    }
    let (ctx, canceller) = Context::background().with_cancel();
    canceller.cancel();
    assert_eq!(complete(computes(&ctx)), 1);
}

// guarantee A5; scenario 16
#[test]
fn a_future_that_cancels_in_its_own_poll_is_left_in_that_poll() {
    #[cancellable]
    async fn cancels(canceller: Canceller) -> Result<(), Cancelled> {
        poll_fn(|_| {
            canceller.cancel();
            Poll::<()>::Pending
        })
        .await;
        Ok(())
    }
    let (ctx, canceller) = Context::background().with_cancel();
    let mut call = Polled::new(cancels(&ctx, canceller));
    assert!(matches!(call.poll(), Poll::Ready(Err(_))));
}

// guarantee A5
#[test]
fn the_pending_future_is_dropped_before_the_function_leaves() {
    struct Left(Trace);
    impl From<Cancelled> for Left {
        fn from(_: Cancelled) -> Self {
            Left(Trace::default())
        }
    }
    #[cancellable(on_cancel = { trace.note("left"); Err(Left(trace.clone())) })]
    async fn holds(trace: &Trace) -> Result<(), Left> {
        let _first = trace.drops("first");
        let _second = trace.drops("second");
        tests::pending(trace, "future").await;
        Ok(())
    }
    let trace = Trace::default();
    let (ctx, canceller) = Context::background().with_cancel();
    let mut call = Polled::new(holds(&ctx, &trace));
    call.waits();
    canceller.cancel();
    let Err(Left(handed_on)) = call.completes() else {
        panic!("was cancelled");
    };
    assert_eq!(
        handed_on.take(),
        "future future -future left -second -first"
    );
}

#[cancellable]
async fn outer(trace: &Trace) -> Result<(), Cancelled> {
    let result = middle(ctx, trace).await;
    trace.note("outer");
    result
}

#[cancellable]
async fn middle(trace: &Trace) -> Result<(), Cancelled> {
    let result = inner(ctx, trace).await;
    trace.note("middle");
    result
}

#[cancellable]
async fn inner(trace: &Trace) -> Result<(), Cancelled> {
    let result = wait(ctx).await;
    trace.note("inner");
    result
}

// guarantee A4; scenario 1
#[test]
fn the_error_travels_from_the_innermost_await_through_every_caller() {
    let trace = Trace::default();
    let (ctx, canceller) = Context::background().with_cancel();
    let mut call = Polled::new(outer(&ctx, &trace));
    call.waits();
    assert_eq!(waiting(&ctx), 1, "the outermost await registers for all");
    canceller.cancel();
    assert_eq!(call.wakes(), 1);
    let left = call.completes().unwrap_err();
    assert_eq!(trace.take(), "inner middle outer");
    assert_eq!(left.site().unwrap().expression(), "pending::<()>()");
    assert_eq!(waiting(&ctx), 0);
}

// guarantee A4; scenario 1
#[test]
fn within_a_scope_the_innermost_await_leaves_first_too() {
    let trace = Trace::default();
    let (ctx, canceller) = Context::background().with_cancel();
    let mut call = Polled::new(ctx.run(outer(&ctx, &trace)));
    call.waits();
    assert_eq!(waiting(&ctx), 1, "the scope registers for all");
    canceller.cancel();
    assert_eq!(call.wakes(), 1);
    let delivered = call.completes().expect("the scope delivers the value");
    assert_eq!(
        delivered.unwrap_err().site().unwrap().expression(),
        "pending::<()>()"
    );
    assert_eq!(trace.take(), "inner middle outer");
}

// guarantee A3; scenario 3
#[test]
fn a_loop_over_an_always_ready_future_ends() {
    #[cancellable]
    async fn spins(canceller: Canceller, rounds: &mut u32) -> Result<(), Cancelled> {
        loop {
            ready(()).await;
            *rounds += 1;
            if *rounds == 5 {
                canceller.cancel();
            }
        }
    }
    let (ctx, canceller) = Context::background().with_cancel();
    let mut rounds = 0;
    complete(spins(&ctx, canceller, &mut rounds)).unwrap_err();
    assert_eq!(rounds, 5);
}

// guarantee A11
#[test]
fn every_later_await_of_an_ended_context_leaves_at_once() {
    #[cancellable]
    async fn insists(polls: &mut u32) -> Result<(), Cancelled> {
        for _ in 0..3 {
            let ignored = wait(ctx).await;
            assert!(ignored.is_err());
        }
        *polls += 1;
        Ok(())
    }
    let (ctx, canceller) = Context::background().with_cancel();
    let mut polls = 0;
    let mut call = Polled::new(insists(&ctx, &mut polls));
    call.waits();
    canceller.cancel();
    let left = call.completes().unwrap_err();
    assert_eq!(
        left.site().unwrap().expression(),
        "wait(ctx)",
        "the second one"
    );
    drop(call);
    assert_eq!(polls, 0);
}

// guarantee A3; scenario 13
#[test]
fn a_thousand_awaits_share_one_registration() {
    #[cancellable]
    async fn yields() -> Result<(), Cancelled> {
        for _ in 0..1_000 {
            futures::pending!();
            ready(()).await;
            one(ctx).await?;
        }
        Ok(())
    }
    #[cancellable]
    async fn one() -> Result<(), Cancelled> {
        let mut is_first = true;
        poll_fn(|_| {
            if std::mem::take(&mut is_first) {
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
        Ok(())
    }
    let (ctx, _canceller) = Context::background().with_cancel();
    let mut call = Polled::new(yields(&ctx));
    let mut registered = 0;
    while call.poll().is_pending() {
        registered = registered.max(waiting(&ctx));
    }
    assert_eq!(registered, 1);
    assert_eq!(call.polls(), 2_001);
    drop(call);
    assert_eq!(waiting(&ctx), 0);
    assert_eq!(ctx.handle_count(), 2, "this one and its canceller's");
}

// guarantee A1
#[test]
fn a_narrowed_context_ends_only_the_call_it_was_made_for() {
    #[cancellable]
    async fn narrows() -> Result<&'static str, Cancelled> {
        let narrowed = ctx.with_timeout(Duration::ZERO);
        if wait(&narrowed).await.is_ok() {
            return Ok("never");
        }
        ready(()).await;
        Ok("goes on")
    }
    assert_eq!(complete(narrows(Context::background())).unwrap(), "goes on");
}
