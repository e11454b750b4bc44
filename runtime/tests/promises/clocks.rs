//! Whose clock drives a deadline: a paused runtime's, a gone runtime's, or the system's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use cancel_context::{Context, InterruptGuard};
use futures::executor::block_on;
use tokio::runtime::{Builder, Runtime};
use tokio::time::advance;

use crate::support::tasks::HandTask;
use crate::support::{end_of, panics};

const SECOND: Duration = Duration::from_secs(1);
/// Short enough to be waited for.
const SHORT: Duration = Duration::from_millis(20);
/// Far more than any event of a test takes.
const BOUND: Duration = Duration::from_secs(20);

fn paused() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

fn real() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

/// Tells when, and on which thread, a context ended.
struct Told {
    receiver: Receiver<(Instant, ThreadId)>,
    _guard: InterruptGuard,
}

impl Told {
    fn wait(&self) -> (Instant, ThreadId) {
        self.receiver.recv_timeout(BOUND).unwrap()
    }
}

fn told(context: &Context) -> Told {
    let (sender, receiver) = mpsc::channel();
    let guard = context.interrupt_with(move || {
        // Nobody listens any more if the test has failed.
        sender
            .send((Instant::now(), thread::current().id()))
            .unwrap_or_default();
    });
    Told {
        receiver,
        _guard: guard,
    }
}

// guarantee C3
#[test]
fn the_paused_clock_drives_the_contexts_of_its_runtime() {
    let runtime = paused();
    let context = runtime.block_on(async {
        let context = Context::background().with_timeout(3600 * SECOND);
        let begun = Instant::now();
        assert!(context.cancelled().await.is_timeout());
        assert!(begun.elapsed() < BOUND, "no real hour went by");
        Context::background().with_timeout(3600 * SECOND)
    });
    assert_eq!(end_of(&context), None);
    runtime.block_on(advance(3600 * SECOND));
    assert!(
        context.is_cancelled(),
        "also when read outside of the runtime"
    );
}

// guarantee C3
#[test]
fn a_paused_clock_that_stands_ends_nothing_however_much_real_time_goes_by() {
    let runtime = paused();
    let timed = {
        let _entered = runtime.enter();
        Context::background().with_timeout(SHORT)
    };
    // Real time goes by until a context of the system's clock has ended.
    block_on(Context::background().with_timeout(2 * SHORT).cancelled());
    assert_eq!(end_of(&timed), None);
    assert_eq!(timed.remaining(), Some(SHORT));
    runtime.block_on(advance(SHORT));
    assert_eq!(timed.remaining(), Some(Duration::ZERO));
}

// guarantee C3
#[test]
fn a_context_made_outside_of_a_runtime_ends_on_the_system_clock_without_a_poll() {
    let context = Context::background().with_timeout(SHORT);
    let at = context.deadline().unwrap();
    let (ended, thread) = told(&context).wait();
    assert!(ended >= at);
    assert_ne!(thread, thread::current().id());
    // The paused clock of a runtime in which it is read does not matter.
    paused().block_on(async {
        let (_, canceller) = Context::background().with_cancel();
        drop(canceller);
        assert!(context.is_cancelled());
    });
}

// guarantee C3
#[test]
fn a_context_of_the_system_is_not_ended_by_the_paused_clock_it_is_read_on() {
    let context = Context::background().with_timeout(3600 * SECOND);
    paused().block_on(async {
        let child = context.with_name("child");
        advance(7200 * SECOND).await;
        assert_eq!(end_of(&child), None);
    });
}

// guarantee C3, C4
#[test]
fn one_thread_serves_all_contexts_made_outside_of_runtimes() {
    let contexts: Vec<_> = (0..50)
        .map(|_| Context::background().with_timeout(SHORT))
        .collect();
    let told: Vec<_> = contexts.iter().map(told).collect();
    let threads: Vec<_> = told.iter().map(|it| it.wait().1).collect();
    assert!(threads.iter().all(|thread| *thread == threads[0]));
    // An earlier deadline than the one the thread sleeps for is on time as well.
    let late = Context::background().with_timeout(3600 * SECOND);
    let mut waiting = HandTask::new(late.cancelled());
    waiting.assert_pending();
    let early = Context::background().with_timeout(SHORT);
    assert_eq!(self::told(&early).wait().1, threads[0]);
}

