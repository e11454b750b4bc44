//! `after_cancel`, where there is no runtime.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use cancel_context::private::{children, waiting};
use cancel_context::{AfterCancel, Context};
use futures::channel::oneshot;

use crate::support::bounds::within_bound;
use crate::support::calls::Calls;
use crate::support::{OnDrop, cause_of, end_of, panics};

const LONG: Duration = Duration::from_secs(3600);

// guarantee B11
#[test]
fn a_callback_runs_once_on_the_cancelling_thread_without_a_runtime() {
    let (context, canceller) = Context::background().with_cancel();
    let (sender, receiver) = mpsc::channel();
    let callback = context.with_name("below").after_cancel(move || {
        sender.send(thread::current().id()).unwrap();
    });
    canceller.cancel();
    canceller.cancel();
    assert_eq!(
        receiver.try_iter().collect::<Vec<_>>(),
        [thread::current().id()]
    );
    assert!(!callback.stop());
}

// guarantee B11
#[test]
fn a_callback_at_an_ended_context_runs_before_the_registration_returns() {
    let (context, canceller) = Context::background().with_cancel();
    canceller.cancel();
    let calls = Calls::default();
    let callback = context.after_cancel(calls.counting());
    assert_eq!((calls.count(), waiting(&context)), (1, 0));
    assert!(!callback.stop());
}

// guarantee B11; the symptom: a completion callback was not called on one of the ways to end
#[test]
fn a_callback_runs_on_every_way_to_end() {
    let calls = Calls::default();
    let (first, canceller) = Context::background().with_cancel();
    first.after_cancel(calls.counting());
    canceller.cancel();
    assert_eq!(calls.count(), 1);

    let (second, canceller) = Context::background().with_cancel();
    second.after_cancel(calls.counting());
    drop(canceller);
    assert_eq!(calls.count(), 2);

    let (third, mover) = Context::background().with_movable_deadline(Instant::now() + LONG);
    third.after_cancel(calls.counting());
    assert!(mover.move_to(Instant::now()));
    assert_eq!(calls.count(), 3);

    let (sender, receiver) = oneshot::channel::<&str>();
    let fourth = Context::background().with_future(async { receiver.await.unwrap() });
    fourth.after_cancel(calls.counting());
    sender.send("done").unwrap();
    assert_eq!(calls.count(), 4);

    let (parent, canceller) = Context::background().with_cancel();
    Context::any([parent.with_timeout(LONG)]).after_cancel(calls.counting());
    Context::all([parent.with_timeout(LONG), parent]).after_cancel(calls.counting());
    canceller.cancel();
    assert_eq!(calls.count(), 6);
    assert!(calls.is_free());
}

// guarantee B11; the symptom: an abort callback ran twice when two ancestors were cancelled
#[test]
fn a_callback_runs_once_though_two_ancestors_are_cancelled() {
    let (outer, outer_canceller) = Context::background().with_cancel();
    let (inner, inner_canceller) = outer.with_cancel();
    let merged = Context::any([inner.clone(), outer.clone()]);
    let calls = Calls::default();
    for context in [&merged, &inner.with_value(1_u8)] {
        context.after_cancel(calls.counting());
    }
    inner_canceller.cancel();
    outer_canceller.cancel();
    assert_eq!(calls.count(), 2);
}

// guarantee B11
#[test]
fn a_stopped_callback_is_freed_and_never_runs() {
    let (context, canceller) = Context::background().with_cancel();
    let calls = Calls::default();
    let callback = context.after_cancel(calls.counting());
    assert_eq!(waiting(&context), 1);
    assert!(callback.stop());
    assert!(calls.is_free());
    assert_eq!(waiting(&context), 0);
    canceller.cancel();
    assert_eq!(calls.count(), 0);
}

// guarantee B11
#[test]
fn stopping_one_callback_leaves_the_others() {
    let (parent, canceller) = Context::background().with_cancel();
    let (context, _canceller) = parent.with_cancel();
    let calls = Calls::default();
    let callbacks: [_; 3] = std::array::from_fn(|_| context.after_cancel(calls.counting()));
    let [first, second, third] = callbacks;
    assert!(second.stop());
    assert!(first.stop());
    drop(context);
    assert_eq!(children(&parent), 1, "the last callback keeps its context");
    canceller.cancel();
    assert_eq!(calls.count(), 1);
    assert!(!third.stop());
}

