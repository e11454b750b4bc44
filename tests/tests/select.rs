//! `select!` of tokio: one await, with everything that it does without us.

use std::future::{pending, poll_fn, ready};
use std::task::Poll;

use cancel_context::private::waiting;
use cancel_context::{Cancelled, Canceller, Context, cancellable};
use tests::{Polled, Trace, complete, panic_text};
use tokio::sync::mpsc;

fn live() -> (Context, Canceller) {
    Context::background().with_cancel()
}

// guarantee A3
#[test]
fn nothing_is_evaluated_or_polled_when_the_context_has_ended() {
    #[cancellable]
    async fn selects(trace: &Trace) -> Result<u8, Cancelled> {
        let value = tokio::select! {
            () = trace.note_value("first", ready(())), if trace.note_value("condition", true) => 1,
            () = trace.note_value("second", pending()) => 2,
        };
        Ok(value)
    }
    let trace = Trace::default();
    let (ctx, canceller) = live();
    assert_eq!(complete(selects(&ctx, &trace)).unwrap(), 1);
    assert_eq!(trace.take(), "condition first second");
    canceller.cancel();
    complete(selects(&ctx, &trace)).unwrap_err();
    assert_eq!(trace.take(), "");
}

// guarantee A3; scenario 2
#[test]
fn a_ready_arm_wins_over_the_cancel() {
    #[cancellable]
    async fn selects(canceller: Canceller) -> Result<bool, Cancelled> {
        tokio::select! {
            () = pending() => Ok(false),
            () = poll_fn(|_| { canceller.cancel(); Poll::Ready(()) }) => Ok(ctx.is_cancelled()),
        }
    }
    let (ctx, canceller) = live();
    assert!(complete(selects(&ctx, canceller)).unwrap());
}

// guarantee A3
#[test]
fn a_pending_select_is_left_and_its_arms_are_dropped() {
    #[cancellable]
    async fn selects(trace: &Trace) -> Result<(), Cancelled> {
        tokio::select! {
            biased;
            () = tests::pending(trace, "a") => {}
            () = tests::pending(trace, "b") => {}
        }
        Ok(())
    }
    let trace = Trace::default();
    let (ctx, canceller) = live();
    let mut call = Polled::new(selects(&ctx, &trace));
    call.waits();
    assert_eq!(trace.take(), "a b");
    canceller.cancel();
    assert_eq!(call.wakes(), 1);
    let left = call.completes().unwrap_err().site().unwrap();
    assert!(left.expression().starts_with("tokio::select!"), "{left}");
    assert_eq!(trace.take(), "a b -a -b");
    assert_eq!(waiting(&ctx), 0);
}

// guarantee A3
#[test]
fn arms_that_are_annotated_leave_first() {
    #[cancellable]
    async fn wait(trace: &Trace) -> Result<(), Cancelled> {
        let error = inner(ctx).await;
        trace.note("arm");
        error
    }
    #[cancellable]
    async fn inner() -> Result<(), Cancelled> {
        pending::<()>().await;
        Ok(())
    }
    #[cancellable]
    async fn selects(trace: &Trace) -> Result<(), Cancelled> {
        tokio::select! {
            left = wait(ctx, trace) => {
                trace.note("handler");
                left
            }
            () = pending() => Ok(()),
        }
    }
    let trace = Trace::default();
    let (ctx, canceller) = live();
    let mut call = Polled::new(selects(&ctx, &trace));
    call.waits();
    assert_eq!(waiting(&ctx), 1);
    canceller.cancel();
    let left = call.completes().unwrap_err().site().unwrap();
    assert_eq!(trace.take(), "arm handler");
    assert_eq!(left.expression(), "pending::<()>()");
}

// guarantee A3
#[test]
fn else_runs_when_no_pattern_matches() {
    #[cancellable]
    async fn drains(receiver: &mut mpsc::Receiver<u8>) -> Result<Vec<u8>, Cancelled> {
        let mut values = Vec::new();
        loop {
            tokio::select! {
                Some(value) = receiver.recv() => values.push(value),
                else => break,
            }
        }
        Ok(values)
    }
    let (sender, mut receiver) = mpsc::channel(4);
    let (ctx, _canceller) = live();
    let mut call = Polled::new(drains(&ctx, &mut receiver));
    sender.try_send(1).unwrap();
    sender.try_send(2).unwrap();
    call.waits();
    drop(sender);
    assert_eq!(call.completes().unwrap(), [1, 2]);
}

// guarantee A3
#[test]
fn all_arms_disabled_panics_as_without_us() {
    #[cancellable]
    async fn annotated(enabled: bool) -> Result<(), Cancelled> {
        tokio::select! {
            Some(()) = ready(None::<()>) => {}
            () = ready(()), if enabled => {}
        }
        Ok(())
    }
    async fn plain(enabled: bool) {
        tokio::select! {
            Some(()) = ready(None::<()>) => {}
            () = ready(()), if enabled => {}
        }
    }
    let (ctx, _canceller) = live();
    complete(annotated(&ctx, true)).unwrap();
    let text = panic_text(|| complete(annotated(&ctx, false)));
    assert_eq!(text, panic_text(|| complete(plain(false))));
    assert!(text.contains("all branches are disabled"), "{text}");
}

