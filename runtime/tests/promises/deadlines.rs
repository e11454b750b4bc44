//! Deadlines: which counts, when they pass, and who is told.

use std::task::Poll;
use std::time::Duration;

use cancel_context::private::{children, waiting};
use cancel_context::{Context, Kind};
use tokio::time::{Instant, advance, sleep_until};

use crate::support::random::Random;
use crate::support::tasks::HandTask;
use crate::support::{cause_of, end_of};

const SECOND: Duration = Duration::from_secs(1);
/// One tick of tokio's timer.
const TICK: Duration = Duration::from_millis(1);

/// Lets the tasks that are ready run.
async fn settle() {
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
}

// guarantee C1
#[tokio::test(start_paused = true)]
async fn the_earliest_deadline_on_the_path_counts() {
    let start = Instant::now();
    let outer = Context::background().with_timeout_cause(2 * SECOND, "outer");
    let inner = outer.with_timeout_cause(5 * SECOND, "inner");
    let narrow = inner.with_timeout_cause(SECOND, "narrow");
    assert_eq!(inner.deadline(), Some((start + 2 * SECOND).into_std()));
    assert_eq!(narrow.deadline(), Some((start + SECOND).into_std()));
    assert_eq!(narrow.remaining(), Some(SECOND));
    advance(SECOND).await;
    assert_eq!([&outer, &inner, &narrow].map(cause_of), ["", "", "narrow"]);
    assert_eq!(
        (inner.remaining(), narrow.remaining()),
        (Some(SECOND), Some(Duration::ZERO))
    );
    advance(SECOND).await;
    assert_eq!(
        [&outer, &inner, &narrow].map(cause_of),
        ["outer", "outer", "narrow"]
    );
    assert_eq!(inner.remaining(), Some(Duration::ZERO));
}

// guarantee C1
#[tokio::test(start_paused = true)]
async fn a_deadline_in_the_past_or_zero_has_ended_the_context_on_return() {
    advance(SECOND).await;
    let now = Instant::now();
    for context in [
        Context::background().with_timeout(Duration::ZERO),
        Context::background().with_deadline(now),
        Context::background().with_deadline(now - SECOND),
        Context::background().with_movable_deadline(now - SECOND).0,
    ] {
        assert_eq!(context.err(), Some(Kind::DeadlineExceeded));
        assert_eq!(context.remaining(), Some(Duration::ZERO));
        assert!(HandTask::new(context.cancelled()).poll().is_ready());
    }
}

// guarantee C1
#[tokio::test(start_paused = true)]
async fn the_longest_duration_means_no_deadline() {
    for context in [
        Context::background().with_timeout(Duration::MAX),
        Context::background().with_timeout_cause(Duration::MAX, "never"),
        Context::background().with_timeout(Duration::from_secs(u64::MAX)),
    ] {
        assert_eq!((context.deadline(), context.remaining()), (None, None));
        advance(1_000_000 * SECOND).await;
        assert_eq!(end_of(&context), None);
    }
    let timed = Context::background().with_timeout(SECOND);
    assert_eq!(
        timed.with_timeout(Duration::MAX).deadline(),
        timed.deadline()
    );
}

// guarantee C1
#[test]
fn a_year_ahead_is_waited_for_without_an_error() {
    let year = Duration::from_secs(365 * 24 * 3600);
    for years in [1, 100] {
        let context = Context::background().with_timeout(year * years);
        let mut task = HandTask::new(context.cancelled());
        task.assert_pending();
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let context = Context::background().with_timeout(year * 100);
        let mut task = HandTask::new(context.cancelled());
        task.assert_pending();
        settle().await;
        assert_eq!(task.wakes(), 0);
    });
}

