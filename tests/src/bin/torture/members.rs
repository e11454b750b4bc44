//! What the members do.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread;

use cancel_context::task::exit_task;
use cancel_context::{Cancelled, Context, cancellable};
use tokio::task::yield_now;

use crate::hosts;
use crate::random::Random;
use crate::world::{ON_PURPOSE, Witness, World};

/// Why a member has no value.
#[derive(Debug)]
pub(crate) enum Failure {
    Cancelled(Cancelled),
    OnPurpose,
}

impl From<Cancelled> for Failure {
    fn from(cancelled: Cancelled) -> Self {
        Self::Cancelled(cancelled)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled(cancelled) => cancelled.fmt(f),
            Self::OnPurpose => f.write_str(ON_PURPOSE),
        }
    }
}

impl std::error::Error for Failure {}

#[derive(Clone, Copy)]
enum Kind {
    Returns,
    Waits,
    Yields,
    Panics,
    Fails,
    Blocks,
    Shields,
    Ignores,
    Exits,
    Spawns,
    Nests,
    Locks,
    Times,
}

/// How often each comes among a thousand.
const KINDS: [(Kind, u64); 13] = [
    (Kind::Returns, 100),
    (Kind::Waits, 250),
    (Kind::Yields, 150),
    (Kind::Panics, 4),
    (Kind::Fails, 4),
    (Kind::Blocks, 4),
    (Kind::Shields, 90),
    (Kind::Ignores, 40),
    (Kind::Exits, 3),
    (Kind::Spawns, 100),
    (Kind::Nests, 5),
    (Kind::Locks, 150),
    (Kind::Times, 100),
];

impl Kind {
    fn random(random: &mut Random) -> Self {
        let all = KINDS.iter().map(|(_, share)| share).sum();
        let mut rest = random.below(all);
        for (kind, share) in KINDS {
            match rest.checked_sub(share) {
                None => return kind,
                Some(less) => rest = less,
            }
        }
        Self::Returns
    }
}

/// What one member is given.
pub(crate) struct Member {
    pub(crate) world: World,
    /// How deep in groups of groups it is.
    pub(crate) depth: u32,
    pub(crate) witness: Witness,
}

impl Member {
    pub(crate) fn new(world: &World, depth: u32, group: &Arc<AtomicUsize>) -> Self {
        Self {
            world: world.clone(),
            depth,
            witness: world.witness(group),
        }
    }
}

/// Does something at random.
#[cancellable]
pub(crate) async fn member(member: Member) -> Result<u64, Failure> {
    let Member {
        world,
        depth,
        witness: _witness,
    } = member;
    let mut random = world.random();
    match Kind::random(&mut random) {
        Kind::Returns => {}
        Kind::Waits => waits(ctx).await?,
        Kind::Yields => yields(random.below(20)).await,
        Kind::Panics => breaks(random.below(3)).await,
        Kind::Fails => return Err(Failure::OnPurpose),
        Kind::Blocks => blocks(ctx, world.witness(&Arc::default())).await?,
        Kind::Shields => shields(ctx, random.below(10)).await?,
        Kind::Ignores => ignores(random.below(2_000)),
        Kind::Exits => {
            yields(random.below(3)).await;
            match exit_task().await {}
        }
        Kind::Spawns => spawns(ctx, &world, depth),
        Kind::Nests if depth < 2 => {
            hosts::host(ctx.clone(), world.clone(), depth + 1).await;
        }
        Kind::Nests => {}
        Kind::Locks => locks(ctx, &world, &mut random).await?,
        Kind::Times => times(ctx, random.below(2_000)).await?,
    }
    Ok(random.below(100))
}

#[cancellable]
async fn waits() -> Result<(), Cancelled> {
    std::future::pending::<()>().await;
    Ok(())
}

/// Without an error to leave with: it is unwound.
#[cancellable(implicit)]
async fn yields(times: u64) {
    for _ in 0..times {
        yield_now().await;
    }
}

#[cancellable(implicit)]
async fn breaks(after: u64) {
    yields(after).await;
    std::panic::panic_any(ON_PURPOSE);
}

/// A member that goes on until the others have ended.
pub(crate) async fn background(ctx: Context) -> Result<(), Cancelled> {
    Err(ctx.cancelled().await)
}

/// A member that holds a thread until its context ends.
pub(crate) fn blocking(ctx: &Context, member: Member) -> Result<u64, Failure> {
    let _member = member;
    loop {
        ctx.check()?;
        thread::yield_now();
    }
}

/// Holds a thread, which may outlive the member, until the context ends.
#[cancellable]
async fn blocks(witness: Witness) -> Result<(), Cancelled> {
    let task = ctx.spawn_blocking(|ctx| {
        let _witness = witness;
        while ctx.check().is_ok() {
            thread::yield_now();
        }
    });
    // It may have ended before the thread began.
    task.await.ok();
    ctx.check()
}

#[cancellable]
async fn shields(times: u64) -> Result<(), Cancelled> {
    #[shield]
    plain_yields(times).await;
    waits(ctx).await
}

async fn plain_yields(times: u64) {
    for _ in 0..times {
        yield_now().await;
    }
}

/// Awaits nothing for a while.
fn ignores(rounds: u64) {
    for _ in 0..rounds {
        std::hint::spin_loop();
    }
}

/// Starts a task that nobody waits for.
fn spawns(ctx: &Context, world: &World, depth: u32) {
    if depth < 4 {
        let orphan = Member::new(world, depth + 1, &Arc::default());
        drop(ctx.spawn(member(ctx.clone(), orphan)));
    }
}

#[cancellable]
async fn locks(world: &World, random: &mut Random) -> Result<(), Cancelled> {
    let lock = &world.locks[random.index(world.locks.len())];
    let mut held = lock.lock().await;
    yields(random.below(3)).await;
    *held += 1;
    Ok(())
}

#[cancellable]
async fn times(micros: u64) -> Result<(), Cancelled> {
    let ctx = ctx.with_timeout(std::time::Duration::from_micros(micros));
    waits(&ctx).await
}
