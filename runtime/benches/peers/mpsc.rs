//! A round trip between two tasks of one thread, through a channel each way.

use std::time::Duration;

use cancel_context::Context;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::annotated::{bare, explicit, implicit};
use crate::by_hand::{Sources, enter_peers};
use crate::measure::{Pace, Race, Who, timed};
use crate::setting::{current_thread, root};
use crate::workload::{Outcome, Target, Workload};

pub(crate) fn workloads() -> Vec<Workload> {
    let target = Target::Of(Who::Bare, 1.1);
    vec![
        Workload::new("mpsc_round_trip", target, explicit),
        Workload::new("mpsc_round_trip_implicit", target, implicit),
    ]
}

/// So many round trips between two tasks.
fn trips<C, R>(
    runtime: &Runtime,
    times: usize,
    call: impl FnOnce(Sender<u64>, Receiver<u64>, usize) -> C,
    reply: impl FnOnce(Receiver<u64>, Sender<u64>) -> R,
) -> Duration
where
    C: Future<Output: Send> + Send + 'static,
    R: Future<Output: Send> + Send + 'static,
{
    let (request_sender, requests) = channel(1);
    let (reply_sender, replies) = channel(1);
    let (call, reply) = (
        call(request_sender, replies, times),
        reply(requests, reply_sender),
    );
    timed(|| {
        runtime.block_on(async {
            let reply = tokio::spawn(reply);
            let called = tokio::spawn(call).await;
            called.expect("the caller does not panic");
            reply.await.expect("the other side does not panic");
        });
    })
}

/// The two tasks, ours with `$call` and `$reply`.
fn race<C, R>(
    pace: Pace,
    call: impl Fn(Context, Sender<u64>, Receiver<u64>, usize) -> C,
    reply: impl Fn(Context, Receiver<u64>, Sender<u64>) -> R,
) -> Outcome
where
    C: Future<Output: Send> + Send + 'static,
    R: Future<Output: Send> + Send + 'static,
{
    let sources = Sources::of_tasks();
    let (ctx, _canceller) = root();
    let runtime = &current_thread();
    let mut race = Race::of_long_turns(pace);
    race.enter(Who::Bare, |times| {
        let call =
            |sender, receiver, times| async move { bare::call(sender, receiver, times).await };
        let reply = |receiver, sender| async move { bare::reply(receiver, sender).await };
        trips(runtime, times, call, reply)
    });
    race.enter(Who::Ours, |times| {
        let call = |sender, receiver, times| ctx.run(call(ctx.clone(), sender, receiver, times));
        let reply = |receiver, sender| ctx.run(reply(ctx.clone(), receiver, sender));
        trips(runtime, times, call, reply)
    });
    enter_peers!(race, sources, |peer, context, times| {
        let call = |sender, receiver, times| async move {
            peer::call(context, sender, receiver, times).await
        };
        let reply = |receiver, sender| async move { peer::reply(context, receiver, sender).await };
        trips(runtime, times, call, reply)
    });
    race.run().into()
}

fn explicit(pace: Pace) -> Outcome {
    race(
        pace,
        |ctx, sender, receiver, times| async move {
            explicit::call(&ctx, sender, receiver, times).await
        },
        |ctx, receiver, sender| async move { explicit::reply(&ctx, receiver, sender).await },
    )
}

fn implicit(pace: Pace) -> Outcome {
    race(
        pace,
        |_, sender, receiver, times| async move { implicit::call(sender, receiver, times).await },
        |_, receiver, sender| async move { implicit::reply(receiver, sender).await },
    )
}
