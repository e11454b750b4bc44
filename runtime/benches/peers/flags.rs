//! "Is it cancelled?", asked in a loop.
//!
//! The bare one is a flag behind an `Arc`, as one has to share it. A context is *linked* if somebody waits
//! for it, or for one below it.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cancel_context::{Canceller, Context};
use tokio_util::sync::CancellationToken;

use crate::by_hand::LONG;
use crate::hand;
use crate::measure::{Pace, Race, Who, timed};
use crate::setting::{Timers, on_two_cores, root};
use crate::workload::{Outcome, Target, Workload};

pub(crate) fn workloads() -> Vec<Workload> {
    let of_bare = |limit| Target::Of(Who::Bare, limit);
    vec![
        Workload::new("is_cancelled", of_bare(1.1), linked),
        Workload::new("is_cancelled_root", of_bare(1.1), of_root),
        Workload::new("is_cancelled_2_cores", of_bare(1.1), linked_2_cores),
        Workload::new("is_cancelled_root_2_cores", of_bare(1.1), of_root_2_cores),
        Workload::new(
            "is_cancelled_unlinked10",
            Target::Absolute(12.0),
            unlinked10,
        ),
        Workload::new("is_cancelled_deadline", of_bare(1.5), deadline),
        Workload::new(
            "is_cancelled_deadline_no_runtime",
            of_bare(1.5),
            deadline_no_runtime,
        ),
    ]
}

/// Asks so many times.
fn ask<T>(times: usize, handle: &T, is_cancelled: impl Fn(&T) -> bool) -> Duration {
    timed(|| {
        for _ in 0..times {
            assert!(!is_cancelled(black_box(handle)));
        }
    })
}

/// Asks on this core, or on two of them.
fn race(pace: Pace, cores: usize, ctx: &Context) -> Outcome {
    let (flag, token) = (Arc::new(AtomicBool::new(false)), CancellationToken::new());
    let token = token.child_token();
    let turn = |work: &(dyn Fn() -> Duration + Sync)| {
        if cores == 1 {
            work()
        } else {
            on_two_cores(work)
        }
    };
    let mut race = if cores == 1 {
        Race::new(pace)
    } else {
        Race::of_long_turns(pace)
    };
    race.enter(Who::Bare, |times| {
        turn(&|| ask(times, &flag, |flag| flag.load(Ordering::Acquire)))
    });
    race.enter(Who::Ours, |times| {
        turn(&|| ask(times, ctx, Context::is_cancelled))
    });
    race.enter(Who::TokioUtil, |times| {
        turn(&|| ask(times, &token, CancellationToken::is_cancelled))
    });
    race.run().into()
}

fn race_linked(pace: Pace, cores: usize) -> Outcome {
    let (root, _canceller) = root();
    let (ctx, _canceller) = root.with_cancel();
    let _waiter = hand::wait(ctx.cancelled());
    race(pace, cores, &ctx)
}

fn linked(pace: Pace) -> Outcome {
    race_linked(pace, 1)
}

fn linked_2_cores(pace: Pace) -> Outcome {
    race_linked(pace, 2)
}

fn of_root(pace: Pace) -> Outcome {
    let (ctx, _canceller) = root();
    race(pace, 1, &ctx)
}

fn of_root_2_cores(pace: Pace) -> Outcome {
    let (ctx, _canceller) = root();
    race(pace, 2, &ctx)
}

fn unlinked10(pace: Pace) -> Outcome {
    let mut levels: Vec<(Context, Canceller)> = vec![root()];
    let mut token = CancellationToken::new();
    for level in 0..10 {
        levels.push(levels[level].0.with_cancel());
        token = token.child_token();
    }
    let ctx = &levels[10].0;
    let mut race = Race::new(pace);
    race.enter(Who::Ours, |times| ask(times, ctx, Context::is_cancelled));
    race.enter(Who::TokioUtil, |times| {
        ask(times, &token, CancellationToken::is_cancelled)
    });
    race.run().into()
}

fn race_deadline(pace: Pace) -> Outcome {
    let (root, _canceller) = root();
    let ctx = root.with_timeout(LONG);
    let end = Instant::now() + LONG;
    let mut race = Race::new(pace);
    race.enter(Who::Bare, |times| {
        ask(times, &end, |end| Instant::now() >= *end)
    });
    race.enter(Who::Ours, |times| ask(times, &ctx, Context::is_cancelled));
    race.run().into()
}

fn deadline(pace: Pace) -> Outcome {
    let timers = Timers::new();
    let _entered = timers.enter();
    race_deadline(pace)
}

fn deadline_no_runtime(pace: Pace) -> Outcome {
    race_deadline(pace)
}
