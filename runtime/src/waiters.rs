//! Who waits for a node to end: wakers, callbacks, and children that somebody waits for.
//!
//! A node that somebody waits for is *linked*: its sources list it, and its deadline is armed. When the
//! last one goes, it is unlinked. So nothing is left behind, and a context that nobody waits for costs its
//! sources nothing; what it takes to be waited for is allocated by the first one who does.
//!
//! A node with one source, at which a single waker waits, is linked as a *leaf*: its source keeps the
//! waker (see [`crate::roster`]). When anybody else comes, the waker moves to the node's own list first.
//! If its source was linked before it, it is a *bare* leaf (see [`bare`]), and has no lists yet.
//!
//! Lock order: a node, then its sources one at a time, then a movable deadline, then a timeline. Sources
//! are older than their children, so the order has no cycle.
//!
//! Invariants:
//! 1. No foreign code under a lock: wakers are cloned before, woken and dropped after; callbacks
//!    run and are dropped after. No `Arc<Node>` is dropped under a lock either.
//! 2. But for bare leaves, `place` says, under the node's lock, whether all sources list it, and under which keys. A node is
//!    idle exactly when it has neither waiters nor callbacks nor children; an idle node is not linked for
//!    long, nor is one that has ended.
//! 3. Nobody is missed. Who cancels stores the end and then, under the node's lock, takes its lists.
//!    Who registers enters the list under that lock, links the nodes above, and looks at the state and,
//!    unless that says that the node will be told, at the end after that. Either the taker finds the entry,
//!    or the lock orders the stored end before the look. Whoever linked a node above looks for that node, too: another one may have registered
//!    below it and relied on the link while it was made. Who cancels a node without lists takes no lock;
//!    so who has made them looks at the end by a change of it ([`crate::raw::OnceArc::is_before_set`]): either that
//!    finds the end, or who stores it later finds the lists.
//! 4. Marking comes first, waking after: when the first waker runs, all of the subtree has ended.
//!    Wakers below other wakers (members of a `FuturesUnordered`) run before those above them, so
//!    that the innermost await is ready to be polled when the outer one looks.
//! 5. Lists are taken only when all below are marked; until then every canceller marks. So when any
//!    of them returns, all below are marked, whoever has done it.
//! 6. A leaf has ended when its source has: it has no other one. So it is marked under its source's lock,
//!    without a look at it; why it has ended is found out by who asks. Nor does its waker move any more
//!    then, between the marking and the taking.
//! 7. Up to which key the waiters were taken is told outside of the lock, so that those who go because of the
//!    end need not take it. They leave nothing to be done: whoever takes waiters has unlinked the node before;
//!    and whoever links it again after that finds the end, and unlinks it (`complete_link`).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::callbacks::Callback;
use crate::roster::{Key, Listed, Next, Roster, Waiter};
use crate::state::Known;
use crate::sync::{AtomicU64, AtomicUsize, Mutex, MutexGuard, Ordering};
use crate::timeline::Alarm;
use crate::tree::Node;

pub(crate) mod bare;
mod linking;
mod telling;

pub(crate) use telling::guarded;

/// How the sources list a node.
#[derive(Default)]
enum Place {
    /// Not at all.
    #[default]
    Unlinked,
    /// As a leaf; the second is the key of its waker, once that moves here.
    Leaf(Key, Key),
    /// As a child of its one source.
    Child(Key),
    /// As a child of each source in turn.
    Children(Box<[Key]>),
}

/// The lists of a node; guarded by its lock. Small, since there is one for each who waits under a deadline of
/// its own.
#[derive(Default)]
pub(crate) struct Links {
    place: Place,
    roster: Roster,
    /// If there are any.
    callbacks: Option<Box<Callbacks>>,
    /// The alarm of its deadline, if that is armed.
    pub(crate) alarm: Option<Alarm>,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Links>() <= 80);

/// The lists of a node behind their lock, and what is known of them without it.
#[derive(Default)]
pub(crate) struct Lists {
    links: Mutex<Links>,
    /// The keys below it have nobody in the roster any more, since all were taken who were to be woken.
    taken: AtomicUsize,
}

