//! What other threads, and a second caller, see of a cancel.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

use cancel_context::Context;
use futures::FutureExt;

use crate::support::random::Random;
use crate::support::tasks::{HandTask, poll_with};
use crate::support::wakers::ActingWaker;
use crate::support::{cause_of, end_of};

const ROUNDS: usize = 500;

/// A child of each kind, some of which others wait for.
fn descendants(context: &Context) -> Vec<Context> {
    let (child, canceller) = context.with_cancel();
    canceller.detach();
    vec![
        context.with_name("name"),
        child.with_value(1_u8),
        Context::any([Context::background(), child.clone()]),
        Context::all([child.clone(), context.clone()]),
        child.with_timeout(std::time::Duration::from_secs(3600)),
        child,
    ]
}

// guarantee B4
#[test]
fn when_cancel_has_returned_every_descendant_reports_it_on_every_thread() {
    for _ in 0..ROUNDS {
        let (context, canceller) = Context::background().with_cancel();
        let contexts = descendants(&context);
        let is_cancelled = AtomicBool::new(false);
        thread::scope(|scope| {
            for context in &contexts {
                scope.spawn(|| {
                    while !is_cancelled.load(SeqCst) {
                        std::hint::spin_loop();
                    }
                    assert_eq!(cause_of(context), "once");
                });
            }
            canceller.cancel_with("once");
            is_cancelled.store(true, SeqCst);
        });
    }
}

// guarantee B4
#[test]
fn a_second_concurrent_caller_sees_every_descendant_cancelled_too() {
    for _ in 0..ROUNDS {
        let (context, canceller) = Context::background().with_cancel();
        let contexts = descendants(&context);
        let barrier = Barrier::new(2);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    barrier.wait();
                    canceller.cancel();
                    assert!(contexts.iter().all(Context::is_cancelled));
                });
            }
        });
    }
}

/// Waits for each of them, so that they rely on being told.
fn waiting_for(contexts: &[Context]) -> Vec<impl Future> {
    let waiting = contexts.iter().map(|context| {
        let mut waiting = Box::pin(context.clone().cancelled_owned());
        assert!(waiting.as_mut().now_or_never().is_none());
        waiting
    });
    waiting.collect()
}

// guarantee B4
#[test]
fn a_second_concurrent_caller_has_told_whoever_is_waited_for() {
    for _ in 0..ROUNDS {
        let (context, canceller) = Context::background().with_cancel();
        let mut contexts = descendants(&context);
        for _ in 0..20 {
            let (deeper, canceller) = contexts[contexts.len() - 1].with_cancel();
            canceller.detach();
            contexts.extend(descendants(&deeper));
        }
        let _waiting = waiting_for(&contexts);
        let barrier = Barrier::new(2);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    barrier.wait();
                    canceller.cancel();
                    assert!(contexts.iter().all(Context::is_cancelled));
                });
            }
        });
    }
}

// guarantee B4, B8
#[test]
fn a_context_that_is_waited_for_now_and_then_is_never_missed() {
    for _ in 0..ROUNDS {
        let (context, canceller) = Context::background().with_cancel();
        let (middle, middles) = context.with_name("above").with_cancel();
        let (child, childs) = middle.with_cancel();
        let barrier = Barrier::new(3);
        thread::scope(|scope| {
            for waited_for in [&middle, &child] {
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    while !waited_for.is_cancelled() {
                        // Ended, or waited for just as long.
                        let _polled = waited_for.cancelled().now_or_never();
                    }
                });
            }
            barrier.wait();
            canceller.cancel();
            assert!(child.is_cancelled() && middle.is_cancelled());
        });
        drop((middles, childs));
    }
}

