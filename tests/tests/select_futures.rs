//! `select!` and `select_biased!` of futures: one await, with `complete` and `default`.

use std::future::{pending, poll_fn, ready};
use std::task::Poll;

use cancel_context::private::waiting;
use cancel_context::{Cancelled, Canceller, Context, cancellable};
use futures::channel::mpsc;
use futures::{FutureExt, StreamExt, future, select, select_biased};
use tests::{Polled, Trace, complete, panic_text};

// guarantee A3
#[test]
fn nothing_is_evaluated_or_polled_when_the_context_has_ended() {
    #[cancellable]
    async fn selects(trace: &Trace) -> Result<u8, Cancelled> {
        let value = select_biased! {
            () = trace.note_value("first", future::pending()) => 1,
            () = trace.note_value("second", future::ready(())) => 2,
        };
        Ok(value)
    }
    let trace = Trace::default();
    let (ctx, canceller) = Context::background().with_cancel();
    assert_eq!(complete(selects(&ctx, &trace)).unwrap(), 2);
    assert_eq!(trace.take(), "first second");
    canceller.cancel();
    complete(selects(&ctx, &trace)).unwrap_err();
    assert_eq!(trace.take(), "");
}

// guarantee A3; scenario 2
#[test]
fn a_ready_arm_wins_over_the_cancel() {
    #[cancellable]
    async fn selects(canceller: Canceller) -> Result<bool, Cancelled> {
        select! {
            () = future::pending() => Ok(false),
            () = poll_fn(|_| { canceller.cancel(); Poll::Ready(()) }).fuse() => Ok(ctx.is_cancelled()),
        }
    }
    let (ctx, canceller) = Context::background().with_cancel();
    assert!(complete(selects(&ctx, canceller)).unwrap());
}

// guarantee A3
#[test]
fn a_pending_select_is_left_and_its_arms_are_dropped() {
    #[cancellable]
    async fn selects(trace: &Trace) -> Result<(), Cancelled> {
        select_biased! {
            () = tests::pending(trace, "a").fuse() => {}
            () = tests::pending(trace, "b").fuse() => {}
        }
        Ok(())
    }
    let trace = Trace::default();
    let (ctx, canceller) = Context::background().with_cancel();
    let mut call = Polled::new(selects(&ctx, &trace));
    call.waits();
    assert_eq!(waiting(&ctx), 1);
    canceller.cancel();
    let left = call.completes().unwrap_err().site().unwrap();
    assert!(left.expression().starts_with("select_biased!"), "{left}");
    let mut events: Vec<_> = trace.take().split(' ').map(String::from).collect();
    events[4..].sort();
    assert_eq!(events, ["a", "b", "a", "b", "-a", "-b"]);
    assert_eq!(waiting(&ctx), 0);
}

// guarantee A3
#[test]
fn complete_runs_when_every_future_has_completed() {
    #[cancellable]
    async fn adds() -> Result<u8, Cancelled> {
        let mut first = future::ready(1);
        let mut second = future::ready(2);
        let mut sum = 0;
        loop {
            select! {
                value = first => sum += value,
                value = second => sum += value,
                complete => break,
            }
        }
        Ok(sum)
    }
    assert_eq!(complete(adds(Context::background())).unwrap(), 3);
}

// guarantee A3
#[test]
fn streams_are_drained_until_complete() {
    #[cancellable]
    async fn drains(left: mpsc::Receiver<u8>, right: mpsc::Receiver<u8>) -> Result<u8, Cancelled> {
        let (mut left, mut right) = (left.fuse(), right.fuse());
        let mut sum = 0;
        loop {
            select! {
                value = left.next() => sum += value.unwrap_or(0),
                value = right.next() => sum += value.unwrap_or(0),
                complete => return Ok(sum),
            }
        }
    }
    let (mut send_left, left) = mpsc::channel(4);
    let (mut send_right, right) = mpsc::channel(4);
    let (ctx, _canceller) = Context::background().with_cancel();
    let mut call = Polled::new(drains(&ctx, left, right));
    call.waits();
    send_left.try_send(1).unwrap();
    send_right.try_send(2).unwrap();
    call.waits();
    drop((send_left, send_right));
    assert_eq!(call.completes().unwrap(), 3);
}

