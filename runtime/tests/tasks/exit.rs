//! Leaving a task from within.

use std::cell::Cell;
use std::future::{pending, ready};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cancel_context::task::{FutureGroup, JoinError, exit_task};
use cancel_context::{Cancelled, Context, cancellable, outside};
use futures::{FutureExt, StreamExt};
use tokio::task::LocalSet;

use crate::support::{OnDrop, panics};

type Log = Arc<Mutex<Vec<String>>>;

/// Notes when it is dropped, and in which context.
fn witness(log: &Log, name: &str) -> OnDrop<impl FnOnce() + use<>> {
    let (log, name) = (Arc::clone(log), String::from(name));
    OnDrop::new(move || {
        let path = Context::current().path();
        log.lock().unwrap().push(format!("{name} in {path}"));
    })
}

fn seen(log: &Log) -> Vec<String> {
    log.lock().unwrap().clone()
}

async fn exits() {
    match exit_task().await {}
}

#[cancellable]
async fn parses(log: &Log) -> Result<(), Cancelled> {
    let _witness = witness(log, "parse");
    validates(log).await;
    unreachable!("it goes on after the exit")
}

#[cancellable(implicit)]
async fn validates(log: &Log) -> usize {
    let _witness = witness(log, "validate");
    authorises(log).await;
    unreachable!("it goes on after the exit")
}

async fn authorises(log: &Log) {
    let _witness = witness(log, "authorise");
    tokio::task::yield_now().await;
    exits().await;
}

// guarantee D4
#[tokio::test]
async fn every_destructor_runs_from_the_innermost_call_outwards_and_the_handle_says_exited() {
    let log = Log::default();
    let ctx = Context::background().with_name("job");
    let task = ctx.spawn({
        let (ctx, log) = (ctx.clone(), Arc::clone(&log));
        async move { parses(&ctx, &log).await }
    });
    assert!(matches!(task.await, Err(JoinError::Exited)));
    assert_eq!(
        seen(&log),
        ["authorise in job", "validate in job", "parse in job"]
    );
    assert!(!ctx.is_cancelled());
}

/// Runs what would go on after `exits` if somebody between caught it.
async fn assert_exits(work: impl Future<Output = ()> + Send + 'static) {
    let goes_on = Arc::new(Mutex::new(false));
    let task = Context::background().spawn({
        let goes_on = Arc::clone(&goes_on);
        async move {
            work.await;
            tokio::task::yield_now().await;
            *goes_on.lock().unwrap() = true;
        }
    });
    assert!(matches!(task.await, Err(JoinError::Exited)));
    assert!(!*goes_on.lock().unwrap());
}

// guarantee D4
#[tokio::test]
async fn nothing_between_can_catch_it() {
    assert_exits(async {
        tokio::select! {
            biased;
            () = exits() => {}
            () = ready(()) => {}
        }
    })
    .await;
    assert_exits(async {
        let _ = tokio::time::timeout(Duration::ZERO, exits()).await;
    })
    .await;
    assert_exits(async {
        let _ = tokio::join!(exits(), ready(7));
    })
    .await;
    assert_exits(async {
        let _ = std::panic::AssertUnwindSafe(exits()).catch_unwind().await;
    })
    .await;
    assert_exits(async {
        let inner = Context::background().with_timeout(Duration::from_secs(60));
        let _ = inner.run(exits()).await;
    })
    .await;
    assert_exits(async {
        Context::current().shield(|_| exits()).await;
    })
    .await;
    assert_exits(async {
        let each = futures::stream::iter(0..5).map(|number| async move {
            if number == 3 {
                exits().await;
            }
        });
        each.buffer_unordered(5).collect::<Vec<_>>().await;
    })
    .await;
    assert_exits(async {
        let mut group = FutureGroup::new(&Context::current());
        group.spawn(async |_| {
            exits().await;
            Ok::<_, Cancelled>(())
        });
        let _ = group.wait().await;
    })
    .await;
}

// guarantee D4
#[tokio::test]
async fn a_value_that_the_task_gives_in_the_same_poll_is_dropped() {
    let value = Arc::new(());
    let kept = Arc::clone(&value);
    let task = Context::background().spawn(async move {
        assert!(exit_task().now_or_never().is_none());
        kept
    });
    assert!(matches!(task.await, Err(JoinError::Exited)));
    assert_eq!(Arc::strong_count(&value), 1);
}

// guarantee D4
#[tokio::test]
async fn the_other_tasks_and_the_next_one_on_the_thread_go_on() {
    let ctx = Context::background();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let other = ctx.spawn(receiver);
    assert!(matches!(ctx.spawn(exits()).await, Err(JoinError::Exited)));
    sender.send(7).unwrap();
    assert_eq!(other.await.unwrap(), Ok(7));
    assert_eq!(ctx.spawn(ready(8)).await.unwrap(), 8);
}

/// Whether polling `work` says where `exit_task` belongs.
async fn assert_refused(work: impl Future<Output = ()>) {
    let refused = std::panic::AssertUnwindSafe(work).catch_unwind().await;
    let payload = refused.expect_err("it was not refused");
    let text = payload.downcast_ref::<&str>().expect("a panic with a text");
    assert!(
        text.contains("outside of a task that a context or a group has spawned"),
        "{text}"
    );
}

// guarantee D4, and bad input
#[tokio::test]
async fn it_is_refused_outside_of_a_task_of_a_context() {
    panics::watch();
    assert_refused(exits()).await;
    assert_refused(async { Context::background().run(exits()).await.unwrap() }).await;
    tokio::spawn(assert_refused(exits())).await.unwrap();
    let blocking = Context::background()
        .spawn_blocking(|_| futures::executor::block_on(assert_refused(exits())));
    blocking.await.unwrap();
    let within = Context::background().spawn(async {
        outside(|| futures::executor::block_on(assert_refused(exits())));
        7
    });
    assert_eq!(within.await.unwrap(), 7);
}

// guarantee D4; the symptom: a task of a `LocalSet` that is polled within a task ended that one
#[tokio::test]
async fn a_task_polled_within_another_one_ends_itself_only() {
    let ctx = Context::background();
    let local = LocalSet::new();
    let result = local.run_until(async {
        let exited = ctx.spawn_local(async {
            let own = Cell::new(7);
            exits().await;
            own.get()
        });
        let plain = tokio::task::spawn_local(assert_refused(exits()));
        let goes_on = ctx.spawn_local(ready(8));
        (exited.await, plain.await, goes_on.await)
    });
    let (exited, plain, goes_on) = result.await;
    assert!(matches!(exited, Err(JoinError::Exited)));
    plain.unwrap();
    assert_eq!(goes_on.unwrap(), 8);
}

// guarantee D4
#[tokio::test]
async fn a_task_that_has_asked_to_exit_exits_although_the_context_ends_in_that_poll() {
    let (ctx, canceller) = Context::background().with_cancel();
    let task = ctx.spawn(async move {
        futures::join!(exits(), async { canceller.cancel() }, pending::<()>());
    });
    assert!(matches!(task.await, Err(JoinError::Exited)));
}
