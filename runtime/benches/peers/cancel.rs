//! Cancelling many: a million children that are waited for, and a hundred thousand tasks until the last
//! one has ended.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context as Task, Poll};
use std::time::Duration;

use stop_token::StopSource;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::hand;
use crate::measure::{Pace, Race, Who, timed};
use crate::setting::root;
use crate::workload::{Outcome, Target, Workload};

const TASKS: usize = 100_000;

pub(crate) fn workloads() -> Vec<Workload> {
    let of_token = |limit| Target::Of(Who::TokioUtil, limit);
    vec![
        Workload::new("cancel_wide_1m", of_token(0.3), cancel_wide),
        Workload::new("cancel_100k_waiting", of_token(0.95), cancel_waiting),
    ]
}

/// Each child is waited for by one waker; a quick run has fewer of them. Bare is a flag for each.
fn cancel_wide(pace: Pace) -> Outcome {
    let mut race = Race::of_size(pace.choose(200_000, 1_000_000), pace.choose(5, 7));
    race.enter(Who::Bare, |times| {
        let flags: Vec<_> = (0..times)
            .map(|_| Arc::new(AtomicBool::new(false)))
            .collect();
        timed(|| {
            for flag in &flags {
                flag.store(true, Ordering::Release);
            }
        })
    });
    race.enter(Who::Ours, |times| {
        let (root, canceller) = root();
        let children: Vec<_> = (0..times).map(|_| root.with_cancel()).collect();
        let waiters: Vec<_> = (children.iter())
            .map(|(context, _)| hand::wait(context.cancelled()))
            .collect();
        let taken = timed(|| canceller.cancel());
        drop(waiters);
        taken
    });
    race.enter(Who::TokioUtil, |times| {
        let root = CancellationToken::new();
        let waiters: Vec<_> = (0..times)
            .map(|_| hand::wait(Box::pin(root.child_token().cancelled_owned())))
            .collect();
        let taken = timed(|| root.cancel());
        drop(waiters);
        taken
    });
    race.enter(Who::StopToken, |times| {
        let source = StopSource::new();
        let waiters: Vec<_> = (0..times).map(|_| hand::wait(source.token())).collect();
        let taken = timed(|| drop(source));
        drop(waiters);
        taken
    });
    race.run().into()
}

/// From the cancel until all of the tasks have ended; bare aborts each.
fn cancel_waiting(pace: Pace) -> Outcome {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .expect("the system can start two more threads");
    let mut race = Race::of_size(TASKS, pace.choose(9, 21));
    race.enter(Who::Bare, |times| {
        let tasks = spawn_waiting(&runtime, times, std::convert::identity);
        let aborts: Vec<_> = tasks.iter().map(JoinHandle::abort_handle).collect();
        until_ended(&runtime, tasks, || {
            for abort in &aborts {
                abort.abort();
            }
        })
    });
    race.enter(Who::Ours, |times| {
        let (context, canceller) = root();
        let tasks = spawn_waiting(&runtime, times, |waiting| context.run(waiting));
        until_ended(&runtime, tasks, || canceller.cancel())
    });
    race.enter(Who::TokioUtil, |times| {
        let token = CancellationToken::new();
        let tasks = spawn_waiting(&runtime, times, |waiting| {
            token.clone().run_until_cancelled_owned(waiting)
        });
        until_ended(&runtime, tasks, || token.cancel())
    });
    race.run().into()
}

/// Spawns so many tasks, `scope` around what each waits for, and waits until all of them wait.
fn spawn_waiting<F>(
    runtime: &Runtime,
    times: usize,
    scope: impl Fn(Waiting) -> F,
) -> Vec<JoinHandle<F::Output>>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let count = Arc::new(AtomicUsize::new(0));
    let tasks = (0..times)
        .map(|_| runtime.spawn(scope(Waiting::new(&count))))
        .collect();
    // Acquire: pairs with the Release of `Waiting`.
    while count.load(Ordering::Acquire) < times {
        std::thread::sleep(Duration::from_millis(1));
    }
    // The last ones have been polled, but may not have been left yet.
    std::thread::sleep(Duration::from_millis(10));
    tasks
}

fn until_ended<T>(runtime: &Runtime, tasks: Vec<JoinHandle<T>>, end: impl FnOnce()) -> Duration {
    timed(|| {
        end();
        runtime.block_on(async {
            for task in tasks {
                // An error is the end of a task as well: that of one that was aborted.
                drop(task.await);
            }
        });
    })
}

/// Waits for ever, and is counted when it begins to.
struct Waiting(Option<Arc<AtomicUsize>>);

impl Waiting {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        Self(Some(Arc::clone(count)))
    }
}

impl Future for Waiting {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<()> {
        if let Some(count) = self.0.take() {
            count.fetch_add(1, Ordering::Release);
        }
        Poll::Pending
    }
}
