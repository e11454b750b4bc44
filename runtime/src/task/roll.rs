//! The roll: which tasks there are, and where each is; for whoever has to say at the end what is left.
//!
//! A task is on the roll if its context carries one ([`Enrolled`]), from its spawn until all that it owned is
//! dropped. A poll of such a task costs a look at the clock and a lock that nobody else wants.
//!
//! Lock order: the roll, then a record.

use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::context::Context;
use crate::site::{self, Site};
use crate::sync::Mutex;

/// What a context carries whose tasks are on a roll: a value of a type of our own.
pub(crate) struct Enrolled(pub(crate) Arc<Roll>);

/// All tasks of a tree that have not ended.
#[derive(Default)]
pub(crate) struct Roll {
    entries: Mutex<Entries>,
    /// Told when the last one has gone.
    emptied: Notify,
}

#[derive(Default)]
struct Entries {
    next: u64,
    records: BTreeMap<u64, Arc<Record>>,
}

impl Roll {
    /// All that are on it, in the order in which they came.
    pub(crate) fn records(&self) -> Vec<Arc<Record>> {
        self.entries.lock().records.values().cloned().collect()
    }

    /// Waits until nobody is on it.
    pub(crate) async fn emptied(&self) {
        loop {
            let mut emptied = std::pin::pin!(self.emptied.notified());
            // Whoever goes after this look tells it.
            emptied.as_mut().enable();
            if self.entries.lock().records.is_empty() {
                return;
            }
            emptied.await;
        }
    }

    fn enter(self: &Arc<Self>, record: Arc<Record>) -> Entry {
        let mut entries = self.entries.lock();
        let key = entries.next;
        entries.next += 1;
        entries.records.insert(key, Arc::clone(&record));
        drop(entries);
        let roll = Arc::clone(self);
        Entry {
            record,
            _place: Place { roll, key },
        }
    }
}

/// What kind of a task it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Main,
    Task,
    Blocking,
}

/// One task.
pub(crate) struct Record {
    pub(crate) kind: Kind,
    /// Where it was spawned.
    pub(crate) place: &'static Location<'static>,
    pub(crate) context: Context,
    abort: OnceLock<AbortHandle>,
    stay: Mutex<Stay>,
}

/// Where a task is.
#[derive(Clone, Copy)]
pub(crate) struct Stay {
    /// It is being polled; a blocking one is running.
    pub(crate) is_running: bool,
    /// When its last poll began; when it was spawned if none has.
    pub(crate) since: Instant,
    /// The innermost await that was pending when the last poll ended.
    pub(crate) pending: Option<&'static Site>,
    /// When the first of the polls began that have ended there, one after the other.
    pub(crate) pending_since: Instant,
}

impl Record {
    /// How it is stopped from outside.
    pub(crate) fn set_abort(&self, handle: AbortHandle) {
        // Set once, by whoever has spawned it.
        self.abort.get_or_init(|| handle);
    }

    pub(crate) fn abort_handle(&self) -> Option<&AbortHandle> {
        self.abort.get()
    }

    pub(crate) fn stay(&self) -> Stay {
        *self.stay.lock()
    }

    /// Runs a poll of the task.
    pub(super) fn during<R>(&self, poll: impl FnOnce() -> R) -> R {
        {
            let mut stay = self.stay.lock();
            (stay.is_running, stay.since) = (true, Instant::now());
        }
        let (polled, pending) = site::noted(poll);
        let mut stay = self.stay.lock();
        stay.is_running = false;
        if stay.pending != pending {
            (stay.pending, stay.pending_since) = (pending, stay.since);
        }
        polled
    }
}

/// A task on the roll, until this is dropped.
pub(crate) struct Entry {
    pub(crate) record: Arc<Record>,
    // Dropped last: the record may be the last handle of its context.
    _place: Place,
}

/// The place of an entry on the roll.
struct Place {
    roll: Arc<Roll>,
    key: u64,
}

impl Entry {
    /// Enters a task of `context`, spawned at `place`, if that is on a roll.
    pub(crate) fn new(
        context: &Context,
        kind: Kind,
        place: &'static Location<'static>,
    ) -> Option<Self> {
        let Enrolled(roll) = context.value()?;
        let now = Instant::now();
        let stay = Stay {
            is_running: false,
            since: now,
            pending: None,
            pending_since: now,
        };
        Some(roll.enter(Arc::new(Record {
            kind,
            place,
            context: context.clone(),
            abort: OnceLock::new(),
            stay: Mutex::new(stay),
        })))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut entries = self.roll.entries.lock();
        let removed = entries.records.remove(&self.key);
        let is_empty = entries.records.is_empty();
        drop(entries);
        // Outside of the lock: it may be the last handle of its context.
        drop(removed);
        if is_empty {
            self.roll.emptied.notify_waiters();
        }
    }
}