// guarantee C3
#[test]
fn deadlines_outside_of_a_runtime_can_be_moved_while_somebody_waits() {
    let start = Instant::now();
    let (context, mover) = Context::background().with_movable_deadline(start + 3600 * SECOND);
    let told = told(&context);
    assert!(mover.move_to(Instant::now() + SHORT));
    assert!(told.wait().0 >= context.deadline().unwrap());
    assert!(!mover.move_to(Instant::now() + SECOND));
}

// guarantee C3
#[test]
fn contexts_that_outlive_their_runtime_still_end_on_time() {
    let runtime = real();
    let (context, told) = runtime.block_on(async {
        let context = Context::background().with_timeout(5 * SHORT);
        let told = told(&context);
        (context, told)
    });
    let unwatched = {
        let _entered = runtime.enter();
        Context::background().with_timeout(5 * SHORT)
    };
    drop(runtime);
    let (ended, _) = told.wait();
    assert!(ended >= context.deadline().unwrap());
    block_on(unwatched.cancelled());
    assert!(Instant::now() >= unwatched.deadline().unwrap());
}

// guarantee C3
#[test]
fn after_a_paused_runtime_is_gone_real_time_counts() {
    let runtime = paused();
    let (context, told, late) = runtime.block_on(async {
        let context = Context::background().with_timeout(3600 * SECOND);
        let late = Context::background().with_timeout(7200 * SECOND);
        let told = told(&context);
        advance(3599 * SECOND).await;
        (context, told, late)
    });
    let gone = Instant::now();
    drop(runtime);
    assert_eq!(end_of(&context), None);
    assert!(context.remaining().unwrap() <= SECOND);
    let (ended, _) = told.wait();
    assert!(ended >= gone + SECOND);
    let left = late.remaining().unwrap();
    assert!(left > 3000 * SECOND && left <= 3600 * SECOND, "{left:?}");
    // Somebody who begins to wait only now is told, too.
    let (moved, mover) = late.with_movable_deadline(late.deadline().unwrap());
    assert_eq!(end_of(&moved), None);
    assert!(mover.move_to(Instant::now() + SHORT));
    block_on(moved.cancelled());
}

// guarantee C3
#[test]
fn a_runtime_without_a_time_driver_has_its_contexts_ended_on_time() {
    panics::watch();
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        for _ in 0..2 {
            let context = Context::background().with_timeout(SHORT);
            let cancelled = context.cancelled().await;
            assert!(cancelled.is_timeout());
            assert!(Instant::now() >= context.deadline().unwrap());
        }
        let context = Context::background().with_timeout(SHORT);
        assert!(context.run(std::future::pending::<()>()).await.is_err());
    });
}

// guarantee C3
#[test]
fn on_a_runtime_that_nobody_drives_reading_sees_the_deadline_and_callbacks_run_later() {
    let runtime = real();
    let calls = Arc::new(AtomicUsize::new(0));
    let (context, waiting) = runtime.block_on(async {
        let context = Context::background().with_timeout(20 * SHORT);
        let counted = Arc::clone(&calls);
        context.after_cancel(move || {
            counted.fetch_add(1, SeqCst);
        });
        let mut waiting = HandTask::new(context.clone().cancelled_owned());
        waiting.assert_pending();
        tokio::task::yield_now().await;
        (context, waiting)
    });
    block_on(Context::background().with_timeout(21 * SHORT).cancelled());
    assert_eq!((calls.load(SeqCst), waiting.wakes()), (0, 0));
    assert!(context.is_cancelled());
    runtime.block_on(async {
        while calls.load(SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    });
    assert_eq!((calls.load(SeqCst), waiting.wakes()), (1, 1));
}

// guarantee C3
#[test]
fn deadlines_of_two_runtimes_keep_apart() {
    let (first, second) = (paused(), paused());
    let early = first.block_on(async { Context::background().with_timeout(SECOND) });
    let below = second.block_on(async { early.with_timeout(10 * SECOND) });
    second.block_on(advance(5 * SECOND));
    assert_eq!(end_of(&early), None);
    assert_eq!(end_of(&below), None);
    first.block_on(advance(SECOND));
    assert!(early.is_cancelled() && below.is_cancelled());
    let own = second.block_on(async { Context::background().with_timeout(SECOND) });
    second.block_on(advance(SECOND));
    assert!(own.is_cancelled());
}

// guarantee C3
#[test]
fn a_context_is_waited_for_on_another_runtime_than_its_own() {
    let own = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap();
    let other = real();
    let context = {
        let _entered = own.enter();
        Context::background().with_timeout(SHORT)
    };
    assert!(other.block_on(context.cancelled()).is_timeout());
}
