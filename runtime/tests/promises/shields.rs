//! Work that runs to completion although its context is cancelled.

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use cancel_context::Context;
use cancel_context::private::waiting;
use futures::channel::oneshot;
use futures::future::{join, join_all};
use futures::stream::{FuturesUnordered, StreamExt};

use crate::support::OnDrop;
use crate::support::tasks::{HandTask, yields};

// guarantee A10
#[test]
fn inside_of_a_shield_neither_the_context_nor_the_current_one_is_cancelled() {
    let (context, canceller) = Context::background().with_value(7_u8).with_cancel();
    let mut task = HandTask::new(context.run(async {
        canceller.cancel();
        context
            .shield(|shielded| async move {
                yields(3).await;
                assert_eq!(Context::current(), shielded);
                assert!(!shielded.is_cancelled());
                shielded.value::<u8>().copied()
            })
            .await
    }));
    task.assert_pending();
    assert_eq!(task.run_woken().unwrap(), Some(7));
}

// guarantee A10, A11
#[test]
fn the_scope_around_a_shield_waits_for_it_and_leaves_at_the_next_await() {
    let (context, canceller) = Context::background().with_cancel();
    let (sender, receiver) = oneshot::channel::<u8>();
    let value = Rc::new(Cell::new(0));
    let seen = Rc::clone(&value);
    let mut task = HandTask::new(context.run(async {
        seen.set(context.shield(|_| receiver).await.unwrap());
        pending::<()>().await;
    }));
    task.assert_pending();
    canceller.cancel();
    task.assert_pending();
    task.assert_pending();
    sender.send(7).unwrap();
    assert!(task.run_woken().is_err());
    assert_eq!(value.get(), 7);
}

// guarantee A10; the symptom: a cancel that is delivered anew for ever to who cannot leave yet; scenario 14
#[test]
fn a_cancelled_scope_does_not_spin_while_a_shield_is_pending() {
    let (context, canceller) = Context::background().with_cancel();
    let (sender, receiver) = oneshot::channel::<()>();
    let mut task = HandTask::new(context.run(context.run(context.shield(|_| receiver))));
    task.assert_pending();
    canceller.cancel();
    for _ in 0..10 {
        task.assert_pending();
    }
    assert!(task.wakes() <= 3, "{} wakes", task.wakes());
    sender.send(()).unwrap();
    assert!(task.run_woken().is_ok());
}

// guarantee A10; scenario 7
#[test]
fn a_join_of_a_shield_and_another_waits_for_the_shield_then_both_are_gone() {
    let (context, canceller) = Context::background().with_cancel();
    let (sender, receiver) = oneshot::channel::<()>();
    let order = Rc::new(std::cell::RefCell::new(Vec::new()));
    let (first, second) = (Rc::clone(&order), Rc::clone(&order));
    let shielded = context.shield(|_| async move {
        receiver.await.unwrap();
        first.borrow_mut().push("the shield completed");
    });
    let other = async move {
        let _on_drop = OnDrop::new(move || second.borrow_mut().push("the other was dropped"));
        pending::<()>().await;
    };
    let mut task = HandTask::new(context.run(join(shielded, other)));
    task.assert_pending();
    canceller.cancel();
    task.assert_pending();
    assert!(order.borrow().is_empty());
    sender.send(()).unwrap();
    assert!(task.run_woken().is_err());
    assert_eq!(
        *order.borrow(),
        ["the shield completed", "the other was dropped"]
    );
}

// guarantee A10; scenario 29
#[test]
fn shields_in_a_set_that_polls_only_the_woken_ones_all_complete() {
    const SHIELDS: usize = 20;
    let (context, canceller) = Context::background().with_cancel();
    let completed = Rc::new(Cell::new(0));
    let (senders, receivers): (Vec<_>, Vec<_>) =
        (0..SHIELDS).map(|_| oneshot::channel::<()>()).unzip();
    let members: FuturesUnordered<_> = receivers
        .into_iter()
        .map(|receiver| {
            let completed = Rc::clone(&completed);
            context.shield(move |_| async move {
                receiver.await.unwrap();
                completed.set(completed.get() + 1);
            })
        })
        .collect();
    let mut task = HandTask::new(context.run(members.collect::<Vec<_>>()));
    task.assert_pending();
    canceller.cancel();
    for sender in senders {
        task.assert_pending();
        sender.send(()).unwrap();
    }
    assert_eq!(task.run_woken().unwrap().len(), SHIELDS);
    assert_eq!(completed.get(), SHIELDS);
}

// guarantee A10; scenario 29
#[test]
fn shields_in_a_join_of_forty_all_complete() {
    let (context, canceller) = Context::background().with_cancel();
    let completed = Rc::new(Cell::new(0));
    let (mut senders, receivers): (Vec<_>, Vec<_>) =
        (0..40).map(|_| oneshot::channel::<()>()).unzip();
    let members = receivers.into_iter().enumerate().map(|(number, receiver)| {
        let (completed, context) = (Rc::clone(&completed), &context);
        let work = async move {
            receiver.await.unwrap();
            completed.set(completed.get() + 1);
        };
        async move {
            if number % 2 == 0 {
                context.shield(|_| work).await;
            } else {
                work.await;
                pending::<()>().await;
            }
        }
    });
    let mut task = HandTask::new(context.run(join_all(members)));
    task.assert_pending();
    canceller.cancel();
    // The last first, so that the shields polled at last are not the first in the list.
    while let Some(sender) = senders.pop() {
        task.assert_pending();
        sender.send(()).unwrap();
    }
    assert!(task.run_woken().is_err());
    assert_eq!(completed.get(), 40);
}

