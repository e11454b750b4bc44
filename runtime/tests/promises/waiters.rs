//! Registering, replacing and removing wakers, and the links that waiting makes in the tree.

use std::mem;
use std::sync::Arc;
use std::thread;

use cancel_context::Context;
use cancel_context::private::{children, waiting};
use futures::FutureExt;
use futures::stream::{FuturesUnordered, StreamExt};

use crate::support::tasks::{HandTask, poll_with};
use crate::support::wakers::CountingWaker;
use crate::support::{cause_of, end_of};

// guarantee B4
#[test]
fn a_waiter_is_woken_once_and_then_ready() {
    let (context, canceller) = Context::background().with_cancel();
    let mut task = HandTask::new(context.cancelled());
    task.assert_pending();
    assert_eq!(waiting(&context), 1);
    canceller.cancel_with("once");
    canceller.cancel_with("twice");
    assert_eq!((task.wakes(), waiting(&context)), (1, 0));
    assert_eq!(task.assert_ready().cause().to_string(), "once");
}

// guarantee B4
#[test]
fn a_waiter_at_an_ended_context_is_ready_at_once_and_registers_nothing() {
    let (context, canceller) = Context::background().with_cancel();
    canceller.cancel();
    let mut task = HandTask::new(context.cancelled());
    task.assert_ready();
    assert_eq!((task.counter().clones(), waiting(&context)), (0, 0));
}

// guarantee B8
#[test]
fn polling_again_registers_nothing_more() {
    let (context, _canceller) = Context::background().with_cancel();
    let mut task = HandTask::new(context.cancelled());
    for _ in 0..100 {
        task.assert_pending();
    }
    assert_eq!(waiting(&context), 1);
    assert_eq!(task.counter().clones(), 1);
    assert_eq!(task.wakes(), 0);
}

// guarantee B4; the symptom: a changed waker was not stored, and the task never woken after it moved
#[test]
fn the_waker_of_the_last_poll_is_the_one_that_is_woken() {
    let (context, canceller) = Context::background().with_cancel();
    let counters: [_; 5] = std::array::from_fn(|_| CountingWaker::new());
    let mut future = Box::pin(context.cancelled());
    for counter in &counters {
        assert!(poll_with(future.as_mut(), &counter.waker()).is_pending());
        assert_eq!(waiting(&context), 1);
    }
    // The symptom here: the old waker leaked when the task migrated.
    for old in &counters[..4] {
        assert_eq!(old.alive(), 0);
    }
    canceller.cancel();
    assert_eq!(counters.each_ref().map(|it| it.wakes()), [0, 0, 0, 0, 1]);
    assert_eq!(counters[4].alive(), 0);
}

// guarantee B8; the symptom: the waker of a finished or lost waiter pinned the memory of its task
#[test]
fn a_dropped_waiter_takes_its_waker_along() {
    let (context, canceller) = Context::background().with_cancel();
    let mut first = HandTask::new(context.cancelled());
    let mut second = HandTask::new(context.cancelled());
    first.assert_pending();
    second.assert_pending();
    let counter = Arc::clone(first.counter());
    drop(first);
    assert_eq!(counter.alive(), 0);
    assert_eq!(waiting(&context), 1);
    canceller.cancel();
    assert_eq!((counter.wakes(), second.wakes()), (0, 1));
}

// guarantee B8
#[test]
fn a_waiter_that_is_forgotten_is_a_leak_at_most() {
    let (parent, canceller) = Context::background().with_cancel();
    let child = parent.with_cancel();
    let mut task = HandTask::new(child.0.clone().cancelled_owned());
    task.assert_pending();
    let counter = Arc::clone(task.counter());
    mem::forget(task.into_future());
    canceller.cancel_with("parent");
    assert_eq!(counter.wakes(), 1);
    assert_eq!(cause_of(&child.0), "parent");
}

// guarantee B8
#[test]
fn waiting_below_links_each_context_that_can_end_by_itself() {
    let (root, _root_canceller) = Context::background().with_cancel();
    let (middle, _canceller) = root.with_name("name").with_value(1_u8).with_cancel();
    let leaf = middle
        .with_timeout(std::time::Duration::from_secs(3600))
        .with_name("leaf");
    let counts = || [children(&root), children(&middle), waiting(&leaf)];
    assert_eq!(counts(), [0, 0, 0]);
    let mut tasks = [&leaf, &leaf].map(|leaf| HandTask::new(leaf.cancelled()));
    for task in &mut tasks {
        task.assert_pending();
    }
    assert_eq!(counts(), [1, 1, 2]);
    assert_eq!(waiting(&root), 0);
    let [first, second] = tasks;
    drop(first);
    assert_eq!(counts(), [1, 1, 1]);
    drop(second);
    assert_eq!(counts(), [0, 0, 0]);
}

