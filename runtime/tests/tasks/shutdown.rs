//! The phases in which a process ends, led from within; what signals and exits do is tested with processes.

use std::future::{pending, ready};
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use cancel_context::shutdown::{Ending, Phase, Shutdown};
use cancel_context::task::{JoinError, TaskGroup};
use cancel_context::{Cancelled, Canceller, Context, Kind, cancellable};
use futures::FutureExt;
use tokio::sync::oneshot;

use crate::support::OnDrop;

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

/// One that nothing but its canceller, or the end of the main function, begins.
fn shutdown() -> Shutdown {
    Shutdown::new()
        .signals(false)
        .stop_for(LONG)
        .cancel_for(LONG)
        .abort_for(LONG)
}

/// Runs `main` in it, with what begins it.
async fn run<F: Future>(
    shutdown: Shutdown,
    main: impl FnOnce(Context, Canceller) -> F,
) -> Ending<F::Output> {
    let canceller = shutdown.canceller();
    let ending = shutdown.run(|ctx| main(ctx, canceller)).await;
    ending.expect("this system has threads")
}

async fn until(ctx: &Context, phase: Phase) {
    let mut phases = ctx.phase();
    phases.wait_for(|now| *now >= phase).await.unwrap();
}

// guarantee D7
#[tokio::test]
async fn what_the_main_function_gives_is_handed_on_and_nothing_is_left() {
    let ending = run(shutdown(), |ctx, _| async move {
        assert_eq!(*ctx.phase().borrow(), Phase::Running);
        7
    });
    let ending = ending.await;
    assert!(ending.report.is_empty());
    assert_eq!(ending.exit_code(), ExitCode::SUCCESS);
    assert_eq!(ending.value.unwrap(), 7);
}

// guarantee D7; the symptom: a request in flight was cancelled by the first signal
#[tokio::test]
async fn only_idle_awaits_feel_the_soft_stop_and_what_is_under_way_finishes() {
    let ending = run(shutdown(), |ctx, operator| async move {
        let (sender, request) = oneshot::channel();
        let handler = ctx.spawn(async { request.await.unwrap() });
        operator.cancel_with("a new version");
        let stopped = ctx.idle(pending::<()>()).await.unwrap_err();
        assert_eq!(stopped.cause().to_string(), "a new version");
        assert!(!ctx.is_cancelled());
        until(&ctx, Phase::Stopping).await;
        sender.send(7).unwrap();
        handler.await.unwrap()
    });
    let ending = ending.await;
    assert!(ending.report.is_empty());
    assert_eq!(ending.value.unwrap(), 7);
}

// guarantee D7, A4
#[tokio::test]
async fn an_idle_await_delivers_what_it_has_and_does_not_begin_once_the_process_stops() {
    let ending = run(shutdown(), |ctx, operator| async move {
        assert_eq!(ctx.idle(ready(1)).await.unwrap(), 1);
        // It is ready in the very poll in which the stop is found.
        let both = ctx.idle(async {
            operator.cancel();
            2
        });
        assert_eq!(both.await.unwrap(), 2);
        let begun = ctx.idle(async { unreachable!("it begins") as u8 }).await;
        assert!(begun.is_err());
    });
    ending.await.value.unwrap();
}

// guarantee D7
#[tokio::test]
async fn without_a_shutdown_above_an_idle_await_is_like_any_other() {
    let ctx = Context::background();
    assert_eq!(ctx.idle(ready(7)).await.unwrap(), 7);
    assert_eq!(*ctx.phase().borrow(), Phase::Running);
    let (ctx, canceller) = ctx.with_cancel();
    let waits = ctx.spawn({
        let ctx = ctx.clone();
        async move { ctx.idle(pending::<()>()).await.unwrap() }
    });
    canceller.cancel();
    assert!(waits.await.unwrap_err().cancelled().is_some());
}

// guarantee D7
#[tokio::test]
async fn what_does_not_finish_in_time_is_cancelled_with_the_same_cause() {
    let ending = run(
        shutdown().stop_for(Duration::ZERO),
        |ctx, operator| async move {
            let waits = ctx.spawn(pending::<()>());
            operator.cancel_with("a new version");
            // It is in the scope of that context itself.
            let error = ctx.shield(|_| waits).await.unwrap_err();
            assert_eq!(*ctx.phase().borrow(), Phase::Cancelled);
            error.into_cancelled().unwrap().to_string()
        },
    );
    let ending = ending.await;
    assert!(ending.report.is_empty());
    let error = ending.value.unwrap();
    assert!(
        error.starts_with("context canceled (a new version): cancelled at"),
        "{error}"
    );
}

