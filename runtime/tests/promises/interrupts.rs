//! `interrupt_with`: on the cancelling thread, at most once, never after its guard.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;

use cancel_context::private::{children, waiting};
use cancel_context::{Context, InterruptGuard};

use crate::support::calls::Calls;
use crate::support::panics;

// guarantee B11
#[test]
fn an_interrupt_runs_once_on_the_cancelling_thread() {
    let (context, canceller) = Context::background().with_cancel();
    let (sender, receiver) = mpsc::channel();
    let guard = context.interrupt_with(move || sender.send(thread::current().id()).unwrap());
    let cancelling = thread::spawn(move || {
        canceller.cancel();
        canceller.cancel();
        thread::current().id()
    });
    let id = cancelling.join().unwrap();
    assert_eq!(receiver.iter().collect::<Vec<_>>(), [id]);
    drop(guard);
}

// guarantee B11
#[test]
fn an_interrupt_at_an_ended_context_runs_before_the_registration_returns() {
    let (context, canceller) = Context::background().with_cancel();
    canceller.cancel();
    let calls = Calls::default();
    let guard = context.interrupt_with(calls.counting());
    assert_eq!((calls.count(), waiting(&context)), (1, 0));
    drop(guard);
}

// guarantee B11
#[test]
fn an_interrupt_never_runs_after_its_guard_was_dropped() {
    let (parent, canceller) = Context::background().with_cancel();
    let (context, _canceller) = parent.with_cancel();
    let calls = Calls::default();
    let guard = context.interrupt_with(calls.counting());
    let kept = context.interrupt_with(calls.counting());
    assert_eq!((waiting(&context), children(&parent)), (2, 1));
    drop(guard);
    assert_eq!((waiting(&context), children(&parent)), (1, 1));
    canceller.cancel();
    assert_eq!(calls.count(), 1);
    drop(kept);
    assert!(calls.is_free());
}

// guarantee B11
#[test]
fn dropping_the_guard_waits_for_a_run_under_way() {
    let (context, canceller) = Context::background().with_cancel();
    let (entered, is_entered) = mpsc::channel();
    let (release, is_released) = mpsc::channel::<()>();
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    let guard = context.interrupt_with(move || {
        entered.send(()).unwrap();
        is_released.recv().unwrap();
        over.store(true, SeqCst);
    });
    let cancelling = thread::spawn(move || canceller.cancel());
    is_entered.recv().unwrap();
    assert_eq!(format!("{guard:?}"), "InterruptGuard(running)");
    let dropping = thread::spawn(move || {
        drop(guard);
        assert!(is_over.load(SeqCst), "the drop returned during the run");
    });
    release.send(()).unwrap();
    dropping.join().unwrap();
    cancelling.join().unwrap();
}

// guarantee B11, B9
#[test]
fn dropping_the_guard_races_with_a_cancel_on_another_thread() {
    for _ in 0..500 {
        let (context, canceller) = Context::background().with_cancel();
        let is_dropped = Arc::new(AtomicBool::new(false));
        let dropped = Arc::clone(&is_dropped);
        let guard = context.interrupt_with(move || {
            assert!(!dropped.load(SeqCst), "it runs after its guard was dropped");
        });
        let barrier = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                barrier.wait();
                drop(guard);
                is_dropped.store(true, SeqCst);
            });
            barrier.wait();
            canceller.cancel();
        });
        assert_eq!(waiting(&context), 0);
    }
}

// guarantee B11, B9
#[test]
fn an_interrupt_may_drop_its_own_guard() {
    let (context, canceller) = Context::background().with_cancel();
    let slot = Arc::new(Mutex::new(None::<InterruptGuard>));
    let own = Arc::clone(&slot);
    let calls = Calls::default();
    let count = calls.counting();
    let guard = context.interrupt_with(move || {
        drop(own.lock().unwrap().take());
        count();
    });
    *slot.lock().unwrap() = Some(guard);
    canceller.cancel();
    assert_eq!(calls.count(), 1);
    assert!(slot.lock().unwrap().is_none());
}

// guarantee B9, B11
#[test]
fn a_guard_of_an_interrupt_that_panicked_can_be_dropped() {
    panics::watch();
    let (context, canceller) = Context::background().with_cancel();
    let guard = context.interrupt_with(|| panic!("an interrupt panics on purpose"));
    let calls = Calls::default();
    let other = context.interrupt_with(calls.counting());
    canceller.cancel();
    assert_eq!(panics::reported("an interrupt panics on purpose"), 1);
    assert_eq!(calls.count(), 1);
    thread::spawn(move || drop(guard)).join().unwrap();
    drop(other);
}

// guarantee B11
#[test]
fn an_interrupt_at_a_context_that_never_ends_does_not_run() {
    let (detached, canceller) = Context::background().with_cancel();
    let calls = Calls::default();
    let guards = [
        Context::background().interrupt_with(calls.counting()),
        detached.interrupt_with(calls.counting()),
    ];
    canceller.detach();
    assert_eq!(format!("{:?}", guards[1]), "InterruptGuard(over)");
    assert_eq!(waiting(&detached), 0);
    drop(guards);
    assert_eq!(calls.count(), 0);
    assert!(calls.is_free());
}
