//! Contexts that end when a future completes.

use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use cancel_context::private::children;
use cancel_context::{Context, Kind, Origin};
use futures::channel::oneshot;

use crate::support::bounds::within_bound;
use crate::support::tasks::HandTask;
use crate::support::{OnDrop, cause_of, end_of, panics};

// guarantee B2
#[test]
fn a_future_that_is_ready_ends_the_context_before_the_constructor_returns() {
    let line = line!() + 1;
    let context = Context::background().with_future(async { "closed" });
    assert_eq!(end_of(&context), Some((Kind::Cancelled, "closed".into())));
    let cancelled = context.check().unwrap_err();
    assert!(matches!(cancelled.origin(), Origin::Completed(place) if place.line() == line));
}

// guarantee B2, B4
#[test]
fn a_future_that_completes_later_ends_the_context_and_wakes_who_waits() {
    let (sender, receiver) = oneshot::channel::<&str>();
    let context = Context::background().with_future(async { receiver.await.unwrap() });
    let child = context.with_name("child");
    let mut task = HandTask::new(child.cancelled());
    task.assert_pending();
    assert_eq!(end_of(&context), None);
    sender.send("closed").unwrap();
    assert_eq!(task.wakes(), 1);
    assert_eq!(cause_of(&context), "closed");
    assert_eq!(task.assert_ready().cause().to_string(), "closed");
}

// guarantee B5
#[test]
fn the_first_of_a_completion_and_a_cancel_above_is_the_cause() {
    for completes_first in [true, false] {
        let (parent, canceller) = Context::background().with_cancel();
        let (sender, receiver) = oneshot::channel::<&str>();
        let context = parent.with_future(async { receiver.await.unwrap_or("dropped") });
        if completes_first {
            sender.send("completed").unwrap();
            canceller.cancel_with("cancelled");
        } else {
            canceller.cancel_with("cancelled");
            sender.send("completed").unwrap_or_default();
        }
        let expected = if completes_first {
            "completed"
        } else {
            "cancelled"
        };
        assert_eq!(cause_of(&context), expected);
        assert_eq!(cause_of(&parent), "cancelled");
    }
}

// guarantee B5
#[test]
fn a_future_under_an_ended_parent_changes_nothing() {
    let (parent, canceller) = Context::background().with_cancel();
    canceller.cancel_with("parent");
    for context in [
        parent.with_future(async { "ready" }),
        parent.with_future(pending::<&str>()),
    ] {
        assert_eq!(cause_of(&context), "parent");
    }
}

// guarantee B2
#[test]
fn a_future_that_wakes_itself_while_it_is_polled_is_polled_again() {
    let mut polls = 0;
    let context = Context::background().with_future(poll_fn(move |task| {
        polls += 1;
        if polls == 4 {
            return Poll::Ready("fourth");
        }
        task.waker().wake_by_ref();
        Poll::Pending
    }));
    assert_eq!(cause_of(&context), "fourth");
}

// guarantee B8
#[test]
fn the_future_is_dropped_with_the_context_and_when_it_has_completed() {
    let value = Arc::new(());
    let held = Arc::clone(&value);
    let context = Context::background().with_future(async move {
        pending::<()>().await;
        drop(held);
        "never"
    });
    let child = context.with_name("child");
    drop(context);
    assert_eq!(Arc::strong_count(&value), 2);
    drop(child);
    assert_eq!(Arc::strong_count(&value), 1);

    let (sender, receiver) = oneshot::channel::<&str>();
    let held = Arc::clone(&value);
    let context = Context::background().with_future(async move {
        let closed = receiver.await.unwrap();
        drop(held);
        closed
    });
    sender.send("done").unwrap();
    assert_eq!(Arc::strong_count(&value), 1, "{context:?}");
}

// guarantee B8
#[test]
fn a_future_woken_after_its_context_has_ended_is_dropped_unfinished() {
    let (parent, canceller) = Context::background().with_cancel();
    let waker = Arc::new(Mutex::new(None::<Waker>));
    let polls = Arc::new(AtomicUsize::new(0));
    let (stored, counted) = (Arc::clone(&waker), Arc::clone(&polls));
    let context = parent.with_future(poll_fn(move |task| {
        counted.fetch_add(1, SeqCst);
        *stored.lock().unwrap() = Some(task.waker().clone());
        Poll::<&str>::Pending
    }));
    canceller.cancel_with("parent");
    let woken = waker.lock().unwrap().take().unwrap();
    woken.wake_by_ref();
    assert_eq!(Arc::strong_count(&polls), 1, "the future is gone");
    let seen = polls.load(SeqCst);
    woken.wake();
    assert_eq!(polls.load(SeqCst), seen);
    assert_eq!(cause_of(&context), "parent");
}