// guarantee D7
#[tokio::test]
async fn tasks_that_outlive_the_main_function_are_waited_for() {
    let (sender, receiver) = oneshot::channel();
    let ending = run(shutdown(), |ctx, _| async move {
        let of_task = ctx.clone();
        drop(ctx.spawn(async move {
            until(&of_task, Phase::Stopping).await;
            let cause = of_task.stopping().cause().unwrap();
            sender.send(cause.to_string()).unwrap();
        }));
    });
    assert!(ending.await.report.is_empty());
    assert_eq!(receiver.await.unwrap(), "the main function has ended");
}

#[cancellable]
async fn closes(shelved: Duration) -> Result<(), Cancelled> {
    #[shield]
    tokio::time::sleep(shelved).await;
    Ok(())
}

// guarantee D7, G5
#[tokio::test]
async fn what_ignores_the_cancel_is_aborted_and_named_with_the_await_it_hangs_in() {
    let (dropped, is_dropped) = oneshot::channel();
    let on_drop = OnDrop::new(|| dropped.send(()).unwrap());
    let times = shutdown()
        .stop_for(Duration::ZERO)
        .cancel_for(Duration::ZERO);
    let ending = run(times, |ctx, _| async move {
        let ctx = ctx.with_name("closing");
        let of_task = ctx.clone();
        drop(ctx.spawn(async move {
            let _on_drop = on_drop;
            closes(&of_task, LONG).await
        }));
        tokio::task::yield_now().await;
    });
    let ending = ending.await;
    assert_eq!(ending.exit_code(), ExitCode::FAILURE);
    let [straggler] = ending.report.stragglers() else {
        panic!("{}", ending.report);
    };
    assert_eq!(straggler.path, "closing");
    assert_eq!(
        straggler.site.unwrap().expression(),
        "tokio::time::sleep(shelved)"
    );
    assert!(!straggler.is_running && !straggler.is_left && !straggler.is_blocking());
    let line = straggler.to_string();
    let expected = format!(
        "task {} in closing, spawned at {}: hangs for ",
        straggler.task.unwrap(),
        straggler.spawned_at
    );
    assert!(line.starts_with(&expected), "{line}");
    let at = straggler.site.unwrap();
    assert!(line.contains(&format!(" s in {at}, polled ")), "{line}");
    assert!(line.ends_with(" s ago; aborted"), "{line}");
    is_dropped.await.unwrap();
}

// guarantee D7
#[tokio::test]
async fn a_main_function_that_ignores_the_cancel_is_dropped_and_named() {
    let times = shutdown()
        .stop_for(Duration::ZERO)
        .cancel_for(Duration::ZERO);
    let ending = run(times, |ctx, operator| async move {
        operator.cancel();
        ctx.shield(|_| pending::<()>()).await;
    });
    let ending = ending.await;
    assert!(matches!(ending.value, Err(JoinError::Aborted)));
    let line = ending.report.to_string();
    assert!(line.starts_with("the main function, spawned at"), "{line}");
    assert!(line.contains(", in no annotated await, polled "), "{line}");
}

// guarantee D7, D3
#[tokio::test]
async fn members_of_groups_local_tasks_detached_and_blocking_ones_are_known() {
    let times = shutdown()
        .stop_for(Duration::ZERO)
        .cancel_for(Duration::ZERO);
    let (sender, release) = mpsc::channel::<()>();
    let (started, has_started) = oneshot::channel();
    let local = tokio::task::LocalSet::new();
    let ending = local.run_until(run(times, |ctx, operator| async move {
        let mut group = TaskGroup::<()>::new(&ctx.with_name("group"));
        group.spawn(|ctx| async move { ctx.shield(|_| pending::<Result<(), Cancelled>>()).await });
        let detached = ctx.with_name("detached").without_cancel();
        drop(detached.spawn(pending::<()>()));
        let of_set = ctx.with_name("local");
        drop(of_set.spawn_local(of_set.shield(|_| pending::<()>())));
        let of_thread = ctx.with_name("thread");
        drop(of_thread.spawn_blocking(move |_| {
            started.send(()).unwrap();
            // Until all others are gone.
            release.recv().unwrap_err();
        }));
        has_started.await.unwrap();
        tokio::task::yield_now().await;
        let of_watcher = ctx.clone();
        tokio::spawn(async move {
            until(&of_watcher, Phase::Aborted).await;
            drop(sender);
        });
        operator.cancel();
        ctx.shield(|_| group.wait()).await
    }));
    let ending = ending.await;
    let paths: Vec<_> = ending
        .report
        .stragglers()
        .iter()
        .map(|it| it.path.as_str())
        .collect();
    assert_eq!(paths, ["", "group", "detached", "local", "thread"]);
    let last = ending.report.stragglers().last().unwrap();
    assert!(last.is_blocking() && last.is_running && !last.is_left);
}