// guarantee B4
#[test]
fn a_second_caller_sees_it_while_the_first_is_held_up_by_a_waker() {
    let (context, canceller) = Context::background().with_cancel();
    let contexts = descendants(&context);
    let (entered, is_entered) = mpsc::channel();
    let (release, is_released) = mpsc::channel();
    let is_released = std::sync::Mutex::new(is_released);
    let waker = ActingWaker::on_wake(move || {
        entered.send(()).unwrap();
        is_released.lock().unwrap().recv().unwrap();
    });
    let mut waiting = Box::pin(contexts[0].clone().cancelled_owned());
    assert!(poll_with(waiting.as_mut(), &waker).is_pending());
    let first = thread::spawn({
        let canceller = canceller.clone();
        move || canceller.cancel_with("first")
    });
    is_entered.recv().unwrap();
    canceller.cancel_with("second");
    for context in &contexts {
        assert_eq!(cause_of(context), "first");
    }
    release.send(()).unwrap();
    first.join().unwrap();
}

// guarantee B4
#[test]
fn when_the_first_waker_runs_all_of_the_subtree_has_ended() {
    let (context, canceller) = Context::background().with_cancel();
    let contexts = Arc::new(descendants(&context));
    let wakes = Arc::new(AtomicUsize::new(0));
    let mut waiting = Vec::new();
    for context in contexts.iter() {
        let (contexts, wakes) = (Arc::clone(&contexts), Arc::clone(&wakes));
        let waker = ActingWaker::on_wake(move || {
            wakes.fetch_add(1, SeqCst);
            assert!(contexts.iter().all(Context::is_cancelled));
        });
        let mut future = Box::pin(context.clone().cancelled_owned());
        assert!(poll_with(future.as_mut(), &waker).is_pending());
        waiting.push(future);
    }
    canceller.cancel();
    assert_eq!(wakes.load(SeqCst), contexts.len());
}

// guarantee B4
#[test]
fn a_child_derived_while_a_cancel_is_under_way_is_cancelled() {
    for _ in 0..ROUNDS {
        let (context, canceller) = Context::background().with_cancel();
        let barrier = Barrier::new(2);
        let derived = thread::scope(|scope| {
            let deriving = scope.spawn(|| {
                barrier.wait();
                let mut derived = Vec::new();
                while !context.is_cancelled() {
                    derived.extend(descendants(&context));
                }
                derived.extend(descendants(&context));
                derived
            });
            barrier.wait();
            canceller.cancel_with("once");
            deriving.join().unwrap()
        });
        for context in derived {
            assert_eq!(cause_of(&context), "once");
        }
    }
}

// guarantee B5; the symptom: a faster error was there before the wait for the end was ready
#[test]
fn whoever_has_seen_the_end_need_not_wait_for_it() {
    for _ in 0..ROUNDS {
        let (context, canceller) = Context::background().with_cancel();
        let child = context.with_cancel();
        let barrier = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                barrier.wait();
                while child.0.err().is_none() {
                    std::hint::spin_loop();
                }
                assert!(child.0.cancelled().now_or_never().is_some());
                assert!(context.cancelled().now_or_never().is_some());
                assert!(context.cause().is_some());
            });
            barrier.wait();
            canceller.cancel();
        });
    }
}

// guarantee B4; the symptom: with a fast path for "nobody waits", a wake-up was lost
#[test]
fn whoever_begins_to_wait_during_a_cancel_is_told() {
    let mut random = Random::seeded();
    for _ in 0..4 * ROUNDS {
        let (context, canceller) = Context::background().with_cancel();
        let middle = context.with_cancel();
        let contexts = descendants(&middle.0);
        let chosen = &contexts[random.below(contexts.len())];
        let barrier = Barrier::new(3);
        let tasks = thread::scope(|scope| {
            let waiting = [chosen, &contexts[0]].map(|context| {
                let barrier = &barrier;
                scope.spawn(move || {
                    let mut task = HandTask::new(context.cancelled());
                    barrier.wait();
                    let is_ready = task.poll().is_ready();
                    (task, is_ready)
                })
            });
            barrier.wait();
            canceller.cancel();
            waiting.map(|thread| thread.join().unwrap())
        });
        for (task, was_ready) in tasks {
            assert!(was_ready || task.wakes() == 1, "a wake-up was lost");
        }
    }
}