// guarantee A3
#[test]
fn default_runs_when_nothing_is_ready() {
    #[cancellable]
    async fn tries(receiver: &mut mpsc::Receiver<u8>) -> Result<Option<u8>, Cancelled> {
        select! {
            value = receiver.next() => Ok(value),
            default => Ok(None),
        }
    }
    let (mut sender, mut receiver) = mpsc::channel(1);
    let (ctx, canceller) = Context::background().with_cancel();
    assert_eq!(complete(tries(&ctx, &mut receiver)).unwrap(), None);
    sender.try_send(7).unwrap();
    assert_eq!(complete(tries(&ctx, &mut receiver)).unwrap(), Some(7));
    canceller.cancel();
    complete(tries(&ctx, &mut receiver)).unwrap_err();
}

// guarantee A3
#[test]
fn all_futures_completed_panics_as_without_us() {
    async fn plain() {
        let mut done = future::Fuse::<future::Ready<()>>::terminated();
        select! { () = done => {} }
    }
    #[cancellable]
    async fn annotated() -> Result<(), Cancelled> {
        let mut done = future::Fuse::<future::Ready<()>>::terminated();
        select! { () = done => {} }
        Ok(())
    }
    let expected = panic_text(|| complete(plain()));
    let text = panic_text(|| complete(annotated(Context::background())));
    assert_eq!(text, expected);
}

// guarantee A3
#[test]
fn a_future_given_by_name_is_borrowed() {
    #[cancellable]
    async fn selects() -> Result<u8, Cancelled> {
        let mut slow = Box::pin(async {
            futures::pending!();
            1
        })
        .fuse();
        let mut fast = future::ready(2);
        let first = select_biased! {
            value = slow => value,
            value = fast => value,
        };
        let second = select_biased! {
            value = slow => value,
            value = fast => value,
        };
        Ok(first * 10 + second)
    }
    let mut call = Polled::new(selects(Context::background()));
    assert_eq!(call.completes().unwrap(), 21);
}

// guarantee A3
#[test]
fn handlers_break_return_and_use_the_question_mark() {
    #[cancellable]
    async fn selects(texts: &[&str]) -> Result<u8, Box<dyn std::error::Error>> {
        let mut texts = futures::stream::iter(texts).fuse();
        let mut sum = 0;
        loop {
            select! {
                text = texts.next() => match text {
                    Some(&"") => continue,
                    Some(&"stop") => return Ok(100),
                    Some(text) => sum += text.parse::<u8>()?,
                    None => break,
                },
                complete => unreachable!(),
            }
            sum += 10;
        }
        Ok(sum)
    }
    let run = |texts| complete(selects(Context::background(), texts));
    assert_eq!(run(&["1", "", "2"]).unwrap(), 23);
    assert_eq!(run(&["1", "stop", "x"]).unwrap(), 100);
    run(&["x"]).unwrap_err();
}

// guarantee A3
#[test]
fn every_ready_arm_has_its_turn() {
    #[cancellable]
    async fn fair() -> Result<usize, Cancelled> {
        select! {
            () = future::ready(()) => Ok(0),
            () = ready(()).fuse() => Ok(1),
            () = pending().fuse() => Ok(2),
        }
    }
    let mut turns = [0; 3];
    for _ in 0..200 {
        turns[complete(fair(Context::background())).unwrap()] += 1;
    }
    assert_eq!(turns[2], 0);
    // Each expects 100; fewer than 30 of 200 would be ten standard deviations off.
    assert!(turns[0] > 30 && turns[1] > 30, "{turns:?}");
}