// guarantee A3
#[test]
fn preconditions_and_futures_are_evaluated_as_without_us() {
    async fn plain(trace: &Trace) -> u8 {
        tokio::select! {
            biased;
            () = trace.note_value("a", pending()), if trace.note_value("if-a", true) => 1,
            () = trace.note_value("b", ready(())), if trace.note_value("if-b", false) => 2,
            () = trace.note_value("c", ready(())) => 3,
        }
    }
    #[cancellable]
    async fn annotated(trace: &Trace) -> Result<u8, Cancelled> {
        let value = tokio::select! {
            biased;
            () = trace.note_value("a", pending()), if trace.note_value("if-a", true) => 1,
            () = trace.note_value("b", ready(())), if trace.note_value("if-b", false) => 2,
            () = trace.note_value("c", ready(())) => 3,
        };
        Ok(value)
    }
    let trace = Trace::default();
    assert_eq!(complete(plain(&trace)), 3);
    let expected = trace.take();
    assert_eq!(
        complete(annotated(Context::background(), &trace)).unwrap(),
        3
    );
    assert_eq!(trace.take(), expected);
}

// guarantee A3
#[test]
fn a_disabled_future_is_not_polled() {
    #[cancellable]
    async fn selects(trace: &Trace) -> Result<u8, Cancelled> {
        let value = tokio::select! {
            () = poll_fn(|_| { trace.note("polled"); Poll::Ready(()) }), if false => 1,
            () = ready(()) => 2,
        };
        Ok(value)
    }
    let trace = Trace::default();
    assert_eq!(complete(selects(Context::background(), &trace)).unwrap(), 2);
    assert_eq!(trace.take(), "");
}

// guarantee A3
#[test]
fn biased_polls_in_order_and_without_it_every_arm_has_its_turn() {
    #[cancellable]
    async fn biased() -> Result<u8, Cancelled> {
        tokio::select! {
            biased;
            () = ready(()) => Ok(1),
            () = ready(()) => Ok(2),
        }
    }
    #[cancellable]
    async fn fair() -> Result<usize, Cancelled> {
        tokio::select! {
            () = ready(()) => Ok(0),
            () = ready(()) => Ok(1),
            () = ready(()) => Ok(2),
        }
    }
    let (ctx, _canceller) = live();
    let mut turns = [0; 3];
    for _ in 0..300 {
        assert_eq!(complete(biased(&ctx)).unwrap(), 1);
        turns[complete(fair(&ctx)).unwrap()] += 1;
    }
    // Each expects 100; fewer than 30 of 300 would be eight standard deviations off.
    assert!(turns.iter().all(|turns| *turns > 30), "{turns:?}");
}

// guarantee A3; scenario 8
#[test]
fn a_losing_arm_leaves_no_registration() {
    #[cancellable]
    async fn wait() -> Result<(), Cancelled> {
        pending::<()>().await;
        Ok(())
    }
    #[cancellable]
    async fn selects() -> Result<(), Cancelled> {
        let narrowed = ctx.with_name("narrowed");
        for _ in 0..100 {
            tokio::select! {
                biased;
                result = wait(ctx) => return result,
                result = wait(&narrowed) => return result,
                () = ready(()) => {}
            }
        }
        pending::<()>().await;
        Ok(())
    }
    let (ctx, _canceller) = live();
    let mut call = Polled::new(selects(&ctx));
    call.waits();
    assert_eq!(waiting(&ctx), 1);
    drop(call);
    assert_eq!(waiting(&ctx), 0);
    assert_eq!(ctx.handle_count(), 2);
}

// guarantee A3
#[test]
fn futures_that_are_kept_go_on_from_one_select_to_the_next() {
    #[cancellable]
    async fn selects(receiver: &mut mpsc::Receiver<u8>) -> Result<u8, Cancelled> {
        let total = async {
            let mut total = 0;
            while let Some(value) = receiver.recv().await {
                total += value;
            }
            total
        };
        tokio::pin!(total);
        let mut ticks = 0;
        loop {
            tokio::select! {
                biased;
                total = &mut total => return Ok(total + ticks),
                () = ready(()), if ticks < 10 => ticks += 1,
            }
        }
    }
    let (sender, mut receiver) = mpsc::channel(4);
    let (ctx, _canceller) = live();
    let mut call = Polled::new(selects(&ctx, &mut receiver));
    call.waits();
    sender.try_send(5).unwrap();
    call.waits();
    drop(sender);
    assert_eq!(call.completes().unwrap(), 15);
}

macro_rules! many {
    ($($arm:literal)*) => {
        #[cancellable]
        async fn many(wanted: u32) -> Result<u32, Cancelled> {
            tokio::select! {
                $(() = ready(()), if wanted == $arm => Ok($arm),)*
            }
        }
    };
}
many!(
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
    32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63
);

// guarantee A3
#[test]
fn sixty_four_arms_are_accepted() {
    for wanted in [0, 31, 32, 63] {
        assert_eq!(
            complete(many(Context::background(), wanted)).unwrap(),
            wanted
        );
    }
}