// guarantee B8
#[test]
fn a_link_goes_with_the_last_who_waits_at_or_below_a_context() {
    let (root, _root_canceller) = Context::background().with_cancel();
    let (middle, _middle_canceller) = root.with_cancel();
    let (leaf, leaf_canceller) = middle.with_cancel();
    let mut at_leaf = HandTask::new(leaf.cancelled());
    let mut at_middle = HandTask::new(middle.cancelled());
    at_leaf.assert_pending();
    at_middle.assert_pending();
    drop(at_middle);
    assert_eq!(
        [children(&root), children(&middle)],
        [1, 1],
        "the leaf still waits"
    );
    leaf_canceller.cancel();
    assert_eq!(
        [children(&root), children(&middle)],
        [0, 0],
        "a finished child is gone"
    );
    at_leaf.assert_ready();
}

// guarantee B8
#[test]
fn waiting_again_after_having_stopped_links_anew() {
    let (parent, canceller) = Context::background().with_cancel();
    let (child, _child_canceller) = parent.with_cancel();
    for _ in 0..3 {
        let mut task = HandTask::new(child.cancelled());
        task.assert_pending();
        assert_eq!(children(&parent), 1);
    }
    assert_eq!(children(&parent), 0);
    let mut task = HandTask::new(child.cancelled());
    task.assert_pending();
    canceller.cancel();
    assert_eq!(task.wakes(), 1);
}

// guarantee B8
#[test]
fn contexts_that_are_dropped_after_the_wait_leave_nothing_at_their_sources() {
    let (parent, canceller) = Context::background().with_cancel();
    let (child, child_canceller) = parent
        .with_timeout(std::time::Duration::from_secs(3600))
        .with_cancel();
    let below = Context::any([child.clone(), parent.clone()]);
    let callback = parent.after_cancel(|| {});
    let mut task = HandTask::new(below.clone().cancelled_owned());
    task.assert_pending();
    assert_eq!(children(&parent), 2);
    drop(task);
    child_canceller.detach();
    drop((child, below));
    assert_eq!(children(&parent), 0);
    assert!(callback.stop());
    assert_eq!(parent.handle_count(), 2);
    drop(canceller);
}

// guarantee B4
#[test]
fn an_end_found_by_a_reader_does_not_keep_the_waiters_from_being_told() {
    let (parent, canceller) = Context::background().with_cancel();
    let (child, _child_canceller) = parent.with_cancel();
    let mut task = HandTask::new(child.cancelled());
    task.assert_pending();
    let reader = child.clone();
    canceller.cancel();
    thread::spawn(move || assert!(reader.is_cancelled()))
        .join()
        .unwrap();
    assert_eq!(task.wakes(), 1);
    // The same with the child having ended first.
    let (parent, canceller) = Context::background().with_cancel();
    let (_child, child_canceller) = parent.with_cancel();
    let mut above = HandTask::new(parent.cancelled());
    above.assert_pending();
    child_canceller.cancel();
    assert_eq!(above.wakes(), 0);
    assert_eq!(end_of(&parent), None);
    canceller.cancel();
    assert_eq!(above.wakes(), 1);
}

// guarantee B4
#[test]
fn only_those_below_the_cancelled_context_are_woken() {
    let (root, _root_canceller) = Context::background().with_cancel();
    let (left, left_canceller) = root.with_cancel();
    let (right, _right_canceller) = root.with_cancel();
    let contexts = [
        root.clone(),
        left.with_name("l"),
        left.with_cancel().0.without_cancel(),
        right,
    ];
    let mut tasks = contexts
        .each_ref()
        .map(|context| HandTask::new(context.cancelled()));
    tasks.iter_mut().for_each(HandTask::assert_pending);
    left_canceller.cancel();
    assert_eq!(tasks.each_ref().map(HandTask::wakes), [0, 1, 0, 0]);
}

// guarantee B8
#[test]
fn cancelled_owned_keeps_its_context_and_lets_it_go() {
    let (context, canceller) = Context::background().with_cancel();
    let mut task = HandTask::new(context.clone().cancelled_owned());
    task.assert_pending();
    assert!(context.handle_count() > 2);
    drop(task);
    assert_eq!(context.handle_count(), 2);
    canceller.cancel();
    assert!(context.cancelled_owned().now_or_never().is_some());
}

// guarantee B4
#[test]
fn members_of_a_set_are_woken_before_the_task_around_it() {
    let (context, canceller) = Context::background().with_cancel();
    let members: FuturesUnordered<_> = (0..50).map(|_| context.cancelled()).collect();
    let mut task = HandTask::new(members.collect::<Vec<_>>());
    task.assert_pending();
    assert_eq!(waiting(&context), 50);
    canceller.cancel();
    assert_eq!(task.run_woken().len(), 50);
    assert_eq!(waiting(&context), 0);
}

// guarantee B8
#[test]
fn a_finished_scope_does_not_wait_any_more() {
    let (context, _canceller) = Context::background().with_cancel();
    let (sender, receiver) = futures::channel::oneshot::channel::<u8>();
    let mut task = HandTask::new(context.run(receiver));
    task.assert_pending();
    assert_eq!(waiting(&context), 1);
    sender.send(7).unwrap();
    assert_eq!(task.assert_ready().unwrap(), Ok(7));
    assert_eq!(
        waiting(&context),
        0,
        "the scope has finished, although it is kept"
    );
}
