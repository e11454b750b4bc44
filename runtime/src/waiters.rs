//! Who waits for a node to end: wakers, callbacks, and children that somebody waits for.
//!
//! A node that somebody waits for is *linked*: its sources list it as a child, and its deadline is
//! armed. When the last one goes, it is unlinked. So nothing is left behind, and a context that
//! nobody waits for costs its sources nothing.
//!
//! Lock order: a node, then its sources one at a time, then a timeline of [`crate::deadline`].
//! Sources are older than their children, so the order has no cycle.
//!
//! Invariants:
//! 1. No foreign code under a lock: wakers are cloned before, woken and dropped after; callbacks
//!    run and are dropped after. No `Arc<Node>` is dropped under a lock either.
//! 2. `linked` says, under the node's lock, that all sources list it. It is idle exactly when it has
//!    neither waiters nor callbacks nor children; an idle node is not linked for long.
//! 3. Nobody is missed. Who cancels stores the end and then, under the node's lock, takes its lists.
//!    Who registers enters the list under that lock, links the nodes above, and looks at the end
//!    after that. Either the taker finds the entry, or the lock orders the stored end before the
//!    look. Whoever linked a node above looks for that node, too: another one may have registered
//!    below it and relied on the link while it was made.
//! 4. Marking comes first, waking after: when the first waker runs, all of the subtree has ended.
//!    Wakers below other wakers (members of a `FuturesUnordered`) run before those above them, so
//!    that the innermost await is ready to be polled when the outer one looks.
//! 5. Lists are taken only when all below are marked; until then every canceller marks. So when any
//!    of them returns, all below are marked, whoever has done it.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::task::Waker;

use crate::callbacks::Callback;
use crate::context::Context;
use crate::deadline::Moment;
use crate::state::Known;
use crate::sync::{AtomicU64, Ordering};
use crate::tree::{Node, Role};

mod telling;

pub(crate) use telling::guarded;

/// A waker, and how many owners of other wakers are above it.
pub(crate) struct Waiter {
    pub(crate) waker: Waker,
    pub(crate) depth: u32,
}

/// The lists of a node; guarded by its lock.
pub(crate) struct Links {
    /// Whether the sources list this node.
    linked: bool,
    /// Under which number they do; 0 before the first time.
    id: u64,
    next_key: u64,
    waiters: BTreeMap<u64, Waiter>,
    callbacks: BTreeMap<u64, Arc<dyn Callback>>,
    children: BTreeMap<u64, Weak<Node>>,
    /// Keeps the node alive while a callback waits for it, although no context does.
    pin: Option<Arc<Node>>,
}

/// What was taken out of [`Links`], to be used and dropped outside of the lock.
#[derive(Default)]
struct Taken {
    waiters: BTreeMap<u64, Waiter>,
    callbacks: BTreeMap<u64, Arc<dyn Callback>>,
    // Only dropped.
    _children: BTreeMap<u64, Weak<Node>>,
    _pin: Option<Arc<Node>>,
}

impl Links {
    pub(crate) const fn new() -> Self {
        Self {
            linked: false,
            id: 0,
            next_key: 0,
            waiters: BTreeMap::new(),
            callbacks: BTreeMap::new(),
            children: BTreeMap::new(),
            pin: None,
        }
    }

    fn is_idle(&self) -> bool {
        self.waiters.is_empty() && self.callbacks.is_empty() && self.children.is_empty()
    }

    fn key(&mut self) -> u64 {
        self.next_key += 1;
        self.next_key
    }

    fn id(&mut self) -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        if self.id == 0 {
            // Relaxed: only uniqueness counts.
            self.id = NEXT.fetch_add(1, Ordering::Relaxed);
        }
        self.id
    }

    fn take(&mut self) -> Taken {
        Taken {
            waiters: std::mem::take(&mut self.waiters),
            callbacks: std::mem::take(&mut self.callbacks),
            _children: std::mem::take(&mut self.children),
            _pin: self.pin.take(),
        }
    }

    /// How many wakers and callbacks wait here.
    pub(crate) fn waiting(&self) -> usize {
        self.waiters.len() + self.callbacks.len()
    }

    pub(crate) fn children(&self) -> usize {
        self.children.len()
    }
}

impl Node {
    /// Enters `waker`; `None` if the node has ended, and then nothing is entered.
    pub(crate) fn add_waiter(self: &Arc<Self>, waiter: Waiter) -> Option<u64> {
        let (key, linked) = {
            let mut links = self.links.lock();
            let key = links.key();
            links.waiters.insert(key, waiter);
            (key, links.linked)
        };
        if !linked {
            self.link();
        }
        if self.end().is_none() {
            return Some(key);
        }
        self.remove_waiter(key);
        None
    }