// guarantee B8; the symptom: what was kept for a cancelled token stayed until the token was dropped
#[test]
fn a_context_that_is_kept_after_its_end_does_not_keep_the_future() {
    let (parent, canceller) = Context::background().with_cancel();
    let value = Arc::new(());
    let held = Arc::clone(&value);
    let context = parent.with_future(async move {
        pending::<()>().await;
        drop(held);
        "never"
    });
    canceller.cancel();
    assert!(context.is_cancelled());
    assert_eq!(Arc::strong_count(&value), 1);
}

// guarantee B9
#[test]
fn a_future_that_panics_leaves_the_context_alive_and_is_reported() {
    panics::watch();
    let (parent, canceller) = Context::background().with_cancel();
    let (sender, receiver) = oneshot::channel::<()>();
    let context = parent.with_future(async move {
        receiver.await.unwrap();
        panics::breaks("a source panics on purpose")
    });
    sender.send(()).unwrap();
    assert_eq!(panics::reported("a source panics on purpose"), 1);
    assert_eq!(end_of(&context), None);
    canceller.cancel_with("parent");
    assert_eq!(cause_of(&context), "parent");
}

// guarantee B9
#[test]
fn the_future_may_use_the_tree_while_it_is_polled_and_dropped() {
    within_bound(
        "the future may use the tree while it is polled and dropped",
        || {
            let (parent, canceller) = Context::background().with_cancel();
            let seen = Arc::new(Mutex::new(Vec::new()));
            let (noted, watched) = (Arc::clone(&seen), parent.clone());
            let on_drop = OnDrop::new(move || noted.lock().unwrap().push(cause_of(&watched)));
            let inner = canceller.clone();
            let context = parent.with_future(async move {
                let _on_drop = on_drop;
                inner.cancel_with("from inside");
                pending::<&str>().await
            });
            assert_eq!(cause_of(&context), "from inside");
            assert_eq!(*seen.lock().unwrap(), ["from inside"]);
        },
    );
}

// guarantee B2
#[test]
fn a_wake_from_another_thread_during_the_poll_is_not_lost() {
    let mut polls = 0;
    let context = Context::background().with_future(poll_fn(move |task| {
        polls += 1;
        if polls == 2 {
            return Poll::Ready("woken");
        }
        let waker = task.waker().clone();
        std::thread::spawn(move || waker.wake()).join().unwrap();
        Poll::Pending
    }));
    assert_eq!(cause_of(&context), "woken");
}

// guarantee B2
#[cfg(feature = "tokio")]
#[tokio::test]
async fn on_a_runtime_the_future_is_polled_by_a_task_when_it_wakes() {
    let (sender, receiver) = oneshot::channel::<&str>();
    let context = Context::background().with_future(async {
        let text = receiver.await.unwrap();
        assert!(tokio::task::try_id().is_some(), "polled within a task");
        text
    });
    let mutex = Mutex::new(());
    {
        let _held = mutex.lock().unwrap();
        sender.send("closed").unwrap();
        assert_eq!(end_of(&context), None, "not by the one who wakes");
    }
    assert_eq!(context.cancelled().await.cause().to_string(), "closed");
}

// guarantee B2
#[cfg(feature = "tokio")]
#[test]
fn a_future_whose_runtime_is_gone_is_polled_by_whoever_wakes_it() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let (sender, receiver) = oneshot::channel::<&str>();
    let context = {
        let _entered = runtime.enter();
        Context::background().with_future(async { receiver.await.unwrap() })
    };
    drop(runtime);
    sender.send("late").unwrap();
    assert_eq!(cause_of(&context), "late");
}

// guarantee B8
#[test]
fn a_context_with_a_future_that_is_dropped_leaves_nothing_at_its_parent() {
    let (parent, _canceller) = Context::background().with_cancel();
    let below = parent.with_timeout(Duration::from_secs(60));
    let context = below.with_future(pending::<&str>());
    assert_eq!((children(&parent), children(&below)), (1, 1));
    drop(context);
    assert_eq!((children(&parent), children(&below)), (0, 0));
}
