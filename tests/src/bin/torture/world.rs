//! What the members of a seed share, and what is counted.

use std::fmt;
use std::ops::AddAssign;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use anyhow::ensure;
use tokio::sync::Mutex;

use crate::random::Random;

/// What members panic with.
pub(crate) const ON_PURPOSE: &str = "on purpose";

/// How many async locks there are to hold.
const LOCKS: usize = 8;

#[derive(Default)]
struct Counts {
    complete: AtomicUsize,
    created: AtomicUsize,
    dropped: AtomicUsize,
    panicked: AtomicUsize,
    cancelled: AtomicUsize,
    finished: AtomicUsize,
}

/// One seed.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) seed: u64,
    counts: Arc<Counts>,
    pub(crate) locks: Arc<[Mutex<u64>; LOCKS]>,
    next: Arc<AtomicUsize>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            counts: Arc::default(),
            locks: Arc::default(),
            next: Arc::default(),
        }
    }

    /// Random numbers of their own for whoever asks; which ones, is a matter of the order of tasks as well.
    pub(crate) fn random(&self) -> Random {
        let stream = self.next.fetch_add(1, SeqCst);
        Random::new(self.seed, u64::try_from(stream).expect("it is small"))
    }

    /// A value that counts its life, and that of its group.
    pub(crate) fn witness(&self, group: &Arc<AtomicUsize>) -> Witness {
        self.counts.created.fetch_add(1, SeqCst);
        group.fetch_add(1, SeqCst);
        Witness {
            world: self.clone(),
            group: Arc::clone(group),
        }
    }

    /// A host at that depth has added all of its members.
    pub(crate) fn count_complete(&self, depth: u32) {
        if depth == 0 {
            self.counts.complete.fetch_add(1, SeqCst);
        }
    }

    /// How many outermost hosts have added all of their members.
    pub(crate) fn complete(&self) -> usize {
        self.counts.complete.load(SeqCst)
    }

    pub(crate) fn count_panic(&self) {
        self.counts.panicked.fetch_add(1, SeqCst);
    }

    pub(crate) fn count_failure(&self) {
        self.counts.cancelled.fetch_add(1, SeqCst);
    }

    pub(crate) fn count_success(&self) {
        self.counts.finished.fetch_add(1, SeqCst);
    }

    /// How many have begun to exist, and have not been dropped.
    pub(crate) fn alive(&self) -> usize {
        self.counts.created.load(SeqCst) - self.counts.dropped.load(SeqCst)
    }

    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let (created, dropped) = (
            self.counts.created.load(SeqCst),
            self.counts.dropped.load(SeqCst),
        );
        ensure!(
            created == dropped,
            "{created} were created, and {dropped} dropped"
        );
        for lock in self.locks.iter() {
            ensure!(
                lock.try_lock().is_ok(),
                "a lock is held by nobody who is left"
            );
        }
        Ok(())
    }

    pub(crate) fn figures(&self) -> Figures {
        Figures {
            rounds: 1,
            members: self.counts.created.load(SeqCst),
            panicked: self.counts.panicked.load(SeqCst),
            cancelled: self.counts.cancelled.load(SeqCst),
            finished: self.counts.finished.load(SeqCst),
        }
    }
}

/// Counts what it belongs to until it is dropped.
pub(crate) struct Witness {
    world: World,
    group: Arc<AtomicUsize>,
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.world.counts.dropped.fetch_add(1, SeqCst);
        self.group.fetch_sub(1, SeqCst);
    }
}

/// What has happened.
#[derive(Default)]
pub(crate) struct Figures {
    rounds: usize,
    members: usize,
    panicked: usize,
    cancelled: usize,
    finished: usize,
}

impl AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        self.rounds += other.rounds;
        self.members += other.members;
        self.panicked += other.panicked;
        self.cancelled += other.cancelled;
        self.finished += other.finished;
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rounds,
            members,
            panicked,
            cancelled,
            finished,
        } = self;
        write!(
            f,
            "{rounds} rounds, {members} members; groups: {finished} finished, {cancelled} failed or cancelled, \
             {panicked} panicked"
        )
    }
}