// guarantee B4, B8; the symptom: lock order of parent and child, and an error in a linked context
// that was dropped while its source cancelled
#[test]
fn cancelling_a_parent_a_child_and_dropping_another_at_once_ends_them_all() {
    for _ in 0..ROUNDS {
        let (parent, parent_canceller) = Context::background().with_cancel();
        let (child, child_canceller) = parent.with_cancel();
        let merges = [
            Context::any([child.clone(), parent.clone()]),
            Context::any([parent.clone(), child.clone()]),
        ];
        let mut waiting = merges.map(|merge| HandTask::new(merge.cancelled_owned()));
        waiting.iter_mut().for_each(HandTask::assert_pending);
        let mut kept = HandTask::new(child.cancelled());
        kept.assert_pending();
        let barrier = Barrier::new(3);
        thread::scope(|scope| {
            let actions: [Box<dyn FnOnce() + Send>; 3] = [
                Box::new(move || parent_canceller.cancel_with("parent")),
                Box::new(move || child_canceller.cancel_with("child")),
                Box::new(move || drop(waiting)),
            ];
            for action in actions {
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    action();
                });
            }
        });
        assert_eq!(kept.wakes(), 1);
        assert_eq!(cause_of(&parent), "parent");
        let cause = cause_of(&child);
        assert!(cause == "parent" || cause == "child", "{cause}");
        assert_eq!(kept.assert_ready().cause().to_string(), cause);
    }
}

// guarantee B4; the symptom: two callbacks that dispose of each other's registration deadlock
#[test]
fn two_merges_in_opposite_order_are_cancelled_by_two_threads() {
    for _ in 0..ROUNDS {
        let pairs = [
            Context::background().with_cancel(),
            Context::background().with_cancel(),
        ];
        let [first, second] = [&pairs[0].0, &pairs[1].0];
        let merges = [
            Context::any([first.clone(), second.clone()]),
            Context::any([second.clone(), first.clone()]),
        ];
        let calls = Arc::new(AtomicUsize::new(0));
        let callbacks = merges.each_ref().map(|merge| {
            let calls = Arc::clone(&calls);
            merge.after_cancel(move || {
                calls.fetch_add(1, SeqCst);
            })
        });
        let barrier = Barrier::new(2);
        let prevented = thread::scope(|scope| {
            let threads: Vec<_> = pairs
                .iter()
                .zip(callbacks)
                .map(|((_, canceller), callback)| {
                    let barrier = &barrier;
                    scope.spawn(move || {
                        barrier.wait();
                        canceller.cancel();
                        usize::from(callback.stop())
                    })
                })
                .collect();
            let prevented = threads.into_iter().map(|thread| thread.join().unwrap());
            prevented.sum::<usize>()
        });
        assert_eq!(calls.load(SeqCst) + prevented, 2);
        assert!(merges.iter().all(|merge| end_of(merge).is_some()));
    }
}

// guarantee B4; the symptom: with lock batches of 32, a walk over many waiters was inconsistent
#[test]
fn more_waiters_than_any_batch_are_all_woken_once() {
    let (context, canceller) = Context::background().with_cancel();
    let mut tasks: Vec<_> = (0..1000)
        .map(|_| HandTask::new(context.cancelled()))
        .collect();
    tasks.iter_mut().for_each(HandTask::assert_pending);
    let barrier = Barrier::new(2);
    let mut late = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            barrier.wait();
            canceller.cancel();
        });
        barrier.wait();
        while !context.is_cancelled() {
            let mut task = HandTask::new(context.cancelled());
            let is_ready = task.poll().is_ready();
            late.push((task, is_ready));
        }
    });
    assert!(tasks.iter().all(|task| task.wakes() == 1));
    assert!(
        late.iter()
            .all(|(task, was_ready)| *was_ready || task.wakes() == 1)
    );
}
