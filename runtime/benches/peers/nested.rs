//! Ten nested functions of which the innermost waits: what waking them costs, and their size.
//!
//! The ten are called again and again within one scope, by a block that is not annotated. A function that
//! is not inlined is polled through [`Opaque`](crate::hand::Opaque).

use crate::annotated::{bare, explicit, generic, implicit};
use crate::by_hand::{self, Sources, enter_peers};
use crate::hand::{Slot, finish};
use crate::measure::{Pace, Race, Samples, Who, timed};
use crate::setting::{Timers, root};
use crate::workload::{Outcome, Target, Workload};

pub(crate) fn workloads() -> Vec<Workload> {
    let of_bare = |limit| Target::Of(Who::Bare, limit);
    vec![
        Workload::new("nested10_wake", of_bare(1.2), wake),
        Workload::new("nested10_wake_generic", of_bare(1.2), wake_generic),
        Workload::new("nested10_wake_implicit", of_bare(1.2), wake_implicit),
        Workload::new("nested10_wake_inlined", of_bare(2.0), wake_inlined),
        Workload::new(
            "nested10_wake_inlined_implicit",
            of_bare(2.0),
            wake_inlined_implicit,
        ),
        Workload::of_memory("size_nested10_explicit", of_bare(1.5), size_explicit),
        Workload::of_memory("size_nested10_explicit_generic", of_bare(2.0), size_generic),
        Workload::of_memory("size_nested10_implicit", of_bare(1.05), size_implicit),
    ]
}

/// Calls `function` so many times, in one task.
async fn repeat<T: Future<Output = Result<u64, E>>, E>(
    times: usize,
    function: impl Fn() -> T,
) -> Result<u64, E> {
    let mut sum = 0;
    for _ in 0..times {
        sum += function().await?;
    }
    Ok(sum)
}

/// Wakes the ten functions that begin with `$outermost`.
macro_rules! wake {
    ($pace:ident, $outermost:ident, |$ctx:ident, $slot:ident| $ours:expr) => {{
        let ($ctx, _canceller) = root();
        let (sources, timers, slot) = (Sources::default(), Timers::new(), Slot::default());
        let (_entered, $slot) = (timers.enter(), &slot);
        let mut race = Race::new($pace);
        race.enter(Who::Bare, |times| {
            timed(|| finish(repeat(times, || bare::$outermost($slot)), $slot))
        });
        race.enter(Who::Ours, |times| {
            timed(|| finish($ctx.run(repeat(times, || $ours)), $slot))
        });
        enter_peers!(race, sources, |peer, context, times| {
            timed(|| finish(repeat(times, || peer::$outermost(context, $slot)), $slot))
        });
        race.run().into()
    }};
}

fn wake(pace: Pace) -> Outcome {
    wake!(pace, opaque10, |ctx, slot| explicit::opaque10(&ctx, slot))
}

fn wake_generic(pace: Pace) -> Outcome {
    wake!(pace, opaque10, |ctx, slot| generic::opaque10(&ctx, slot))
}

fn wake_implicit(pace: Pace) -> Outcome {
    wake!(pace, opaque10, |ctx, slot| implicit::opaque10(slot))
}

fn wake_inlined(pace: Pace) -> Outcome {
    wake!(pace, level10, |ctx, slot| explicit::level10(&ctx, slot))
}

fn wake_inlined_implicit(pace: Pace) -> Outcome {
    wake!(pace, level10, |ctx, slot| implicit::level10(slot))
}

/// The sizes of the ten functions, ours of `ours` bytes.
fn sizes(slot: &Slot, ours: usize) -> Outcome {
    let sources = Sources::default();
    let token = &sources.token;
    Samples::constant([
        (Who::Bare, size_of_val(&bare::level10(slot))),
        (Who::Ours, ours),
        (
            Who::TokioUtil,
            size_of_val(&by_hand::with_token::level10(token, slot)),
        ),
        (
            Who::Select,
            size_of_val(&by_hand::with_select::level10(token, slot)),
        ),
        (
            Who::Timeout,
            size_of_val(&by_hand::with_timeout::level10(&sources.limit, slot)),
        ),
        (
            Who::StopToken,
            size_of_val(&by_hand::with_stop_token::level10(&sources.source, slot)),
        ),
    ])
    .into()
}

fn size_explicit(_: Pace) -> Outcome {
    let ((ctx, _canceller), slot) = (root(), Slot::default());
    sizes(&slot, size_of_val(&explicit::level10(&ctx, &slot)))
}

fn size_generic(_: Pace) -> Outcome {
    let ((ctx, _canceller), slot) = (root(), Slot::default());
    sizes(&slot, size_of_val(&generic::level10(&ctx, &slot)))
}

fn size_implicit(_: Pace) -> Outcome {
    let slot = Slot::default();
    sizes(&slot, size_of_val(&implicit::level10(&slot)))
}
