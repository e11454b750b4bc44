//! Contexts: deriving and dropping one, and looking up a value.

use std::hint::black_box;
use std::time::Duration;

use cancel_context::Context;
use tokio_util::sync::CancellationToken;

use crate::measure::{Pace, Race, Who, timed};
use crate::setting::{on_two_cores, root};
use crate::workload::{Outcome, Target, Workload};

pub(crate) fn workloads() -> Vec<Workload> {
    let of_token = |limit| Target::Of(Who::TokioUtil, limit);
    vec![
        Workload::new("derive_drop", of_token(0.5), derive_drop),
        Workload::new("derive_end_drop", of_token(0.5), derive_end_drop),
        Workload::new("derive_drop_2_cores", of_token(0.15), derive_drop_2_cores),
        Workload::new("value_10_up", Target::Absolute(12.0), value_10_up),
    ]
}

/// As large as a context may be.
type Allocation = [u64; 10];

fn repeat(times: usize, work: impl Fn()) -> Duration {
    timed(|| (0..times).for_each(|_| work()))
}

fn allocate() {
    drop(black_box(Box::new(black_box(Allocation::default()))));
}

fn derive_drop(pace: Pace) -> Outcome {
    let ((parent, _canceller), token) = (root(), CancellationToken::new());
    let mut race = Race::new(pace);
    race.enter(Who::Bare, |times| repeat(times, allocate));
    race.enter(Who::Ours, |times| {
        repeat(times, || drop(black_box(parent.with_cancel())))
    });
    race.enter(Who::TokioUtil, |times| {
        repeat(times, || drop(black_box(token.child_token())))
    });
    race.run().into()
}

/// As locals are dropped, in the reverse order: the canceller first, which ends the context.
fn derive_end_drop(pace: Pace) -> Outcome {
    let ((parent, _canceller), token) = (root(), CancellationToken::new());
    let mut race = Race::new(pace);
    race.enter(Who::Bare, |times| repeat(times, allocate));
    race.enter(Who::Ours, |times| {
        repeat(times, || {
            let (context, canceller) = black_box(parent.with_cancel());
            drop(canceller);
            drop(black_box(context));
        })
    });
    race.enter(Who::TokioUtil, |times| {
        repeat(times, || {
            let token = black_box(token.child_token());
            token.cancel();
            drop(black_box(token));
        })
    });
    race.run().into()
}

fn derive_drop_2_cores(pace: Pace) -> Outcome {
    let ((parent, _canceller), token) = (root(), CancellationToken::new());
    let mut race = Race::of_long_turns(pace);
    race.enter(Who::Bare, |times| on_two_cores(|| repeat(times, allocate)));
    race.enter(Who::Ours, |times| {
        on_two_cores(|| repeat(times, || drop(black_box(parent.with_cancel()))))
    });
    race.enter(Who::TokioUtil, |times| {
        on_two_cores(|| repeat(times, || drop(black_box(token.child_token()))))
    });
    race.run().into()
}

struct Wanted(u64);
struct Other(#[expect(dead_code, reason = "only its type counts")] u64);

/// Of the ten levels between, three have values of other types.
fn value_10_up(pace: Pace) -> Outcome {
    let top = Context::background().with_value(Wanted(7));
    let mut cancellers = Vec::new();
    let mut context = top;
    for level in 0..10_u64 {
        context = match level % 3 {
            0 => {
                let (context, canceller) = context.with_cancel();
                cancellers.push(canceller);
                context
            }
            1 => context.with_value(Other(level)),
            _ => context.with_name("level"),
        };
    }
    let mut race = Race::new(pace);
    race.enter(Who::Ours, |times| {
        repeat(times, || {
            let value = black_box(&context).value::<Wanted>();
            assert_eq!(value.map(|wanted| wanted.0), Some(7));
        })
    });
    race.run().into()
}
