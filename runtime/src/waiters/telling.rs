//! Telling whoever waits that a node has ended, or that nothing can end it any more.
//!
//! Lists and lock order are those of [`crate::waiters`], whose invariants 1, 4 and 5 this keeps.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

use crate::deadline::Moment;
use crate::roster::{Listed, Next, Waiter};
use crate::tree::{Node, Role};

impl Node {
    /// Tells everybody below that this node has ended, and then wakes whoever waits here or below.
    pub(crate) fn finish(self: &Arc<Self>) {
        let Some(links) = self.present_links() else {
            return;
        };
        // Mostly nobody is there: then there is nothing to keep in mind.
        if links.lock().is_unused() {
            return;
        }
        let (mut waiters, mut callbacks, mut pins) = (Vec::new(), Vec::new(), Vec::new());
        let marked = self.mark();
        for node in &marked {
            let mut links = node.links().lock();
            links.roster.take_deep_waiters(&mut waiters);
            if let Some(taken) = links.callbacks.take() {
                callbacks.extend(taken.list.into_values());
                pins.extend(taken.pin);
            }
            if let Some(Listed::Leaf(_, Some(waiter))) = node.unlink(links) {
                waiters.push(waiter);
            }
        }
        wake(&mut waiters);
        for node in &marked {
            node.wake_others(&mut waiters);
        }
        for callback in callbacks {
            guarded(|| callback.run());
        }
        unpin(pins);
        unpin(marked);
    }

    /// Wakes those who are left, and have no owner above them; some at a time, since they may be a million.
    fn wake_others(&self, some: &mut Vec<Waiter>) {
        let mut next = Next::default();
        while self.links().take_some(&mut next, some) {
            wake(some);
        }
    }

    /// Stores the end of all nodes below that somebody waits for, and gives them, but for the leaves.
    ///
    /// Their lists stay as they are until all are marked: so a second caller who comes meanwhile marks them
    /// as well, and whoever finds a list taken knows that everybody in it was told (invariant 5).
    fn mark(self: &Arc<Self>) -> Vec<Arc<Self>> {
        let mut marked = Vec::new();
        let mut merges_seen = HashSet::new();
        let mut moment = Moment::default();
        let mut next = vec![Arc::clone(self)];
        while let Some(node) = next.pop() {
            // A merge of all its sources may live on. Every way to a node twice leads through a merge.
            if node.is_merge() {
                if !merges_seen.insert(Arc::as_ptr(&node)) {
                    continue;
                }
                // Of two who end its last sources at once, the one who comes here second sees both ends.
                drop(node.links().lock());
            }
            // It is about to be told: so it does not know yet.
            node.settle(&mut moment);
            if node.stored_end().is_none() {
                continue;
            }
            let is_unused = {
                let links = node.links().lock();
                for listed in links.roster.iter() {
                    match listed {
                        Listed::Leaf(leaf, _) => leaf.state().end(),
                        Listed::Child(child) => next.extend(child.upgrade()),
                        Listed::Waiter(_) => {}
                    }
                }
                links.is_unused()
            };
            if !is_unused {
                marked.push(node);
            }
        }
        marked
    }

    /// Frees the callbacks here and below of nodes that nothing can end any more.
    pub(crate) fn release(self: &Arc<Self>) {
        // Looking whether a node can end takes a walk up to the root: only if somebody waits.
        let is_unused = |node: &Self| {
            node.present_links()
                .is_none_or(|links| links.lock().is_unused())
        };
        if is_unused(self) || self.can_end() {
            return;
        }
        let (mut callbacks, mut pins) = (Vec::new(), Vec::new());
        let mut next = vec![Arc::clone(self)];
        while let Some(node) = next.pop() {
            let mut links = node.links().lock();
            if let Some(taken) = links.callbacks.take() {
                callbacks.extend(taken.list.into_values());
                pins.extend(taken.pin);
            }
            // No callback waits at a leaf.
            let children = links.roster.iter().filter_map(|listed| match listed {
                Listed::Child(child) => Weak::upgrade(child),
                Listed::Leaf(..) | Listed::Waiter(_) => None,
            });
            let children: Vec<_> = children.collect();
            drop(node.unlink_if_idle(links));
            next.extend(
                children
                    .into_iter()
                    .filter(|child| !child.can_end_without_source()),
            );
        }
        for callback in callbacks {
            guarded(|| callback.free());
        }
        unpin(pins);
    }

    /// The deadline may have passed: whoever waits is woken, or the alarm set anew.
    pub(crate) fn expire(self: &Arc<Self>) {
        if self.end().is_some() {
            self.finish();
            return;
        }
        let Role::Deadline(deadline) = &self.role else {
            return;
        };
        let mut links = self.links().lock();
        if !links.is_linked() {
            return;
        }
        let driver = deadline.arm(self, &mut links.alarm);
        drop(links);
        if let Some(driver) = driver {
            driver.wake();
        }
    }
}

/// Wakes the deepest first (invariant 4).
fn wake(waiters: &mut Vec<Waiter>) {
    waiters.sort_by_key(|waiter| std::cmp::Reverse(waiter.depth));
    for waiter in waiters.drain(..) {
        guarded(|| waiter.waker.wake());
    }
}

/// Drops what may be the last handles of contexts, with values whose destructors panic.
fn unpin(pins: Vec<Arc<Node>>) {
    for pin in pins {
        guarded(move || drop(pin));
    }
}

/// Runs foreign code whose panic must not keep the others from being told. The panic hook has
/// reported it by the time it is caught.
pub(crate) fn guarded(foreign: impl FnOnce()) {
    // Dropping the payload of a panic may panic again; that one is caught as well.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(foreign)) {
        catch_unwind(AssertUnwindSafe(|| drop(payload))).unwrap_or_else(std::mem::forget);
    }
}