    /// Replaces the waker of `key`; false if the node's waiters were taken meanwhile.
    pub(crate) fn replace_waiter(&self, key: u64, waiter: Waiter) -> bool {
        let replaced = {
            let mut links = self.links.lock();
            links
                .waiters
                .get_mut(&key)
                .map(|entry| std::mem::replace(entry, waiter))
        };
        replaced.is_some()
    }

    pub(crate) fn remove_waiter(self: &Arc<Self>, key: u64) {
        let removed = self.links.lock().waiters.remove(&key);
        self.unlink();
        drop(removed);
    }

    /// Enters a callback. If the node has ended, it runs before this returns; if nothing can end
    /// the node any more, it is freed.
    pub(crate) fn add_callback(self: &Arc<Self>, callback: Arc<dyn Callback>) -> u64 {
        let key = {
            let mut links = self.links.lock();
            let key = links.key();
            if callback.pins() {
                links.pin = Some(Arc::clone(self));
            }
            links.callbacks.insert(key, callback);
            key
        };
        self.link();
        if self.end().is_some() {
            self.finish();
        } else if !self.can_end() {
            self.release();
        }
        key
    }

    pub(crate) fn remove_callback(self: &Arc<Self>, key: u64) {
        let removed = {
            let mut links = self.links.lock();
            let callback = links.callbacks.remove(&key);
            let is_pinned = links.callbacks.values().any(|callback| callback.pins());
            let pin = if is_pinned { None } else { links.pin.take() };
            (callback, pin)
        };
        self.unlink();
        drop(removed);
    }

    /// Has all sources list this node, and theirs list them, up to the root; arms the deadlines.
    fn link(self: &Arc<Self>) {
        let mut linked = Vec::new();
        let mut next = vec![Arc::clone(self)];
        while let Some(node) = next.pop() {
            let alarm = {
                let mut links = node.links.lock();
                if links.linked || links.is_idle() {
                    continue;
                }
                links.linked = true;
                node.state.link();
                let id = links.id();
                for source in node.waited_sources() {
                    source
                        .links
                        .lock()
                        .children
                        .insert(id, Arc::downgrade(&node));
                    next.push(source);
                }
                node.armed(id)
            };
            if let Some(driver) = alarm {
                driver.wake();
            }
            linked.push(node);
        }
        self.settle(&mut Moment::default());
        for node in linked.iter().rev() {
            if node.stored_end().is_some() {
                node.finish();
            } else {
                node.announce();
            }
        }
    }

    /// Finds out whether this linked node will be told of its end.
    pub(crate) fn announce(&self) {
        let links = self.links.lock();
        if !links.linked {
            return;
        }
        let mut is_timed = matches!(self.role, Role::Deadline(_));
        let anchors = self.sources().iter().filter_map(Context::anchor);
        for source in anchors.filter_map(Context::node) {
            match source.state.get() {
                Known::Live => {}
                Known::Timed => is_timed = true,
                // A merge of all its sources outlives some of them.
                Known::Ended if matches!(self.role, Role::All(_)) => {}
                Known::Linked | Known::Unlinked | Known::Ended => return,
            }
        }
        self.state.announce(is_timed);
    }

    /// The nearest nodes above that can end by themselves.
    fn waited_sources(&self) -> impl Iterator<Item = Arc<Self>> {
        self.sources().iter().filter_map(Context::anchor_arc)
    }

    fn armed(self: &Arc<Self>, id: u64) -> Option<Waker> {
        match &self.role {
            Role::Deadline(deadline) => deadline.arm(id, Arc::downgrade(self)),
            _ => None,
        }
    }

    /// Takes idle nodes out of their sources' lists, upwards from here.
    fn unlink(self: &Arc<Self>) {
        let mut next = vec![Arc::clone(self)];
        while let Some(node) = next.pop() {
            let mut links = node.links.lock();
            if !links.linked || !links.is_idle() {
                continue;
            }
            links.linked = false;
            node.state.unlink();
            let id = links.id();
            if let Role::Deadline(deadline) = &node.role {
                deadline.disarm();
            }
            for source in node.waited_sources() {
                source.links.lock().children.remove(&id);
                next.push(source);
            }
        }
    }

    /// For a node that is dropped while it waits for itself only, for the sake of its future.
    pub(crate) fn unlink_before_drop(&mut self) {
        let links = self.links.get_mut();
        if !links.linked {
            return;
        }
        links.linked = false;
        let id = links.id();
        if let Role::Deadline(deadline) = &self.role {
            deadline.disarm();
        }
        for source in self.waited_sources() {
            source.links.lock().children.remove(&id);
            source.unlink();
        }
    }
}