// guarantee B11
#[test]
fn dropping_the_handle_does_not_stop_a_callback() {
    let (context, canceller) = Context::background().with_cancel();
    let calls = Calls::default();
    drop(context.after_cancel(calls.counting()));
    drop(context);
    canceller.cancel();
    assert_eq!(calls.count(), 1);
}

// guarantee B11
#[test]
fn a_callback_at_a_context_that_never_ends_is_freed_at_once_and_stop_is_true() {
    let (detached, canceller) = Context::background().with_cancel();
    canceller.detach();
    let (cancellable, _canceller) = Context::background().with_cancel();
    let never = [
        Context::background(),
        Context::todo().with_name("name"),
        cancellable.without_cancel(),
        cancellable.without_cancel().with_value(1_u8),
        detached.clone(),
        Context::any([detached.clone(), Context::background()]),
        Context::all([cancellable.clone(), detached]),
        Context::background().with_timeout(Duration::MAX),
    ];
    for context in never {
        let calls = Calls::default();
        let callback = context.after_cancel(calls.counting());
        assert!(calls.is_free(), "{context:?}");
        assert!(callback.stop(), "{context:?}");
    }
    assert_eq!(children(&cancellable), 0);
}

// guarantee B11, B8
#[test]
fn a_context_that_nothing_can_end_any_more_frees_its_callbacks() {
    let (parent, parent_canceller) = Context::background().with_cancel();
    let (child, child_canceller) = parent.with_cancel();
    let calls = Calls::default();
    let contexts = [
        child.with_name("name"),
        Context::any([child.clone(), Context::background()]),
        Context::all([child.clone(), parent.clone()]),
    ];
    let callbacks = contexts
        .each_ref()
        .map(|it| it.after_cancel(calls.counting()));
    let handles = parent.handle_count();
    child_canceller.detach();
    assert_eq!(calls.kept(), 3, "the parent can still be cancelled");
    let clone = parent_canceller.clone();
    clone.detach();
    assert_eq!(calls.kept(), 3, "another canceller is left");
    drop(parent_canceller);
    assert!(calls.is_free());
    assert_eq!(waiting(&parent) + children(&parent), 0);
    assert!(parent.handle_count() < handles);
    assert!(callbacks.into_iter().all(AfterCancel::stop));
    assert_eq!(calls.count(), 0);
}

// guarantee B11
#[test]
fn all_frees_its_callbacks_when_one_source_cannot_end_and_any_when_none_can() {
    let (first, first_canceller) = Context::background().with_cancel();
    let (second, second_canceller) = Context::background().with_cancel();
    let (of_any, of_all) = (Calls::default(), Calls::default());
    Context::any([first.clone(), second.clone()]).after_cancel(of_any.counting());
    Context::all([first, second]).after_cancel(of_all.counting());
    first_canceller.detach();
    assert_eq!((of_any.is_free(), of_all.is_free()), (false, true));
    second_canceller.detach();
    assert!(of_any.is_free());
    assert_eq!((of_any.count(), of_all.count()), (0, 0));
}

// guarantee B11
#[test]
fn what_can_still_end_a_context_keeps_its_callbacks() {
    let (parent, canceller) = Context::background().with_cancel();
    let (sender, receiver) = oneshot::channel::<&str>();
    let contexts = [
        parent.with_timeout(LONG),
        parent.with_movable_deadline(Instant::now() + LONG).0,
        parent.with_future(async { receiver.await.unwrap_or("dropped") }),
        parent.clone(),
    ];
    let calls: [Calls; 4] = std::array::from_fn(|_| Calls::default());
    for (context, calls) in contexts.iter().zip(&calls) {
        context.after_cancel(calls.counting());
    }
    canceller.detach();
    assert_eq!(
        calls.each_ref().map(Calls::is_free),
        [false, false, false, true]
    );
    sender.send("done").unwrap();
    assert_eq!(calls.each_ref().map(Calls::count), [0, 0, 1, 0]);
}

