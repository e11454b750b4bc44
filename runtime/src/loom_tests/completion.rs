//! A future whose completion ends a context, woken while the context ends otherwise, or goes.
//!
//! 3 preemptions, 2 with three threads; 2 s of one core.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, Waker};

use loom::sync::atomic::{AtomicUsize, Ordering};

use super::{Waiting, assert_left, check, race, race_three};
use crate::context::Context;
use crate::sync::Mutex;

/// What a future waits for: that `done` is `of`.
struct Events {
    of: usize,
    done: AtomicUsize,
    waker: Mutex<Option<Waker>>,
    polling: AtomicUsize,
}

impl Events {
    fn new(of: usize) -> Arc<Self> {
        Arc::new(Self {
            of,
            done: AtomicUsize::new(0),
            waker: Mutex::new(None),
            polling: AtomicUsize::new(0),
        })
    }

    fn happen(&self) {
        // Release: pairs with the Acquire load in `poll`.
        self.done.fetch_add(1, Ordering::Release);
        let waker = self.waker.lock().clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Ready when all of its events have happened.
struct Source(Arc<Events>);

impl Drop for Source {
    fn drop(&mut self) {
        let polls = self.0.polling.fetch_add(1, Ordering::Relaxed);
        assert_eq!(polls, 0, "it is dropped while it is polled");
    }
}

impl Future for Source {
    type Output = &'static str;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<&'static str> {
        let events = &self.0;
        let others = events.polling.fetch_add(1, Ordering::Relaxed);
        assert_eq!(others, 0, "it is polled twice at a time");
        let previous = events.waker.lock().replace(task.waker().clone());
        drop(previous);
        let is_done = events.done.load(Ordering::Acquire) == events.of;
        events.polling.fetch_sub(1, Ordering::Relaxed);
        if is_done {
            Poll::Ready("completed")
        } else {
            Poll::Pending
        }
    }
}

fn attach(parent: &Context, events: &Arc<Events>) -> Context {
    parent.with_future(Source(Arc::clone(events)))
}

#[test]
fn a_context_whose_future_completes_while_its_parent_is_cancelled_ends_for_one_reason() {
    check(3, || {
        let (parent, canceller) = Context::background().with_cancel();
        let events = Events::new(1);
        let ctx = attach(&parent, &events);
        let mut waiting = Waiting::on(&ctx);
        let (happens, looks_at) = (Arc::clone(&events), ctx.clone());
        let ((), seen) = race(
            move || canceller.cancel_with("cancelled"),
            move || {
                happens.happen();
                looks_at.cause()
            },
        );
        let cause = ctx.cause().expect("it has ended");
        assert!(seen.is_none_or(|seen| Arc::ptr_eq(&seen, &cause)));
        waiting.assert_told();
        drop(waiting);
        assert_left(&ctx);
        assert_left(&parent);
        drop(events.waker.lock().take());
        assert_eq!(Arc::strong_count(&events), 1, "the future was not dropped");
    });
}

#[test]
fn a_future_that_two_wake_is_polled_after_both_and_by_one_at_a_time() {
    check(3, || {
        let (parent, _canceller) = Context::background().with_cancel();
        let events = Events::new(2);
        let ctx = attach(&parent, &events);
        let mut waiting = Waiting::on(&ctx);
        let (one, other) = (Arc::clone(&events), Arc::clone(&events));
        race(move || one.happen(), move || other.happen());
        assert!(ctx.is_cancelled(), "a wake was lost");
        assert_eq!(ctx.cause().expect("it has ended").to_string(), "completed");
        waiting.assert_told();
        drop(waiting);
        assert_left(&parent);
    });
}

#[test]
fn a_callback_that_comes_while_the_future_completes_runs_once() {
    check(3, || {
        let events = Events::new(1);
        let ctx = attach(&Context::background(), &events);
        let runs = Arc::new(AtomicUsize::new(0));
        let (of, counted) = (ctx.clone(), Arc::clone(&runs));
        race(
            move || events.happen(),
            move || {
                drop(of.after_cancel(move || {
                    counted.fetch_add(1, Ordering::Relaxed);
                }));
            },
        );
        assert!(ctx.is_cancelled());
        assert_eq!(runs.load(Ordering::Relaxed), 1);
        assert_left(&ctx);
    });
}

#[test]
fn a_future_that_two_wake_while_somebody_comes_ends_the_context_for_all() {
    check(2, || {
        let (parent, _canceller) = Context::background().with_cancel();
        let events = Events::new(2);
        let ctx = attach(&parent, &events);
        let (one, other, waited_for) = (Arc::clone(&events), Arc::clone(&events), ctx.clone());
        let ((), (), mut waiting) = race_three(
            move || one.happen(),
            move || other.happen(),
            move || Waiting::on(&waited_for),
        );
        waiting.assert_told();
        drop(waiting);
        assert_left(&ctx);
        assert_left(&parent);
    });
}

#[test]
fn a_future_that_is_woken_while_its_context_is_dropped_is_dropped_too() {
    check(3, || {
        let (parent, _canceller) = Context::background().with_cancel();
        let events = Events::new(1);
        let ctx = attach(&parent, &events);
        let (happens, drops) = (Arc::clone(&events), Arc::clone(&events));
        race(
            move || happens.happen(),
            move || {
                // Loom sees by this that it makes a difference who comes first.
                drops.done.fetch_add(0, Ordering::Relaxed);
                drop(ctx);
            },
        );
        assert_left(&parent);
        drop(events.waker.lock().take());
        assert_eq!(Arc::strong_count(&events), 1, "the future was not dropped");
    });
}
