//! Cancelling many: a million children that are waited for, and a hundred thousand tasks until the last
//! one has ended.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context as Task, Poll};
use std::time::Duration;

use stop_token::StopSource;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
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
    let waiting = Arc::new(Semaphore::new(0));
    let tasks = (0..times)
        .map(|_| runtime.spawn(scope(Waiting::new(&waiting))))
        .collect();
    let all = u32::try_from(times).expect("there are fewer tasks than that");
    // One of each worker may still be in its poll: they are too few to be seen in the figures.
    let permits = runtime.block_on(waiting.acquire_many(all));
    permits.expect("the semaphore is never closed").forget();
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

/// Waits for ever, and adds a permit when it begins to.
struct Waiting(Option<Arc<Semaphore>>);

impl Waiting {
    fn new(waiting: &Arc<Semaphore>) -> Self {
        Self(Some(Arc::clone(waiting)))
    }
}

impl Future for Waiting {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<()> {
        if let Some(waiting) = self.0.take() {
            waiting.add_permits(1);
        }
        Poll::Pending
    }
}
