//! Who starts groups of members, and what becomes of those.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use cancel_context::task::{FutureGroup, Group, JoinError, Members, TaskGroup};
use cancel_context::{Canceller, Context};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::task::yield_now;

use crate::members::{Member, background, blocking, member};
use crate::random::Random;
use crate::world::World;

/// How many hosts there are, and how many members each has, on average.
const HOSTS: usize = 110;
const MEMBERS: u64 = 100;

/// Runs all hosts, and cancels them at a random moment.
pub(crate) async fn round(world: &World, root: &Context, canceller: &Canceller) {
    let mut hosts = Vec::new();
    for _ in 0..HOSTS {
        hosts.push(root.spawn(host(root.clone(), world.clone(), 0)));
    }
    let mut random = world.random();
    // Mostly when all members are there; but they need not have begun.
    let is_early = random.below(8) == 0;
    while !is_early && world.complete() < HOSTS {
        yield_now().await;
    }
    for _ in 0..random.below(500) {
        yield_now().await;
    }
    canceller.cancel_with("enough");
    for host in hosts {
        match host.await {
            // One of its futures has exited, or its context has ended before it began.
            Ok(()) | Err(JoinError::Exited | JoinError::Cancelled(_)) => {}
            Err(error) => panic!("a host has not ended as it should: {error}"),
        }
    }
}

/// Starts a group of one kind or the other, and waits for it in one way or the other.
///
/// Boxed, since members start groups as well.
pub(crate) fn host(ctx: Context, world: World, depth: u32) -> BoxFuture<'static, ()> {
    Box::pin(run(ctx, world, depth))
}

async fn run(ctx: Context, world: World, depth: u32) {
    let mut random = world.random();
    let members = random.below(if depth == 0 { 2 * MEMBERS } else { 8 });
    let alive = Arc::<AtomicUsize>::default();
    let is_supervisor = random.below(2) == 0;
    if random.below(3) == 0 {
        let mut group = set_up(
            FutureGroup::new,
            FutureGroup::supervisor,
            &ctx,
            &mut random,
            is_supervisor,
        );
        for _ in 0..members {
            let given = Member::new(&world, depth, &alive);
            group.spawn(|ctx| member(ctx, given));
        }
        if random.below(4) == 0 {
            group.spawn_background(background);
        }
        world.count_complete(depth);
        finish(&world, group, members, &alive, &mut random).await;
    } else {
        let mut group = set_up(
            TaskGroup::new,
            TaskGroup::supervisor,
            &ctx,
            &mut random,
            is_supervisor,
        );
        for _ in 0..members {
            let given = Member::new(&world, depth, &alive);
            if random.below(300) == 0 {
                group.spawn_blocking(|ctx| blocking(ctx, given));
            } else {
                group.spawn(|ctx| member(ctx, given));
            }
        }
        if random.below(4) == 0 {
            group.spawn_background(background);
        }
        world.count_complete(depth);
        let closed = group.closed();
        finish(&world, group, members, &alive, &mut random).await;
        // A host must not leave before its members have: a shield, since its own context may have ended.
        ctx.shield(|_| closed).await;
        assert_eq!(alive.load(SeqCst), 0, "members of a group that is closed");
    }
}

fn set_up<M: Members>(
    new: impl FnOnce(&Context) -> Group<M>,
    supervisor: impl FnOnce(&Context) -> Group<M>,
    ctx: &Context,
    random: &mut Random,
    is_supervisor: bool,
) -> Group<M> {
    let group = if is_supervisor {
        supervisor(ctx)
    } else {
        new(ctx)
    };
    let group = group.grace(Duration::from_secs(random.below(2) * 30));
    if random.below(2) == 0 {
        group.limit(1 + random.index(50))
    } else {
        group
    }
}

async fn finish<M: Members<Value = u64>>(
    world: &World,
    mut group: Group<M>,
    members: u64,
    alive: &AtomicUsize,
    random: &mut Random,
) {
    match random.below(4) {
        0 => {
            // Some of the outcomes, then the group is dropped.
            let some = async {
                for _ in 0..random.below(20) {
                    group.next().await;
                }
            };
            if AssertUnwindSafe(some).catch_unwind().await.is_err() {
                world.count_panic();
            }
        }
        1 => drop(group),
        _ => match AssertUnwindSafe(group.wait()).catch_unwind().await {
            Ok(Ok(values)) => {
                world.count_success();
                // Neither a failure nor a panic was lost.
                assert_eq!(
                    values.len() as u64,
                    members,
                    "values of a group that has finished"
                );
                assert_eq!(
                    alive.load(SeqCst),
                    0,
                    "members of a group that has finished"
                );
            }
            Ok(Err(_)) => world.count_failure(),
            Err(_) => world.count_panic(),
        },
    }
}