// guarantee A10
#[test]
fn a_shield_that_was_dropped_holds_nothing_up() {
    let (context, canceller) = Context::background().with_cancel();
    let mut task = HandTask::new(context.run(async {
        let mut shield = Box::pin(context.shield(|_| pending::<()>()));
        futures::future::select(&mut shield, Box::pin(yields(1))).await;
        drop(shield);
        pending::<()>().await;
    }));
    task.assert_pending();
    task.assert_pending();
    canceller.cancel();
    assert!(task.run_woken().is_err());
}

// guarantee A10
#[test]
fn a_shield_of_one_task_does_not_hold_up_another() {
    let (context, canceller) = Context::background().with_cancel();
    let mut shielded = HandTask::new(context.run(context.shield(|_| pending::<()>())));
    let mut other = HandTask::new(context.run(pending::<()>()));
    shielded.assert_pending();
    other.assert_pending();
    canceller.cancel();
    shielded.assert_pending();
    assert!(other.run_woken().is_err());
}

// guarantee A10
#[test]
fn an_inner_scope_leaves_although_a_shield_beside_it_is_pending() {
    let (context, canceller) = Context::background().with_cancel();
    let (sender, receiver) = oneshot::channel::<()>();
    let has_left = Rc::new(Cell::new(false));
    let left = Rc::clone(&has_left);
    let (child, _child_canceller) = context.with_cancel();
    let inner = async {
        assert!(child.run(pending::<()>()).await.is_err());
        left.set(true);
    };
    let mut task = HandTask::new(context.run(join(context.shield(|_| receiver), inner)));
    task.assert_pending();
    canceller.cancel();
    task.assert_pending();
    assert!(has_left.get());
    sender.send(()).unwrap();
    assert!(task.run_woken().is_ok());
}

// guarantee A10
#[test]
fn a_shield_within_a_shield_is_waited_for_by_the_scope_between_them() {
    let (context, canceller) = Context::background().with_cancel();
    let (sender, receiver) = oneshot::channel::<u8>();
    let (inner_cancellers, kept) = std::sync::mpsc::channel();
    let mut task = HandTask::new(context.run(context.shield(|outer| async move {
        let (inner, inner_canceller) = outer.with_cancel();
        inner_cancellers.send(inner_canceller).unwrap();
        inner.run(inner.shield(|_| receiver)).await
    })));
    task.assert_pending();
    canceller.cancel();
    kept.recv().unwrap().cancel();
    task.assert_pending();
    sender.send(7).unwrap();
    assert_eq!(task.run_woken().unwrap().unwrap(), Ok(7));
    assert_eq!(waiting(&context), 0);
}

// guarantee A10
#[test]
fn a_shield_does_not_hold_against_being_dropped() {
    let (context, canceller) = Context::background().with_cancel();
    let is_dropped = Cell::new(false);
    let mut task = HandTask::new(context.shield(|_| async {
        let _on_drop = OnDrop::new(|| is_dropped.set(true));
        pending::<()>().await;
    }));
    task.assert_pending();
    drop(task);
    assert!(is_dropped.get());
    canceller.cancel();
}

// guarantee A10
#[test]
fn a_shield_with_a_timeout_of_zero_drops_its_work() {
    let (context, canceller) = Context::background().with_cancel();
    canceller.cancel();
    let mut task = HandTask::new(context.shield_with_timeout(Duration::ZERO, |_| pending::<()>()));
    assert!(task.assert_ready().unwrap_err().is_timeout());
    let long = Duration::from_secs(3600);
    let mut task = HandTask::new(context.shield_with_timeout(long, |inner| async move {
        yields(1).await;
        inner.deadline().is_some() && !inner.is_cancelled()
    }));
    task.assert_pending();
    assert!(task.run_woken().unwrap());
}

// guarantee A10; the symptom: a handler dropped at disconnect gave a half-done exchange to a pool
#[test]
fn clean_up_under_a_shield_runs_to_its_end_when_the_scope_is_cancelled() {
    let (context, canceller) = Context::background().with_cancel();
    let steps = Rc::new(Cell::new(0));
    let counted = Rc::clone(&steps);
    let mut task = HandTask::new(context.run(async {
        let exchange = context.with_name("exchange").run(pending::<()>()).await;
        assert!(exchange.is_err());
        let clean_up = context.shield(|_| async {
            for _ in 0..5 {
                yields(1).await;
                counted.set(counted.get() + 1);
            }
        });
        clean_up.await;
    }));
    task.assert_pending();
    canceller.cancel();
    assert!(task.run_woken().is_ok());
    assert_eq!(steps.get(), 5);
}