// guarantee C1
#[tokio::test(start_paused = true)]
async fn a_movable_deadline_is_moved_forward_and_back_until_it_has_passed() {
    let start = Instant::now();
    let (context, mover) = Context::background().with_movable_deadline(start + 2 * SECOND);
    let child = context.with_name("child");
    let mut task = HandTask::new(child.cancelled());
    task.assert_pending();
    advance(SECOND).await;
    assert!(mover.move_to(start + 5 * SECOND));
    assert_eq!(child.deadline(), Some((start + 5 * SECOND).into_std()));
    advance(2 * SECOND).await;
    settle().await;
    assert_eq!((task.wakes(), child.remaining()), (0, Some(2 * SECOND)));
    assert!(mover.move_to(start + 4 * SECOND));
    advance(SECOND).await;
    settle().await;
    assert_eq!(task.wakes(), 1);
    assert!(!mover.move_to(start + 60 * SECOND), "it has passed");
    assert_eq!(child.deadline(), Some((start + 4 * SECOND).into_std()));
    assert_eq!(end_of(&child).unwrap().0, Kind::DeadlineExceeded);
}

// guarantee C1
#[tokio::test(start_paused = true)]
async fn a_deadline_that_has_passed_unseen_cannot_be_moved() {
    let start = Instant::now();
    let (context, mover) = Context::background().with_movable_deadline(start + SECOND);
    advance(SECOND).await;
    assert!(!mover.move_to(start + 5 * SECOND));
    assert!(context.is_cancelled());
}

// guarantee C1
#[tokio::test(start_paused = true)]
async fn a_deadline_moved_into_the_past_ends_the_context_and_wakes_who_waits() {
    let start = Instant::now();
    let (context, mover) = Context::background().with_movable_deadline(start + 5 * SECOND);
    let child = context.with_cancel();
    let mut task = HandTask::new(child.0.cancelled());
    task.assert_pending();
    advance(2 * SECOND).await;
    assert!(mover.move_to(start + SECOND));
    assert_eq!(task.wakes(), 1);
    assert!(task.assert_ready().is_timeout());
    assert_eq!(children(&context), 0);
    assert!(!mover.move_to(start + 5 * SECOND));
}

// guarantee C1
#[tokio::test(start_paused = true)]
async fn a_deadline_cannot_be_moved_once_the_context_was_cancelled() {
    let start = Instant::now();
    let (parent, canceller) = Context::background().with_cancel();
    let (context, mover) = parent.with_movable_deadline(start + SECOND);
    canceller.cancel();
    assert!(!mover.move_to(start + 5 * SECOND));
    assert_eq!(context.deadline(), Some((start + SECOND).into_std()));
}

// guarantee C1
#[tokio::test(start_paused = true)]
async fn dropping_the_owner_leaves_the_deadline_where_it_is() {
    let start = Instant::now();
    let (context, mover) = Context::background().with_movable_deadline(start + SECOND);
    assert!(mover.move_to(start + 3 * SECOND));
    drop(mover);
    advance(2 * SECOND).await;
    assert_eq!(end_of(&context), None);
    advance(SECOND).await;
    assert!(context.is_cancelled());
}

// guarantee C2
#[tokio::test(start_paused = true)]
async fn where_nobody_waits_reading_consults_the_clock() {
    let context = Context::background().with_timeout(SECOND);
    let child = context.with_name("child");
    advance(Duration::from_nanos(999_999_999)).await;
    assert!(!child.is_cancelled());
    advance(Duration::from_nanos(1)).await;
    assert!(child.is_cancelled() && child.check().is_err());
    assert_eq!(waiting(&context), 0);
}

// guarantee C2
#[tokio::test(start_paused = true)]
async fn a_waiter_is_told_never_early_and_at_most_one_tick_late() {
    let mut random = Random::seeded();
    for _ in 0..200 {
        let micros = u64::try_from(random.below(50_000)).unwrap();
        let context = Context::background().with_timeout(Duration::from_micros(micros));
        let at = context.deadline().unwrap();
        let child = context.with_value(micros);
        assert!(child.cancelled().await.is_timeout());
        let late = Instant::now().into_std().checked_duration_since(at);
        assert!(late.expect("it is early") <= TICK, "{late:?}");
    }
}

