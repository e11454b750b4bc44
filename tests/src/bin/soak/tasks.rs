//! Many tasks at a time, in scopes that end by a cancel, by a deadline or by completion.

use std::ops::AddAssign;
use std::time::Duration;

use cancel_context::{Cancelled, Context, Kind, cancellable};
use tokio::task::JoinSet;

use crate::random::Random;

const TASKS: usize = 100_000;

/// How a task ends.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Cancel,
    Deadline,
    Completion,
}

#[cancellable]
async fn explicit(awaits: u64) -> Result<u64, Cancelled> {
    for _ in 0..awaits {
        tokio::task::yield_now().await;
    }
    Ok(awaits)
}

/// Without an error to leave with: its scope reports the end.
#[cancellable(implicit)]
async fn implicit(awaits: u64) -> u64 {
    for _ in 0..awaits {
        tokio::task::yield_now().await;
    }
    awaits
}

#[cancellable]
async fn wait_for_ever() -> Result<u64, Cancelled> {
    let ctx = ctx.with_timeout(Duration::from_secs(3600));
    let (left, right) = futures::join!(endless(&ctx), std::future::pending::<u64>());
    Ok(left? + right)
}

#[cancellable]
async fn endless() -> Result<u64, Cancelled> {
    std::future::pending::<()>().await;
    Ok(0)
}

async fn work(ctx: Context, end: End, awaits: u64) -> Result<u64, Cancelled> {
    let first = explicit(&ctx, awaits).await?;
    let second = implicit(awaits).await;
    match end {
        End::Completion => Ok(first + second),
        End::Cancel | End::Deadline => wait_for_ever(&ctx).await,
    }
}

/// How many tasks there were of each kind.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) cancelled: usize,
    pub(crate) timed_out: usize,
    pub(crate) completed: usize,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.cancelled += other.cancelled;
        self.timed_out += other.timed_out;
        self.completed += other.completed;
    }
}

impl Counts {
    /// Counts the end of a task, which has to be the one that was meant.
    fn add(&mut self, end: End, result: Result<u64, Cancelled>) {
        let (count, expected) = match end {
            End::Cancel => (&mut self.cancelled, Some(Kind::Cancelled)),
            End::Deadline => (&mut self.timed_out, Some(Kind::DeadlineExceeded)),
            End::Completion => (&mut self.completed, None),
        };
        *count += 1;
        let kind = result.err().map(|cancelled| cancelled.kind());
        assert_eq!(kind, expected, "how a task has ended");
    }
}

/// Runs all tasks below `root` to their end.
pub(crate) async fn round(root: &Context, seed: u64, number: u64) -> Counts {
    let mut random = Random::new(seed, u64::MAX - number);
    let (below, canceller) = root.with_cancel();
    let (mut tasks, mut cancellers) = (JoinSet::new(), Vec::new());
    for _ in 0..TASKS {
        let end = [End::Cancel, End::Deadline, End::Completion][random.index(3)];
        let awaits = random.below(4);
        let context = match end {
            End::Deadline => root.with_timeout(Duration::from_millis(1 + random.below(200))),
            End::Completion => root.with_name("completes"),
            End::Cancel if random.below(2) == 0 => below.with_name("cancelled"),
            End::Cancel => {
                let (context, canceller) = root.with_cancel();
                cancellers.push(canceller);
                context
            }
        };
        let scope = context.run(work(context.clone(), end, awaits));
        tasks.spawn(async move { (end, scope.await.and_then(|result| result)) });
    }
    canceller.cancel_with("all of them");
    drop(cancellers);
    let mut counts = Counts::default();
    while let Some(ended) = tasks.join_next().await {
        let (end, result) = ended.expect("no task panics");
        counts.add(end, result);
    }
    counts
}
