//! `after_cancel` and `interrupt_with` where they are registered in a runtime.

use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use cancel_context::Context;
use futures::channel::oneshot;
use tokio::runtime::Builder;

use crate::support::calls::Calls;
use crate::support::panics;

// guarantee B11
#[tokio::test]
async fn a_callback_runs_as_a_task_of_the_runtime_it_was_registered_in() {
    let (context, canceller) = Context::background().with_cancel();
    let (sender, receiver) = oneshot::channel();
    context.after_cancel(move || sender.send(tokio::task::try_id()).unwrap());
    // Cancelled from a thread without a runtime.
    thread::spawn(move || canceller.cancel()).join().unwrap();
    let task = receiver.await.unwrap();
    assert!(task.is_some() && task != tokio::task::try_id());
}

// guarantee B11; the symptom: continuations ran inside of cancel, under the caller's mutex
#[tokio::test]
async fn cancel_under_a_mutex_that_the_callback_takes_does_not_deadlock() {
    let (context, canceller) = Context::background().with_cancel();
    let mutex = Arc::new(Mutex::new(()));
    let (sender, receiver) = oneshot::channel();
    let taken = Arc::clone(&mutex);
    context.after_cancel(move || {
        drop(taken.lock().unwrap());
        sender.send(()).unwrap();
    });
    {
        let _held = mutex.lock().unwrap();
        canceller.cancel();
    }
    receiver.await.unwrap();
}

// guarantee B11
#[tokio::test]
async fn stop_between_the_cancel_and_the_start_prevents_the_run() {
    let (context, canceller) = Context::background().with_cancel();
    let calls = Calls::default();
    let callback = context.after_cancel(calls.counting());
    canceller.cancel();
    assert_eq!(calls.count(), 0, "its task has not started");
    assert!(callback.stop());
    tokio::task::yield_now().await;
    assert_eq!(calls.count(), 0);
    assert!(calls.is_free());
}

// guarantee B11
#[tokio::test]
async fn registering_at_an_ended_context_starts_a_task_and_stop_still_works() {
    let (context, canceller) = Context::background().with_cancel();
    canceller.cancel();
    let calls = Calls::default();
    let prevented = context.after_cancel(calls.counting());
    assert!(prevented.stop());
    let started = context.after_cancel(calls.counting());
    tokio::task::yield_now().await;
    assert_eq!(calls.count(), 1);
    assert!(!started.stop());
}

// guarantee B11
#[test]
fn a_callback_whose_runtime_is_gone_runs_on_the_cancelling_thread() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let (context, canceller) = Context::background().with_cancel();
    let (sender, receiver) = mpsc::channel();
    {
        let _entered = runtime.enter();
        context.after_cancel(move || sender.send(thread::current().id()).unwrap());
    }
    drop(runtime);
    canceller.cancel();
    assert_eq!(receiver.try_recv(), Ok(thread::current().id()));
}

// guarantee B11
#[test]
fn a_callback_that_was_due_when_its_runtime_went_still_runs() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let (context, canceller) = Context::background().with_cancel();
    let calls = Calls::default();
    {
        let _entered = runtime.enter();
        context.after_cancel(calls.counting());
    }
    canceller.cancel();
    assert_eq!(calls.count(), 0, "nobody drives the runtime");
    drop(runtime);
    assert_eq!(calls.count(), 1);
}

// guarantee B9, B11
#[tokio::test]
async fn a_callback_that_panics_ends_its_task_only_and_is_reported() {
    panics::watch();
    let (context, canceller) = Context::background().with_cancel();
    let calls = Calls::default();
    let callback = context.after_cancel(|| panic!("a task panics on purpose"));
    context.after_cancel(calls.counting());
    canceller.cancel();
    tokio::task::yield_now().await;
    assert_eq!(panics::reported("a task panics on purpose"), 1);
    assert_eq!(calls.count(), 1);
    assert!(!callback.stop());
}

// guarantee B11
#[tokio::test]
async fn an_interrupt_runs_within_cancel_on_a_runtime_too() {
    let (context, canceller) = Context::background().with_cancel();
    let calls = Calls::default();
    let guard = context.interrupt_with(calls.counting());
    canceller.cancel();
    assert_eq!(calls.count(), 1);
    drop(guard);
}

// guarantee B11, C2
#[tokio::test(start_paused = true)]
async fn a_deadline_runs_callbacks_and_interrupts_though_nobody_polls() {
    let context = Context::background().with_timeout(Duration::from_secs(5));
    let calls = Calls::default();
    context.after_cancel(calls.counting());
    let guard = context.interrupt_with(calls.counting());
    drop(context);
    tokio::time::advance(Duration::from_secs(4)).await;
    tokio::task::yield_now().await;
    assert_eq!(calls.count(), 0);
    tokio::time::advance(Duration::from_secs(2)).await;
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
    assert_eq!(calls.count(), 2);
    assert!(calls.is_free());
    drop(guard);
}