// guarantee C2; the symptom: many long delays made short timeouts late
#[tokio::test(start_paused = true)]
async fn ten_thousand_long_timers_make_no_short_one_late() {
    let (root, _canceller) = Context::background().with_cancel();
    let mut tasks = Vec::new();
    for number in 0..10_000_u64 {
        let long = number % 2 == 0;
        let wait = if long {
            SECOND
        } else {
            Duration::from_millis(50 + number % 20)
        };
        let context = root.with_timeout(wait);
        tasks.push(tokio::spawn(async move {
            let at = context.deadline().unwrap();
            context.cancelled().await;
            Instant::now()
                .into_std()
                .checked_duration_since(at)
                .expect("it is early")
        }));
    }
    for task in tasks {
        assert!(task.await.unwrap() <= TICK);
    }
    assert_eq!(children(&root), 0);
}

// guarantee C2
#[tokio::test(start_paused = true)]
async fn merged_contexts_are_told_of_the_deadlines_of_their_sources() {
    let early = Context::background().with_timeout_cause(SECOND, "early");
    let late = Context::background().with_timeout_cause(2 * SECOND, "late");
    let any = Context::any([late.clone(), early.clone()]);
    let all = Context::all([late, early]);
    let mut first = HandTask::new(any.cancelled());
    let mut last = HandTask::new(all.cancelled());
    first.assert_pending();
    last.assert_pending();
    advance(SECOND + TICK).await;
    settle().await;
    assert_eq!((first.wakes(), last.wakes()), (1, 0));
    advance(SECOND).await;
    settle().await;
    assert_eq!((first.wakes(), last.wakes()), (1, 1));
    assert_eq!([&any, &all].map(cause_of), ["early", "late"]);
}

// guarantee C2, B5
#[tokio::test(start_paused = true)]
async fn an_end_above_is_told_at_once_and_the_deadline_not_again() {
    let (parent, canceller) = Context::background().with_cancel();
    let context = parent.with_timeout(SECOND);
    let mut task = HandTask::new(context.cancelled());
    task.assert_pending();
    canceller.cancel();
    assert_eq!(task.wakes(), 1);
    advance(2 * SECOND).await;
    settle().await;
    assert_eq!(task.wakes(), 1);
    assert_eq!(task.assert_ready().kind(), Kind::Cancelled);
}

// guarantee C2; the symptom: a timer that was dropped in the very tick it was due panicked
#[tokio::test(start_paused = true)]
async fn a_waiter_dropped_in_the_tick_of_its_deadline_is_gone() {
    for before in [true, false] {
        let (root, _canceller) = Context::background().with_cancel();
        let context = root.with_timeout(SECOND);
        let other = root.with_timeout(SECOND);
        let mut lost = HandTask::new(context.cancelled());
        let mut kept = HandTask::new(other.cancelled());
        lost.assert_pending();
        kept.assert_pending();
        if before {
            sleep_until(Instant::from_std(context.deadline().unwrap())).await;
            drop(lost);
        } else {
            advance(SECOND).await;
            drop(lost);
        }
        advance(TICK).await;
        settle().await;
        assert_eq!(kept.wakes(), 1);
        assert_eq!(children(&root), 0);
    }
}

// guarantee C2
#[tokio::test(start_paused = true)]
async fn sleep_and_timeout_take_their_time_and_no_longer() {
    let context = Context::background().with_timeout(5 * SECOND);
    let start = Instant::now();
    context.sleep(SECOND).await.unwrap();
    assert!(start.elapsed() >= SECOND && start.elapsed() <= SECOND + TICK);
    assert_eq!(context.timeout(SECOND, async { 7 }).await.unwrap(), 7);
    let limited = context.timeout(SECOND, std::future::pending::<()>()).await;
    assert!(limited.unwrap_err().is_timeout());
    assert_eq!(end_of(&context), None, "a timeout ends only its call");
    let ended = context.sleep(60 * SECOND).await.unwrap_err();
    assert!(ended.is_timeout());
    assert!(start.elapsed() <= 5 * SECOND + TICK);
    assert!(context.timeout(SECOND, async { 7 }).await.is_err());
}