// guarantee B11
#[test]
fn a_source_that_panicked_frees_the_callbacks_that_waited_for_it() {
    panics::watch();
    let (sender, receiver) = oneshot::channel::<()>();
    let context = Context::background().with_future(async {
        receiver.await.unwrap();
        panics::breaks("a source breaks on purpose")
    });
    let calls = Calls::default();
    let callback = context.after_cancel(calls.counting());
    sender.send(()).unwrap();
    assert!(calls.is_free());
    assert!(callback.stop());
    assert_eq!(end_of(&context), None);
}

// guarantee B9, B11
#[test]
fn callbacks_may_stop_each_other_and_themselves_from_two_threads() {
    within_bound(
        "callbacks may stop each other and themselves from two threads",
        || {
            for _ in 0..200 {
                let pairs = [
                    Context::background().with_cancel(),
                    Context::background().with_cancel(),
                ];
                let handles: [Arc<Mutex<Option<AfterCancel>>>; 2] =
                    std::array::from_fn(|_| Arc::default());
                let barrier = Arc::new(Barrier::new(2));
                for (number, (context, _)) in pairs.iter().enumerate() {
                    let (other, barrier) = (Arc::clone(&handles[1 - number]), Arc::clone(&barrier));
                    let callback = context.after_cancel(move || {
                        barrier.wait();
                        let other = other.lock().unwrap().take();
                        assert!(!other.unwrap().stop(), "it is running");
                    });
                    *handles[number].lock().unwrap() = Some(callback);
                }
                thread::scope(|scope| {
                    for (_, canceller) in &pairs {
                        scope.spawn(|| canceller.cancel());
                    }
                });
                assert!(
                    handles
                        .iter()
                        .all(|handle| handle.lock().unwrap().is_none())
                );
            }
        },
    );
}

// guarantee B11; the symptom: an unregistration that waits for its callback holds up the caller
#[test]
fn stop_does_not_wait_for_a_run_under_way() {
    let (context, canceller) = Context::background().with_cancel();
    let (entered, is_entered) = mpsc::channel();
    let (release, is_released) = mpsc::channel::<()>();
    let callback = context.after_cancel(move || {
        entered.send(()).unwrap();
        is_released.recv().unwrap();
    });
    let cancelling = thread::spawn(move || canceller.cancel());
    is_entered.recv().unwrap();
    assert!(!callback.stop());
    release.send(()).unwrap();
    cancelling.join().unwrap();
}

// guarantee B11; the symptom: a callback ran although its registration had been disposed while
// another one was running
#[test]
fn a_callback_stopped_while_another_one_runs_does_not_run() {
    let (context, canceller) = Context::background().with_cancel();
    let calls = Calls::default();
    let next = Arc::new(Mutex::new(None::<AfterCancel>));
    let (stopped, others) = (Arc::new(AtomicBool::new(false)), Arc::clone(&next));
    let said = Arc::clone(&stopped);
    context.after_cancel(move || {
        let next = others.lock().unwrap().take().unwrap();
        said.store(next.stop(), SeqCst);
    });
    *next.lock().unwrap() = Some(context.after_cancel(calls.counting()));
    canceller.cancel();
    assert!(stopped.load(SeqCst));
    assert_eq!(calls.count(), 0);
    assert!(calls.is_free());
}

// guarantee B9
#[test]
fn a_stopped_function_may_use_the_tree_while_it_is_dropped() {
    within_bound(
        "a stopped function may use the tree while it is dropped",
        || {
            let (context, canceller) = Context::background().with_cancel();
            let (inner, watched) = (canceller.clone(), context.clone());
            let on_drop = OnDrop::new(move || {
                inner.cancel_with("from a drop");
                assert_eq!(cause_of(&watched), "from a drop");
            });
            let callback = context.after_cancel(move || drop(on_drop));
            assert!(callback.stop());
            assert_eq!(cause_of(&context), "from a drop");
        },
    );
}