impl Lists {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Links> {
        self.links.lock()
    }

    /// Whether the waiter of `key` was taken to be woken.
    fn was_taken(&self, key: Key) -> bool {
        // Relaxed: nothing is read on the strength of it.
        let taken = self.taken.load(Ordering::Relaxed);
        key.number().is_some_and(|key| key < taken)
    }

    /// Takes some more waiters from `next` on; false if there was none.
    fn take_some(&self, next: &mut Next, waiters: &mut Vec<Waiter>) -> bool {
        let mut links = self.lock();
        let went_on = links.roster.take_some(next, waiters);
        // Relaxed: as in `was_taken`. A maximum, since another one who takes may be ahead.
        self.taken.fetch_max(next.number(), Ordering::Relaxed);
        went_on
    }
}

#[derive(Default)]
struct Callbacks {
    list: BTreeMap<u64, Arc<dyn Callback>>,
    /// Keeps the node alive while a callback waits for it, although no context does.
    pin: Option<Arc<Node>>,
}

impl Callbacks {
    /// The key of the one that a context has at most. It is told first.
    #[cfg(any(feature = "tokens", all(test, loom)))]
    const ONLY: u64 = 0;

    fn next_key() -> u64 {
        // Less is `ONLY`.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        // Relaxed: a plain counter.
        NEXT.fetch_add(1, Ordering::Relaxed)
    }
}

impl Links {
    pub(crate) fn is_linked(&self) -> bool {
        !matches!(self.place, Place::Unlinked)
    }

    /// Whether nobody waits here; the waker of a leaf is not here.
    fn is_empty(&self) -> bool {
        self.roster.is_empty() && self.callbacks.is_none()
    }

    fn is_idle(&self) -> bool {
        self.is_empty() && !matches!(self.place, Place::Leaf(..))
    }

    /// Whether nobody waits, and nobody lists the node.
    fn is_unused(&self) -> bool {
        self.is_empty() && !self.is_linked()
    }
}

impl Node {
    /// Enters `waiter`; `None` if the node has ended, and then nothing is entered.
    pub(crate) fn add_waiter(self: &Arc<Self>, waiter: Waiter) -> Option<Key> {
        let key = self.enter(waiter);
        if self.is_told() || self.end().is_none() {
            return Some(key);
        }
        self.remove_waiter(key);
        None
    }

    fn enter(self: &Arc<Self>, waiter: Waiter) -> Key {
        let (links, waiter) = match self.links.get() {
            Some(links) => (links, waiter),
            None => match self.enter_bare(waiter) {
                Ok(key) => return key,
                Err(waiter) => (self.make_links(), waiter),
            },
        };
        let mut links = links.lock();
        let (key, unlinked) = match self.only_source() {
            Some(source) if !links.is_linked() && links.is_empty() => {
                let key = links.roster.reserve();
                let leaf = Listed::Leaf(Arc::clone(self), Some(waiter));
                let (at, unlinked) = source.list(leaf);
                links.place = Place::Leaf(at, key);
                (key, Vec::from_iter(unlinked))
            }
            _ => {
                self.make_room(&mut links);
                let key = links.roster.push(Listed::Waiter(waiter));
                if links.is_linked() {
                    return key;
                }
                (key, self.enter_at_sources(&mut links))
            }
        };
        self.complete_link(links, unlinked);
        key
    }

    /// Replaces the waker of `key`, if that has not been taken.
    pub(crate) fn replace_waiter(&self, key: Key, waiter: Waiter) {
        let (links, waiter) = match self.links.get() {
            Some(links) => (links, waiter),
            None => match self.replace_bare(waiter) {
                Ok(replaced) => return drop(replaced),
                Err(waiter) => (self.links(), waiter),
            },
        };
        let replaced = {
            let mut links = links.lock();
            match (&links.place, self.only_source()) {
                (Place::Leaf(at, own), Some(source)) if *own == key => {
                    source.links().lock().roster.replace_waiter(*at, waiter)
                }
                _ => links.roster.replace_waiter(key, waiter),
            }
        };
        drop(replaced);
    }

