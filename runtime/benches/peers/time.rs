//! Deadlines: scopes with one, awaits under one, and many that are pending.

use std::future::pending;
use std::hint::black_box;
use std::time::Instant;

use crate::annotated::{bare, explicit};
use crate::by_hand::{self, LONG};
use crate::hand::{self, Slot, finish};
use crate::measure::{Pace, Race, Who, timed};
use crate::setting::{Timers, root};
use crate::workload::{Outcome, Target, Workload};

pub(crate) fn workloads() -> Vec<Workload> {
    let of_timeout = |limit| Target::Of(Who::Timeout, limit);
    vec![
        Workload::new("timeout_scope_ready", of_timeout(1.5), scope_ready),
        Workload::new("awaits_1000_one_deadline", of_timeout(0.4), one_deadline),
        Workload::new("deadlines_100k_pending", of_timeout(1.0), pending_deadlines),
    ]
}

/// A scope whose future is ready at once; bare is the clock read that each needs.
fn scope_ready(pace: Pace) -> Outcome {
    let ((ctx, _canceller), timers, slot) = (root(), Timers::new(), Slot::default());
    let _entered = timers.enter();
    let mut race = Race::new(pace);
    race.enter(Who::Bare, |times| {
        timed(|| (0..times).for_each(|_| _ = black_box(Instant::now())))
    });
    race.enter(Who::Ours, |times| {
        let work = async {
            for number in 0..times {
                black_box(ctx.timeout(LONG, hand::ready(number as u64)).await.is_ok());
            }
        };
        timed(|| finish(work, &slot))
    });
    race.enter(Who::Timeout, |times| {
        let work = async {
            for number in 0..times {
                black_box(
                    tokio::time::timeout(LONG, hand::ready(number as u64))
                        .await
                        .is_ok(),
                );
            }
        };
        timed(|| finish(work, &slot))
    });
    race.run().into()
}

/// A thousand awaits that are pending once, in a function under one deadline, against a timeout for
/// each; per await.
fn one_deadline(pace: Pace) -> Outcome {
    const AWAITS: usize = 1000;
    let ((ctx, _canceller), timers, slot) = (root(), Timers::new(), Slot::default());
    let _entered = timers.enter();
    let mut race = Race::of_size(5 * AWAITS, pace.choose(51, 201));
    race.enter(Who::Bare, |times| {
        timed(|| {
            for _ in 0..times / AWAITS {
                finish(bare::woken(&slot, AWAITS), &slot).expect("nothing ends it");
            }
        })
    });
    race.enter(Who::Ours, |times| {
        timed(|| {
            for _ in 0..times / AWAITS {
                let ctx = ctx.with_timeout(LONG);
                let sum = finish(ctx.run(explicit::woken(&ctx, &slot, AWAITS)), &slot);
                sum.expect("it is in time").expect("it is in time");
            }
        })
    });
    race.enter(Who::Timeout, |times| {
        timed(|| {
            for _ in 0..times / AWAITS {
                let sum = finish(by_hand::with_timeout::woken(&LONG, &slot, AWAITS), &slot);
                sum.expect("it is in time");
            }
        })
    });
    race.run().into()
}

/// Deadlines that are all different and come in no order, each waited for; from the first one's making
/// to the last one's drop, per deadline.
fn pending_deadlines(pace: Pace) -> Outcome {
    const PENDING: usize = 100_000;
    // Without a factor in common with the number of deadlines.
    const STEP: usize = 61_803;
    let ((ctx, _canceller), timers) = (root(), Timers::new());
    let _entered = timers.enter();
    let limit =
        |index: usize| LONG + std::time::Duration::from_millis((index * STEP % PENDING) as u64);
    let mut race = Race::of_size(PENDING, pace.choose(9, 21));
    race.enter(Who::Ours, |times| {
        let mut waiting = Vec::with_capacity(times);
        timed(|| {
            for index in 0..times {
                let scope = ctx.timeout(limit(index), pending::<()>());
                waiting.push(hand::wait(Box::pin(scope)));
            }
            drop(waiting);
        })
    });
    race.enter(Who::Timeout, |times| {
        let mut waiting = Vec::with_capacity(times);
        timed(|| {
            for index in 0..times {
                let scope = tokio::time::timeout(limit(index), pending::<()>());
                waiting.push(hand::wait(Box::pin(scope)));
            }
            drop(waiting);
        })
    });
    race.run().into()
}
