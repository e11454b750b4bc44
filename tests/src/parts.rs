//! What a server is made of: how often each part was dropped, and what went wrong in it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The accept loop.
    Listener,
    /// The task that removes what has expired.
    Purge,
    /// A connection, from being accepted to its end.
    Connection,
    /// A connection that waits for its turn.
    Queued,
    /// A request of which only the beginning has arrived.
    PartialRequest,
    /// A connection's part in a channel.
    Subscription,
}

#[derive(Debug)]
struct Entry {
    kind: Kind,
    drops: usize,
}

/// Counts the drops of every part that it made.
#[derive(Clone, Debug)]
pub struct Parts(Arc<watch::Sender<Vec<Entry>>>);

impl Default for Parts {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Vec::new())))
    }
}

impl Parts {
    /// Makes a part, which counts its drop.
    pub fn part(&self, kind: Kind) -> Part {
        let mut index = 0;
        self.0.send_modify(|entries| {
            index = entries.len();
            entries.push(Entry { kind, drops: 0 });
        });
        Part {
            parts: self.clone(),
            index,
        }
    }

    /// How many parts of this kind were made.
    #[must_use]
    pub fn made(&self, kind: Kind) -> usize {
        self.0.borrow().iter().filter(|e| e.kind == kind).count()
    }

    /// Waits until this many parts of this kind are alive.
    ///
    /// # Panics
    ///
    /// Panics if all parts are gone for good.
    pub async fn until_alive(&self, kind: Kind, count: usize) {
        let alive = |entries: &Vec<Entry>| {
            let of_kind = entries.iter().filter(|e| e.kind == kind);
            of_kind.filter(|e| e.drops == 0).count() == count
        };
        let mut entries = self.0.subscribe();
        entries.wait_for(alive).await.expect("`self` is a sender");
    }

    /// Checks that every part was dropped, and only once.
    ///
    /// # Panics
    ///
    /// Panics with the parts for which that does not hold.
    #[track_caller]
    pub fn assert_dropped_once(&self) {
        let entries = self.0.borrow();
        let others: Vec<_> = entries.iter().filter(|e| e.drops != 1).collect();
        assert!(others.is_empty(), "not dropped exactly once: {others:?}");
    }
}

/// Counts its drop.
#[must_use = "it counts its drop"]
pub struct Part {
    parts: Parts,
    index: usize,
}

impl Drop for Part {
    fn drop(&mut self) {
        let counted = |entries: &mut Vec<Entry>| entries[self.index].drops += 1;
        self.parts.0.send_modify(counted);
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

/// The errors with which connections ended.
#[derive(Clone, Debug, Default)]
pub struct Failures(Arc<Mutex<Vec<anyhow::Error>>>);

impl Failures {
    /// Adds one.
    pub fn note(&self, error: anyhow::Error) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.push(error);
    }

    /// Those so far; forgets them.
    #[must_use]
    pub fn take(&self) -> Vec<anyhow::Error> {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *failures)
    }
}