// guarantee C2; the symptom: a future that was always ready starved its timeout for ever; scenario 3
#[cfg(feature = "macros")]
#[test]
fn a_loop_that_never_yields_sees_a_deadline_of_the_real_clock_within_64_awaits() {
    use cancel_context::cancellable;

    #[cancellable]
    async fn spin(awaits_after: &mut u32) -> Result<(), cancel_context::Cancelled> {
        let at = ctx.deadline().unwrap();
        loop {
            std::future::ready(()).await;
            if std::time::Instant::now() > at {
                *awaits_after += 1;
            }
        }
    }

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let context = Context::background().with_timeout(TICK);
        let mut awaits_after = 0;
        let cancelled = spin(&context, &mut awaits_after).await.unwrap_err();
        assert!(cancelled.is_timeout());
        assert!(awaits_after <= 64, "{awaits_after}");
    });
}

/// Awaits what is ready, and so does a scope of `other`, until the context ends; counts what came too late.
macro_rules! spin_beside {
    ($name:ident, $mode:meta, [$($parameter:tt)*]) => {
        #[$mode]
        async fn $name(
            $($parameter)*
            at: std::time::Instant,
            other: &Context,
            awaits_after: &std::cell::Cell<u32>,
        ) -> Result<(), cancel_context::Cancelled> {
            loop {
                std::future::ready(()).await;
                other.run(std::future::ready(())).await?;
                if std::time::Instant::now() > at {
                    awaits_after.set(awaits_after.get() + 2);
                }
            }
        }
    };
}

// guarantee C2
#[test]
fn a_loop_that_never_yields_sees_the_deadline_of_a_scope_that_waits_for_its_alarm_within_64_awaits()
{
    use cancel_context::cancellable;

    spin_beside!(explicit, cancellable, [ctx: &Context,]);
    spin_beside!(implicit, cancellable(implicit), []);

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let spin = async |is_explicit| {
        let context = Context::background().with_timeout(3 * TICK);
        let other = Context::background().with_timeout(60 * SECOND);
        let at = context.deadline().unwrap();
        let awaits_after = std::cell::Cell::new(0);
        let scope = context.run(async {
            // Registers the scope, which sets the alarm.
            tokio::task::yield_now().await;
            if is_explicit {
                explicit(&context, at, &other, &awaits_after).await
            } else {
                implicit(at, &other, &awaits_after).await
            }
        });
        let cancelled = scope.await.and_then(std::convert::identity).unwrap_err();
        assert!(cancelled.is_timeout());
        assert!(awaits_after.get() <= 64, "{}", awaits_after.get());
    };
    runtime.block_on(async {
        spin(true).await;
        spin(false).await;
    });
}

// guarantee C2; the symptom: a loop over an empty source, which is always ready, was never stopped
#[tokio::test]
async fn a_task_that_burns_its_budget_sees_the_deadline() {
    let context = Context::background().with_timeout(TICK);
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let result = context.run(async move {
        loop {
            sender.send(()).unwrap();
            receiver.recv().await.unwrap();
        }
    });
    let result: Result<(), _> = result.await;
    assert!(result.unwrap_err().is_timeout());
}

// guarantee C4
#[tokio::test(start_paused = true)]
async fn contexts_cost_no_task_each() {
    let metrics = tokio::runtime::Handle::current().metrics();
    let before = metrics.num_alive_tasks();
    let (root, canceller) = Context::background().with_cancel();
    let mut contexts: Vec<_> = (0..1000).map(|_| root.with_timeout(SECOND)).collect();
    contexts.extend((0..1000).map(|_| root.with_future(std::future::pending::<&str>())));
    let mut tasks: Vec<_> = contexts
        .iter()
        .map(|it| HandTask::new(it.cancelled()))
        .collect();
    tasks.iter_mut().for_each(HandTask::assert_pending);
    let callbacks: Vec<_> = contexts.iter().map(|it| it.after_cancel(|| {})).collect();
    settle().await;
    assert!(
        metrics.num_alive_tasks() <= before + 1,
        "the driver of the timers is one"
    );
    assert!(callbacks.into_iter().all(cancel_context::AfterCancel::stop));
    canceller.cancel();
    assert!(
        tasks
            .iter_mut()
            .all(|task| matches!(task.poll(), Poll::Ready(_)))
    );
}
