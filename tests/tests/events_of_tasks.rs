//! The events of tasks and groups: one for each task.

use std::future::pending;
use std::io;
use std::time::Duration;

use cancel_context::task::{FutureGroup, TaskGroup};
use cancel_context::{Cancelled, Context, cancellable};
use tests::log::{Event, Log};
use tokio::task::{LocalSet, yield_now};

#[cancellable]
async fn explicit() -> Result<(), Cancelled> {
    pending::<()>().await;
    Ok(())
}

#[cancellable(implicit)]
async fn unwound() -> usize {
    pending::<()>().await;
    0
}

fn fields<'a>(events: &'a [Event], name: &str) -> Vec<Option<&'a str>> {
    events.iter().map(|event| event.field(name)).collect()
}

// guarantee E5
#[test]
fn each_task_gives_one_event_also_on_a_plain_spawn() {
    let log = Log::default();
    let (ctx, canceller) = Context::background().with_cancel();
    log.during_async(async {
        let spawned = ctx.with_name("spawned").spawn(unwound());
        let plain = tokio::spawn(explicit(ctx.with_name("plain")));
        let scope = tokio::spawn(ctx.with_name("scope").run(pending::<()>()));
        yield_now().await;
        canceller.cancel();
        spawned.await.unwrap_err();
        plain.await.unwrap().unwrap_err();
        scope.await.unwrap().unwrap_err();
    });
    let events = log.take();
    let mut paths = fields(&events, "path");
    paths.sort_unstable();
    assert_eq!(paths, [Some("plain"), Some("scope"), Some("spawned")]);
}

// guarantee E5
#[test]
fn a_task_that_never_began_has_left_no_await() {
    let log = Log::default();
    let (ctx, canceller) = Context::background().with_cancel();
    canceller.cancel();
    log.during_async(async {
        ctx.spawn(unwound()).await.unwrap_err();
    });
    let events = log.take();
    assert_eq!(fields(&events, "cause"), [Some("context canceled")]);
    assert_eq!(fields(&events, "left_at"), [None]);
}

// guarantee E5
#[test]
fn tasks_of_a_local_set_are_tasks_of_their_own() {
    let log = Log::default();
    let (ctx, canceller) = Context::background().with_cancel();
    log.during_async(async {
        let local = LocalSet::new();
        let task = ctx.spawn_local_on(unwound(), &local);
        let around = ctx.run(async {
            local.run_until(pending::<()>()).await;
        });
        let mut around = Box::pin(around);
        assert!(futures::poll!(around.as_mut()).is_pending());
        canceller.cancel();
        around.await.unwrap_err();
        local.await;
        task.await.unwrap_err();
    });
    assert_eq!(log.take().len(), 2);
}

// guarantee E5
#[test]
fn a_worker_that_sleeps_says_where() {
    let log = Log::default();
    let (ctx, canceller) = Context::background().with_cancel();
    let task = async |ctx: Context| loop {
        ctx.sleep(Duration::from_millis(500)).await?;
        if ctx.value::<u8>().is_some() {
            return Ok::<_, Cancelled>(());
        }
    };
    let line = line!() - 5;
    log.during_async(async {
        let task = tokio::spawn(task(ctx.clone()));
        tokio::time::sleep(Duration::from_secs(2)).await;
        canceller.cancel();
        task.await.unwrap().unwrap_err();
    });
    let events = log.take();
    let [Some(left)] = fields(&events, "left_at")[..] else {
        panic!("there is one event: {events:?}")
    };
    assert!(
        left.starts_with(&format!("tests/tests/events_of_tasks.rs:{line}:")),
        "{left}"
    );
}

// guarantee E5
#[test]
fn each_member_of_a_group_of_tasks_gives_one_event_with_the_failure_as_its_cause() {
    let log = Log::default();
    log.during_async(async {
        let mut group = TaskGroup::<()>::new(&Context::background().with_name("group"));
        group.spawn(explicit);
        group.spawn(async |_| {
            unwound().await;
            Ok::<_, Cancelled>(())
        });
        group.spawn(async |_| {
            yield_now().await;
            Err(io::Error::other("disk full"))
        });
        group.wait().await.unwrap_err();
    });
    let events = log.take();
    assert_eq!(fields(&events, "cause"), [Some("disk full"); 2]);
    assert_eq!(fields(&events, "path"), [Some("group"); 2]);
}

// guarantee E5
#[test]
fn a_group_of_futures_is_of_the_task_that_waits_for_it() {
    let log = Log::default();
    let (ctx, canceller) = Context::background().with_cancel();
    log.during_async(async {
        let mut group = FutureGroup::<()>::new(&ctx);
        for _ in 0..10 {
            group.spawn(explicit);
        }
        let mut scope = Box::pin(ctx.run(group.wait()));
        assert!(futures::poll!(scope.as_mut()).is_pending());
        canceller.cancel_with("enough");
        assert!(scope.await.is_ok_and(|end| end.is_err()));
    });
    assert_eq!(fields(&log.take(), "cause"), [Some("enough")]);
}

// guarantee E5
#[test]
fn what_is_aborted_is_not_cancelled() {
    let log = Log::default();
    log.during_async(async {
        let task = Context::background().with_name("job").spawn(unwound());
        yield_now().await;
        task.abort();
        task.await.unwrap_err();
    });
    assert_eq!(log.take(), []);
}