// guarantees D7, G5; the symptom: it was named by a line of this crate
#[tokio::test]
async fn a_blocking_member_of_a_group_is_named_by_where_it_was_added() {
    let times = shutdown()
        .stop_for(Duration::ZERO)
        .cancel_for(Duration::ZERO);
    let (sender, release) = mpsc::channel::<()>();
    let (started, has_started) = oneshot::channel();
    let ending = run(times, |ctx, operator| async move {
        let of_watcher = ctx.clone();
        tokio::spawn(async move {
            until(&of_watcher, Phase::Aborted).await;
            drop(sender);
        });
        let mut group = TaskGroup::<()>::new(&ctx);
        group.spawn_blocking(move |_| {
            started.send(()).unwrap();
            release.recv().unwrap_err();
            Ok::<_, Cancelled>(())
        });
        has_started.await.unwrap();
        operator.cancel();
        ctx.shield(|_| group.wait()).await.unwrap();
    });
    let ending = ending.await;
    let last = ending.report.stragglers().last().unwrap();
    assert!(last.is_blocking());
    assert_eq!(last.spawned_at.file(), file!());
}

// guarantee D7; the symptom: the roll was empty between two members of which one may run
#[tokio::test]
async fn blocking_members_that_wait_for_their_turn_are_waited_for() {
    let (ended, has_ended) = mpsc::channel();
    let ending = run(shutdown(), |ctx, _| async move {
        let mut group = TaskGroup::<()>::new(&ctx).limit(1);
        for _ in 0..2 {
            let ended = ended.clone();
            group.spawn_blocking(move |_| {
                ended.send(()).unwrap();
                Ok::<_, Cancelled>(())
            });
        }
        // Not on the roll.
        tokio::spawn(group.wait());
    });
    assert!(ending.await.report.is_empty());
    assert_eq!(has_ended.try_iter().count(), 2);
}

// guarantee D7; the symptom: who watched it was told at once that nobody would ever tell
#[tokio::test]
async fn without_a_shutdown_the_phase_stays_running() {
    let mut phase = Context::background().phase();
    assert_eq!(*phase.borrow_and_update(), Phase::Running);
    assert!(phase.changed().now_or_never().is_none());
}

// guarantee D7
#[tokio::test]
async fn the_phases_come_in_order() {
    let times = shutdown()
        .stop_for(Duration::ZERO)
        .cancel_for(Duration::ZERO);
    let (sender, receiver) = oneshot::channel();
    let ending = run(times, |ctx, operator| async move {
        let mut phases = ctx.phase();
        let mut seen = vec![*phases.borrow_and_update()];
        tokio::spawn(async move {
            while phases.changed().await.is_ok() {
                seen.push(*phases.borrow_and_update());
            }
            sender.send(seen).unwrap();
        });
        operator.cancel();
        ctx.shield(|_| pending::<()>()).await;
    });
    drop(ending.await);
    let seen = receiver.await.unwrap();
    assert!(seen.is_sorted(), "{seen:?}");
    assert_eq!(
        (seen[0], *seen.last().unwrap()),
        (Phase::Running, Phase::Aborted)
    );
}

// guarantee D7
#[tokio::test]
async fn dropping_it_cancels_everything() {
    let (sender, receiver) = oneshot::channel();
    let running = shutdown().run(|ctx| async move {
        sender.send(ctx).unwrap();
        pending::<()>().await;
    });
    let ctx = tokio::select! {
        _ = running => unreachable!("it runs for ever"),
        ctx = receiver => ctx.unwrap(),
    };
    // The thread that leads it notices.
    ctx.cancelled().await;
}

// guarantee D7
#[tokio::test]
async fn a_panic_of_the_main_function_goes_on() {
    crate::support::panics::watch();
    let running = shutdown().run(|_| async { panic!("in main, on purpose") });
    let panicked = futures::FutureExt::catch_unwind(AssertUnwindSafe(running)).await;
    let payload = panicked.map(|_| ()).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"in main, on purpose"));
}

// guarantee D7, and bad input
#[test]
fn it_works_on_a_runtime_without_drivers() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let times = shutdown().stop_for(Duration::ZERO);
    let ending = runtime.block_on(run(times, |ctx, operator| async move {
        operator.cancel();
        ctx.run(pending::<()>()).await.unwrap_err().kind()
    }));
    assert!(ending.report.is_empty());
    assert_eq!(ending.value.unwrap(), Kind::Cancelled);
}

// guarantee D7, and bad input
#[tokio::test]
async fn with_all_the_time_in_the_world_it_ends_when_the_work_does() {
    let times = shutdown()
        .stop_for(Duration::MAX)
        .cancel_for(Duration::MAX)
        .abort_for(Duration::MAX);
    let ending = run(times, |ctx, operator| async move {
        operator.cancel();
        until(&ctx, Phase::Stopping).await;
        7
    });
    assert_eq!(ending.await.value.unwrap(), 7);
}
