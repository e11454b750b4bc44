//! Tasks in the scope of a context.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;

use cancel_context::Context;
use cancel_context::task::JoinError;
use tokio::task::LocalSet;

use crate::support::panics;

// guarantee D2
#[tokio::test]
async fn a_spawned_task_has_the_context_as_its_current_one_and_gives_its_value() {
    let context = Context::background().with_name("job");
    let task = context.spawn(async {
        tokio::task::yield_now().await;
        Context::current()
    });
    assert_eq!(task.await.unwrap(), context);
    assert_eq!(Context::current(), Context::background());
    let task = context.spawn_blocking(|given| (given.clone(), Context::current()));
    assert_eq!(task.await.unwrap(), (context.clone(), context.clone()));
    let local = LocalSet::new();
    let on_set = context.spawn_local_on(async { Rc::new(Context::current()).path() }, &local);
    let within = local.run_until(async {
        let task = context.spawn_local(async { Rc::new(Context::current()).path() });
        task.await.unwrap()
    });
    assert_eq!(within.await, "job");
    assert_eq!(local.run_until(on_set).await.unwrap(), "job");
}

// guarantee D2; the symptom: whether the body of a task that is cancelled before it starts runs was
// a matter of the entry point
#[tokio::test]
async fn a_cancelled_context_never_starts_the_body_whatever_spawns_it() {
    let (context, canceller) = Context::background().with_cancel();
    canceller.cancel_with("before");
    let spawned = context.spawn(async { unreachable!("a task started") });
    let error: JoinError = match spawned.await {
        Ok(never) => never,
        Err(error) => error,
    };
    assert_eq!(error.cancelled().unwrap().cause().to_string(), "before");
    let blocking = context.spawn_blocking(|_| -> u8 { unreachable!("a thread started") });
    assert!(blocking.await.is_err());
    let local = LocalSet::new();
    let on_set = context.spawn_local_on(async { unreachable!("a local task started") }, &local);
    let on_set: Result<u8, _> = local.run_until(on_set).await;
    assert!(on_set.is_err());
}

// guarantee D2
#[tokio::test]
async fn a_context_that_ends_between_the_spawn_and_the_start_never_starts_the_body() {
    let (context, canceller) = Context::background().with_cancel();
    let task = context.spawn(async { true });
    canceller.cancel();
    assert!(task.await.is_err());
}

// guarantee D2
#[test]
fn blocking_work_that_has_to_queue_does_not_start_once_its_context_has_ended() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    let (context, canceller) = Context::background().with_cancel();
    let (release, is_released) = mpsc::channel::<()>();
    let result = runtime.block_on(async {
        let first = tokio::task::spawn_blocking(move || is_released.recv().unwrap());
        let queued = context.spawn_blocking(|_| "started");
        canceller.cancel();
        release.send(()).unwrap();
        first.await.unwrap();
        queued.await
    });
    assert!(result.is_err());
}

// guarantee D2
#[tokio::test]
async fn blocking_work_looks_at_the_context_it_is_given() {
    let (context, canceller) = Context::background().with_cancel();
    let (started, is_started) = tokio::sync::oneshot::channel();
    let task = context.spawn_blocking(|ctx| {
        started.send(()).unwrap();
        futures::executor::block_on(ctx.cancelled())
            .cause()
            .to_string()
    });
    is_started.await.unwrap();
    canceller.cancel_with("enough");
    assert_eq!(task.await.unwrap(), "enough");
}

// guarantee D2
#[tokio::test]
async fn a_running_task_leaves_when_its_context_ends() {
    let (context, canceller) = Context::background().with_cancel();
    let value = Arc::new(());
    let held = Arc::clone(&value);
    let (started, is_started) = tokio::sync::oneshot::channel();
    let task = context.spawn(async move {
        started.send(()).unwrap();
        std::future::pending::<()>().await;
        drop(held);
    });
    is_started.await.unwrap();
    canceller.cancel_with("enough");
    assert_eq!(
        task.await
            .unwrap_err()
            .cancelled()
            .unwrap()
            .cause()
            .to_string(),
        "enough"
    );
    assert_eq!(Arc::strong_count(&value), 1);
}

// guarantee D2; the symptom: an aborted task was reported as one that panicked
#[tokio::test]
async fn a_cancel_an_abort_and_a_panic_are_told_apart() {
    panics::watch();
    let (context, canceller) = Context::background().with_cancel();
    let panicked = context.spawn(async { panic!("a spawned task panics on purpose") });
    let panicked: Result<(), _> = panicked.await;
    assert!(matches!(panicked, Err(JoinError::Panicked(_))));
    let aborted = context.spawn(std::future::pending::<()>());
    aborted.abort();
    assert!(matches!(aborted.await, Err(JoinError::Aborted)));
    let cancelled = context.spawn(std::future::pending::<()>());
    canceller.cancel();
    assert!(matches!(cancelled.await, Err(JoinError::Cancelled(_))));
}

// guarantee D2
#[tokio::test]
async fn a_task_that_tokio_spawned_within_a_scope_is_not_in_it() {
    let (context, canceller) = Context::background().with_cancel();
    let mut task = None;
    let scope = context.run(async {
        task = Some(tokio::spawn(async {
            tokio::task::yield_now().await;
            Context::current()
        }));
    });
    scope.await.unwrap();
    canceller.cancel();
    assert_eq!(task.unwrap().await.unwrap(), Context::background());
}

// guarantee D2, B8; the symptom: dropping a handle was taken to end its task
#[tokio::test]
async fn dropping_the_join_handle_neither_ends_the_task_nor_cancels_its_context() {
    let (context, canceller) = Context::background().with_cancel();
    let (finished, is_finished) = tokio::sync::oneshot::channel();
    drop(context.spawn(async {
        tokio::task::yield_now().await;
        finished.send(()).unwrap();
    }));
    is_finished.await.unwrap();
    assert!(!context.is_cancelled());
    drop(canceller);
}

// guarantee D2, B4
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_tasks_on_two_workers_all_leave() {
    let (context, canceller) = Context::background().with_cancel();
    let started = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..1000_u64)
        .map(|number| {
            let started = Arc::clone(&started);
            let (child, canceller) = context.with_value(number).with_cancel();
            canceller.detach();
            child.spawn(async move {
                started.fetch_add(1, SeqCst);
                std::future::pending::<()>().await;
            })
        })
        .collect();
    while started.load(SeqCst) < 1000 {
        tokio::task::yield_now().await;
    }
    canceller.cancel_with("all");
    for task in tasks {
        let error = task.await.unwrap_err();
        assert_eq!(error.cancelled().unwrap().cause().to_string(), "all");
    }
    assert_eq!(cancel_context::private::children(&context), 0);
}
