//! What a panic of a waker or a callback leaves as it was. Where else they may call back, block or panic, is
//! in `foreign_wakers`, `foreign_functions` and `foreign_values`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use cancel_context::Context;
use cancel_context::private::{children, waiting};
use futures::FutureExt;

use crate::support::bounds::within_bound;
use crate::support::foreign::{use_the_tree, watched};
use crate::support::tasks::{HandTask, poll_with};
use crate::support::wakers::ActingWaker;
use crate::support::{OnDrop, cause_of, panics};

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
    within_bound(
        "a callback may use the tree and end what is above it",
        || {
            let (parent, child, canceller, child_canceller) = watched();
            let (context, inner) = (child.clone(), canceller.clone());
            let guard = child.interrupt_with(move || use_the_tree(&context, &inner));
            let (context, inner) = (parent.clone(), canceller.clone());
            child.after_cancel(move || {
                context.after_cancel(move || {
                    use_the_tree(&Context::background().with_cancel().0, &inner);
                });
            });
            child_canceller.cancel_with("child");
            assert_eq!(cause_of(&child), "child");
            assert_eq!(cause_of(&parent), "from foreign code");
            drop(guard);
        },
    );
}
