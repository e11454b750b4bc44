//! One await: of what is ready, and of what is pending once.
//!
//! What is pending is woken by another task: two of them, of one thread of tokio, wake each other in turn.
//! The others are in one function, which is polled by hand, in a scope unless the key says otherwise.
//!
//! `…_by_hand` has no target, since a task is always woken by an executor, which costs several times as much
//! as the await itself. Nothing of one is in its figures, so they show what the context adds.
//!
//! In a scope that has not been pending yet, nobody has had to wait for the context, so its flag is read
//! off its ancestors; `…_linked` has been pending once.

use cancel_context::Context;

use crate::annotated::{bare, explicit, implicit};
use crate::by_hand::{Sources, enter_peers};
use crate::hand::{Slot, finish};
use crate::measure::{Pace, Race, Who, timed};
use crate::setting::{Timers, current_thread, root};
use crate::turns::{self, Seat};
use crate::workload::{Outcome, Target, Workload};

pub(crate) fn workloads() -> Vec<Workload> {
    let of_bare = |limit| Target::Of(Who::Bare, limit);
    vec![
        Workload::new("await_ready_explicit", of_bare(1.3), ready_explicit),
        Workload::new(
            "await_ready_explicit_linked",
            of_bare(1.3),
            ready_explicit_linked,
        ),
        Workload::new("await_ready_implicit", of_bare(1.15), ready_implicit),
        Workload::new(
            "await_ready_implicit_linked",
            of_bare(1.15),
            ready_implicit_linked,
        ),
        Workload::new("await_ready_no_scope", of_bare(2.0), ready_no_scope),
        Workload::new("await_wake_explicit", of_bare(1.25), wake_explicit),
        Workload::new("await_wake_implicit", of_bare(1.2), wake_implicit),
        Workload::new(
            "await_wake_explicit_by_hand",
            Target::None,
            wake_explicit_by_hand,
        ),
        Workload::new(
            "await_wake_implicit_by_hand",
            Target::None,
            wake_implicit_by_hand,
        ),
    ]
}

/// The await of what is ready, ours as `$ours` does it.
macro_rules! ready {
    ($pace:ident, |$ctx:ident, $slot:ident, $times:ident| $ours:expr) => {{
        let ($ctx, _canceller) = root();
        let (sources, timers, slot) = (Sources::default(), Timers::new(), Slot::default());
        let (_entered, $slot) = (timers.enter(), &slot);
        let mut race = Race::new($pace);
        race.enter(Who::Bare, |times| {
            timed(|| finish(bare::ready(times), $slot))
        });
        race.enter(Who::Ours, |$times| timed(|| finish($ours, $slot)));
        enter_peers!(race, sources, |peer, context, times| {
            timed(|| finish(peer::ready(context, times), $slot))
        });
        race.run().into()
    }};
}

fn ready_explicit(pace: Pace) -> Outcome {
    ready!(pace, |ctx, slot, times| ctx
        .run(explicit::ready(&ctx, times)))
}

fn ready_explicit_linked(pace: Pace) -> Outcome {
    ready!(pace, |ctx, slot, times| ctx.run(async {
        slot.woken().await;
        explicit::ready(&ctx, times).await
    }))
}

fn ready_implicit(pace: Pace) -> Outcome {
    ready!(pace, |ctx, slot, times| ctx.run(implicit::ready(times)))
}

fn ready_implicit_linked(pace: Pace) -> Outcome {
    ready!(pace, |ctx, slot, times| ctx.run(async {
        slot.woken().await;
        implicit::ready(times).await
    }))
}

fn ready_no_scope(pace: Pace) -> Outcome {
    ready!(pace, |ctx, slot, times| explicit::ready(&ctx, times))
}

/// The await of what another task wakes; ours with `play`.
fn wake<F>(pace: Pace, play: impl Fn(Context, Seat, usize) -> F) -> Outcome
where
    F: Future<Output: 'static> + 'static,
{
    let (sources, runtime) = (Sources::of_tasks(), &current_thread());
    let (ctx, _canceller) = root();
    let mut race = Race::of_long_turns(pace);
    race.enter(Who::Bare, |times| {
        turns::alternate(runtime, times, |seat, times| async move {
            bare::alternate(&seat, times).await
        })
    });
    race.enter(Who::Ours, |times| {
        turns::alternate(runtime, times, |seat, times| {
            ctx.run(play(ctx.clone(), seat, times))
        })
    });
    enter_peers!(race, sources, |peer, context, times| {
        turns::alternate(runtime, times, |seat, times| async move {
            peer::alternate(context, &seat, times).await
        })
    });
    race.run().into()
}

fn wake_explicit(pace: Pace) -> Outcome {
    wake(pace, |ctx, seat, times| async move {
        explicit::alternate(&ctx, &seat, times).await
    })
}

fn wake_implicit(pace: Pace) -> Outcome {
    wake(pace, |_, seat, times| async move {
        implicit::alternate(&seat, times).await
    })
}

/// The await of what is pending once, ours as `$ours` does it.
macro_rules! wake_by_hand {
    ($pace:ident, |$ctx:ident, $slot:ident, $times:ident| $ours:expr) => {{
        let ($ctx, _canceller) = root();
        let (sources, timers, slot) = (Sources::default(), Timers::new(), Slot::default());
        let (_entered, $slot) = (timers.enter(), &slot);
        let mut race = Race::new($pace);
        race.enter(Who::Bare, |times| {
            timed(|| finish(bare::woken($slot, times), $slot))
        });
        race.enter(Who::Ours, |$times| timed(|| finish($ours, $slot)));
        enter_peers!(race, sources, |peer, context, times| {
            timed(|| finish(peer::woken(context, $slot, times), $slot))
        });
        race.run().into()
    }};
}

fn wake_explicit_by_hand(pace: Pace) -> Outcome {
    wake_by_hand!(pace, |ctx, slot, times| ctx
        .run(explicit::woken(&ctx, slot, times)))
}

fn wake_implicit_by_hand(pace: Pace) -> Outcome {
    wake_by_hand!(pace, |ctx, slot, times| ctx
        .run(implicit::woken(slot, times)))
}
