//! Telling whoever waits that a node has ended, or that nothing can end it any more.
//!
//! Lists and lock order are those of [`crate::waiters`], whose invariants 1, 4 and 5 this keeps.

use std::collections::{BTreeMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

use super::{Taken, Waiter};
use crate::tree::Node;

impl Node {
    /// Tells everybody below that this node has ended, and then wakes whoever waits here or below.
    pub(crate) fn finish(self: &Arc<Self>) {
        let mut taken = Vec::new();
        for node in self.mark() {
            let lists = node.links.lock().take();
            node.unlink();
            if !lists.waiters.is_empty() || !lists.callbacks.is_empty() {
                taken.push(lists);
            }
        }
        wake(&mut taken);
        for callback in taken
            .into_iter()
            .flat_map(|lists| lists.callbacks.into_values())
        {
            guarded(|| callback.run());
        }
    }

    /// Stores the end of all nodes below that somebody waits for, and gives them.
    ///
    /// Their lists stay as they are until all are marked: so a second caller who comes meanwhile marks them
    /// as well, and whoever finds a list taken knows that everybody in it was told (invariant 5).
    fn mark(self: &Arc<Self>) -> Vec<Arc<Self>> {
        let mut marked = Vec::new();
        let mut merges_seen = HashSet::new();
        let mut next = vec![Arc::clone(self)];
        while let Some(node) = next.pop() {
            // A merge of all its sources may live on. Every way to a node twice leads through a merge.
            let is_seen = node.is_merge() && !merges_seen.insert(Arc::as_ptr(&node));
            if is_seen || node.end().is_none() {
                continue;
            }
            let is_idle = {
                let links = node.links.lock();
                next.extend(links.children.values().filter_map(Weak::upgrade));
                links.is_idle()
            };
            if !is_idle {
                marked.push(node);
            }
        }
        marked
    }

    /// Frees the callbacks here and below of nodes that nothing can end any more.
    pub(crate) fn release(self: &Arc<Self>) {
        // Looking whether a node can end takes a walk up to the root: only if somebody waits.
        if self.links.lock().is_idle() || self.can_end() {
            return;
        }
        let mut freed = Vec::new();
        let mut next = vec![Arc::clone(self)];
        while let Some(node) = next.pop() {
            let children = {
                let mut links = node.links.lock();
                freed.push((std::mem::take(&mut links.callbacks), links.pin.take()));
                links
                    .children
                    .values()
                    .filter_map(Weak::upgrade)
                    .collect::<Vec<_>>()
            };
            next.extend(
                children
                    .into_iter()
                    .filter(|child| !child.can_end_without_source()),
            );
            node.unlink();
        }
        for callback in freed
            .into_iter()
            .flat_map(|(callbacks, _)| callbacks.into_values())
        {
            guarded(|| callback.free());
        }
    }

    /// The deadline may have passed: whoever waits is woken, or the alarm set anew.
    pub(crate) fn expire(self: &Arc<Self>) {
        if self.end().is_some() {
            self.finish();
            return;
        }
        let alarm = {
            let mut links = self.links.lock();
            if !links.linked {
                return;
            }
            let id = links.id();
            self.armed(id)
        };
        if let Some(driver) = alarm {
            driver.wake();
        }
    }
}

/// Wakes the deepest first (invariant 4).
fn wake(taken: &mut [Taken]) {
    let lists = taken
        .iter_mut()
        .map(|lists| std::mem::take(&mut lists.waiters));
    let mut waiters: Vec<Waiter> = lists.flat_map(BTreeMap::into_values).collect();
    waiters.sort_by_key(|waiter| std::cmp::Reverse(waiter.depth));
    for waiter in waiters {
        guarded(|| waiter.waker.wake());
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