    pub(crate) fn remove_waiter(&self, key: Key) {
        let links = match self.links.get() {
            Some(links) => links,
            None if self.leave_bare() => return,
            None => self.links(),
        };
        // By invariant 7: mostly who goes after the end does so.
        if links.was_taken(key) {
            return;
        }
        let mut links = links.lock();
        if matches!(links.place, Place::Leaf(_, own) if own == key) {
            drop(self.unlink(links));
            return;
        }
        let removed = links.roster.remove(key);
        drop(self.unlink_if_idle(links));
        drop(removed);
    }

    /// Enters a callback. If the node has ended, it runs before this returns; if nothing can end
    /// the node any more, it is freed.
    pub(crate) fn add_callback(self: &Arc<Self>, callback: Arc<dyn Callback>) -> u64 {
        let key = Callbacks::next_key();
        self.enter_callback(self.links().lock(), key, callback);
        key
    }

    /// The one callback that a context has at most, which is not removed; if it is not there, one that `make`
    /// gives is entered as above. That runs under the lock, so that two who come at once get the same.
    #[cfg(any(feature = "tokens", all(test, loom)))]
    pub(crate) fn only_callback(
        self: &Arc<Self>,
        make: impl FnOnce() -> Arc<dyn Callback>,
    ) -> Arc<dyn Callback> {
        let links = self.links().lock();
        let present = links.callbacks.as_ref();
        if let Some(found) = present.and_then(|callbacks| callbacks.list.get(&Callbacks::ONLY)) {
            return Arc::clone(found);
        }
        let callback = make();
        self.enter_callback(links, Callbacks::ONLY, Arc::clone(&callback));
        callback
    }

    /// Whether a callback is there, as one that does not keep the context in memory may be.
    #[cfg(feature = "tower")]
    pub(crate) fn has_callback(&self) -> bool {
        let links = self.links.get();
        links.is_some_and(|links| links.lock().callbacks.is_some())
    }

    fn enter_callback(
        self: &Arc<Self>,
        mut links: MutexGuard<'_, Links>,
        key: u64,
        callback: Arc<dyn Callback>,
    ) {
        self.make_room(&mut links);
        let callbacks = links.callbacks.get_or_insert_default();
        if callback.pins() {
            callbacks.pin = Some(Arc::clone(self));
        }
        callbacks.list.insert(key, callback);
        if links.is_linked() {
            drop(links);
        } else {
            let unlinked = self.enter_at_sources(&mut links);
            self.complete_link(links, unlinked);
        }
        if self.end().is_some() {
            self.finish();
        } else if !self.can_end() {
            self.release();
        }
    }

    pub(crate) fn remove_callback(&self, key: u64) {
        let mut links = self.links().lock();
        let Some(callbacks) = &mut links.callbacks else {
            return;
        };
        let removed = callbacks.list.remove(&key);
        let is_pinned = callbacks.list.values().any(|callback| callback.pins());
        let pin = callbacks.pin.take_if(|_| !is_pinned);
        if callbacks.list.is_empty() {
            links.callbacks = None;
        }
        drop(self.unlink_if_idle(links));
        drop((removed, pin));
    }
}

/// Counting.
impl Node {
    /// How many wakers and callbacks wait here.
    pub(crate) fn waiting(&self) -> usize {
        self.present_links().map_or(0, |links| {
            let links = links.lock();
            let own = links
                .roster
                .iter()
                .filter(|listed| matches!(listed, Listed::Waiter(_)));
            let is_leaf =
                matches!(links.place, Place::Leaf(..)) && self.state().get() != Known::Ended;
            let callbacks = links.callbacks.as_ref();
            own.count()
                + callbacks.map_or(0, |callbacks| callbacks.list.len())
                + usize::from(is_leaf)
        })
    }

    /// How many nodes below somebody waits for.
    pub(crate) fn children(&self) -> usize {
        self.present_links().map_or(0, |links| {
            let links = links.lock();
            let is_waited_for =
                |listed: &&Listed| matches!(listed, Listed::Child(_) | Listed::Leaf(_, Some(_)));
            links.roster.iter().filter(is_waited_for).count()
        })
    }
}
