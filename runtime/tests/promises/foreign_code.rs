//! Wakers, callbacks and destructors that call back, block or panic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread;

use cancel_context::Context;
use cancel_context::private::{children, waiting};
use futures::FutureExt;

use crate::support::foreign::{use_the_tree, watched};
use crate::support::tasks::{HandTask, poll_with};
use crate::support::wakers::{ActingWaker, CountingWaker};
use crate::support::{OnDrop, cause_of, panics};

type MakeWaker = fn(Box<dyn Fn() + Send + Sync>) -> Waker;

fn kinds() -> [(&'static str, MakeWaker); 3] {
    [
        ("clone", |act| ActingWaker::on_clone(act)),
        ("wake", |act| ActingWaker::on_wake(act)),
        ("drop", |act| ActingWaker::on_drop(act)),
    ]
}

// guarantee B9; the symptom: a waker that was cloned, replaced or dropped under the state's lock
// deadlocked when it called back
#[test]
fn a_waker_may_use_the_tree_when_it_is_cloned_woken_or_dropped() {
    for (name, make) in kinds() {
        for waits_at_child in [true, false] {
            let (parent, child, canceller, child_canceller) = watched();
            let calls = Arc::new(AtomicUsize::new(0));
            let (counted, context, inner) = (Arc::clone(&calls), parent.clone(), canceller.clone());
            let waker = make(Box::new(move || {
                counted.fetch_add(1, SeqCst);
                use_the_tree(&context, &inner);
            }));
            let place = if waits_at_child { &child } else { &parent };
            let mut future = Box::pin(place.cancelled());
            drop(poll_with(future.as_mut(), &waker));
            drop(poll_with(future.as_mut(), &CountingWaker::new().waker()));
            drop(poll_with(future.as_mut(), &waker));
            child_canceller.cancel();
            canceller.cancel();
            assert!(future.now_or_never().is_some());
            drop(waker);
            assert!(calls.load(SeqCst) > 0, "{name}");
            assert_eq!(
                [waiting(&parent), children(&parent), children(&child)],
                [0; 3],
                "{name}"
            );
        }
    }
}

// guarantee B9
#[test]
fn a_waker_may_use_the_tree_when_its_waiter_is_dropped() {
    let (parent, child, canceller, _child_canceller) = watched();
    let (context, inner) = (parent.clone(), canceller.clone());
    let waker = ActingWaker::on_drop(move || use_the_tree(&context, &inner));
    let mut future = Box::pin(child.cancelled());
    assert!(poll_with(future.as_mut(), &waker).is_pending());
    drop(future);
    assert_eq!(cause_of(&child), "from foreign code");
    assert_eq!(children(&parent), 0);
}

// guarantee B9
#[test]
fn a_waker_of_a_scope_may_use_the_tree() {
    for (name, make) in kinds() {
        let (parent, child, canceller, _child_canceller) = watched();
        let (context, inner) = (parent.clone(), canceller.clone());
        let waker = make(Box::new(move || use_the_tree(&context, &inner)));
        let mut future = Box::pin(child.run(std::future::pending::<()>()));
        let first = poll_with(future.as_mut(), &waker);
        canceller.cancel();
        let result = match first {
            Poll::Ready(result) => result,
            Poll::Pending => future.now_or_never().unwrap(),
        };
        assert!(result.is_err(), "{name}");
    }
}

// guarantee B9; the symptom: the tree's mutex was held while wakers ran, and a bounded queue between
// threads deadlocked
#[test]
fn a_waker_may_block_until_another_thread_has_used_the_same_context() {
    let (parent, child, canceller, child_canceller) = watched();
    let (ask, asked) = mpsc::sync_channel::<()>(0);
    let (answer, answered) = mpsc::sync_channel::<()>(0);
    let answered = Mutex::new(answered);
    let waker = ActingWaker::on_wake(move || {
        ask.send(()).unwrap();
        answered.lock().unwrap().recv().unwrap();
    });
    let mut future = Box::pin(child.cancelled());
    assert!(poll_with(future.as_mut(), &waker).is_pending());
    let users = [(&parent, &canceller), (&child, &child_canceller)];
    thread::scope(|scope| {
        scope.spawn(move || {
            asked.recv().unwrap();
            for (context, canceller) in users {
                use_the_tree(context, canceller);
            }
            answer.send(()).unwrap();
        });
        canceller.cancel_with("blocked");
    });
    assert_eq!(cause_of(&child), "blocked");
}

// guarantee B9
#[test]
fn a_panicking_waker_stops_no_other_and_is_reported() {
    panics::watch();
    let (parent, child, canceller, _child_canceller) = watched();
    let mut before = HandTask::new(child.cancelled());
    before.assert_pending();
    let panicking = ActingWaker::on_wake(|| panic!("a waker panics on purpose"));
    let mut future = Box::pin(child.cancelled());
    assert!(poll_with(future.as_mut(), &panicking).is_pending());
    let mut after = HandTask::new(parent.cancelled());
    after.assert_pending();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    parent.after_cancel(move || {
        counted.fetch_add(1, SeqCst);
    });
    canceller.cancel();
    assert_eq!(panics::reported("a waker panics on purpose"), 1);
    assert_eq!((before.wakes(), after.wakes()), (1, 1));
    #[cfg(not(feature = "tokio"))]
    assert_eq!(calls.load(SeqCst), 1);
    assert!(future.now_or_never().is_some());
    assert_eq!(
        cause_of(&parent.with_name("later")),
        "context canceled",
        "nothing is poisoned"
    );
}

// guarantee B9
#[test]
fn a_panicking_callback_stops_no_other_and_is_reported() {
    panics::watch();
    let (parent, child, canceller, _child_canceller) = watched();
    let calls = Arc::new(AtomicUsize::new(0));
    let mut task = HandTask::new(child.cancelled());
    task.assert_pending();
    for context in [&parent, &child] {
        let counted = Arc::clone(&calls);
        context.after_cancel(move || {
            counted.fetch_add(1, SeqCst);
        });
        context.after_cancel(|| panic!("a callback panics on purpose"));
        let counted = Arc::clone(&calls);
        context.after_cancel(move || {
            counted.fetch_add(1, SeqCst);
        });
    }
    canceller.cancel();
    assert_eq!(calls.load(SeqCst), 4);
    assert_eq!(task.wakes(), 1);
    assert_eq!(panics::reported("a callback panics on purpose"), 2);
    assert_eq!(Arc::strong_count(&calls), 1);
}

// guarantee B9
#[test]
fn a_panic_whose_payload_panics_when_dropped_stops_no_other() {
    panics::watch();
    let (context, canceller) = Context::background().with_cancel();
    context.after_cancel(|| {
        let payload = OnDrop::new(|| panic!("a payload panics on purpose"));
        std::panic::panic_any(payload);
    });
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    context.after_cancel(move || {
        counted.fetch_add(1, SeqCst);
    });
    canceller.cancel();
    assert_eq!(panics::reported("a payload panics on purpose"), 1);
    assert_eq!(calls.load(SeqCst), 1);
}

// guarantee B9, B8
#[test]
fn a_waker_that_panics_when_it_is_cloned_leaves_nothing_registered() {
    panics::watch();
    let (parent, child, canceller, _child_canceller) = watched();
    let waker = ActingWaker::on_clone(|| panic!("a clone panics on purpose"));
    let mut future = Box::pin(child.cancelled());
    let polled = catch_unwind(AssertUnwindSafe(|| poll_with(future.as_mut(), &waker)));
    assert!(polled.is_err());
    assert_eq!((waiting(&child), children(&parent)), (0, 0));
    let mut task = HandTask::new(child.cancelled());
    task.assert_pending();
    canceller.cancel();
    assert_eq!(task.wakes(), 1);
    assert!(future.now_or_never().is_some());
}

// guarantee B9, B8
#[test]
fn a_waker_that_panics_when_it_is_dropped_leaves_nothing_linked() {
    panics::watch();
    let (parent, child, _canceller, _child_canceller) = watched();
    let waker = ActingWaker::on_drop(|| panic!("a drop panics on purpose"));
    let mut future = Box::pin(child.cancelled());
    assert!(poll_with(future.as_mut(), &waker).is_pending());
    std::mem::forget(waker);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(future))).is_err());
    assert_eq!((waiting(&child), children(&parent)), (0, 0));
}

// guarantee B9
#[test]
fn a_callback_may_use_the_tree_and_end_what_is_above_it() {
    let (parent, child, canceller, child_canceller) = watched();
    let (context, inner) = (child.clone(), canceller.clone());
    let guard = child.interrupt_with(move || use_the_tree(&context, &inner));
    let (context, inner) = (parent.clone(), canceller.clone());
    child.after_cancel(move || {
        context.after_cancel(move || use_the_tree(&Context::background().with_cancel().0, &inner));
    });
    child_canceller.cancel_with("child");
    assert_eq!(cause_of(&child), "child");
    assert_eq!(cause_of(&parent), "from foreign code");
    drop(guard);
}
