//! Entering a node in the lists of its sources, and taking it out.
//!
//! Lists and lock order are those of [`crate::waiters`], whose invariants 2, 3 and 6 this keeps.

use std::sync::Arc;
use std::task::Waker;

use super::{Links, Place};
use crate::raw::Borrowed;
use crate::roster::{Key, Listed};
use crate::state::Known;
use crate::sync::{self, MutexGuard};
use crate::tree::{Node, Role};

/// Linking.
impl Node {
    /// The nearest nodes above that can end by themselves.
    fn waited_sources(&self) -> impl Iterator<Item = Borrowed<'_, Self>> {
        self.sources()
            .iter()
            .filter_map(|source| source.anchor()?.shared())
    }

    /// That of a node which can be a leaf.
    pub(super) fn only_source(&self) -> Option<Borrowed<'_, Self>> {
        if self.is_merge() {
            return None;
        }
        self.waited_sources().next()
    }

    /// Has the waker of a leaf moved here, so that others can wait as well; unless its source has ended: then
    /// the others will see so.
    pub(super) fn make_room(&self, links: &mut Links) {
        let (Place::Leaf(at, own), Some(source)) = (&links.place, self.only_source()) else {
            return;
        };
        let (at, own) = (*at, *own);
        let mut above = source.links().lock();
        if source.state().get() == Known::Ended {
            // Whoever ends the source may have marked this node as a leaf, and is about to take its waker.
            self.state().end();
            return;
        }
        let leaf = above.roster.demote(at);
        drop(above);
        links.place = Place::Child(at);
        // The caller has the node at hand: the handle that is dropped here is not the last one.
        if let Some(Listed::Leaf(_, Some(waiter))) = leaf {
            links.roster.push_reserved(own, Listed::Waiter(waiter));
        }
    }

    /// Lists one who waits below; gives this node if it is not linked itself.
    pub(super) fn list(self: &Arc<Self>, listed: Listed) -> (Key, Option<Arc<Self>>) {
        let mut links = self.links().lock();
        self.make_room(&mut links);
        let key = links.roster.push(listed);
        (key, (!links.is_linked()).then(|| Arc::clone(self)))
    }

    /// Has all sources list this node; gives those that are not linked themselves.
    pub(super) fn enter_at_sources(self: &Arc<Self>, links: &mut Links) -> Vec<Arc<Self>> {
        let mut unlinked = Vec::new();
        let keys = self.waited_sources().map(|source| {
            let (key, above) = source.list(Listed::Child(Arc::downgrade(self)));
            unlinked.extend(above);
            key
        });
        links.place = if self.is_merge() {
            Place::Children(keys.collect())
        } else {
            { keys }
                .next()
                .map_or(Place::Children(Box::default()), Place::Child)
        };
        unlinked
    }

    /// After the sources list it: has theirs list them, up to the root, arms the deadlines, and finds out
    /// whether all of them will be told.
    pub(super) fn complete_link(
        self: &Arc<Self>,
        mut links: MutexGuard<'_, Links>,
        unlinked: Vec<Arc<Self>>,
    ) {
        let driver = self.arm(&mut links);
        let is_next_to_linked = unlinked.is_empty();
        if is_next_to_linked {
            self.announce_linked();
        }
        drop(links);
        wake(driver);
        let above = Self::link_above(unlinked);
        let linked = || above.iter().rev().chain([self]);
        if !is_next_to_linked {
            linked().for_each(|node| node.announce());
        }
        // Otherwise the ends of all above are found out.
        if self.is_told() {
            return;
        }
        self.end();
        // One above may have been found ended when it was announced.
        let ended = linked().filter(|node| node.stored_end().is_some());
        ended.for_each(Self::finish);
    }

    /// Links those that somebody waits below, and whom they depend on; gives them, the nearest ones first.
    fn link_above(mut unlinked: Vec<Arc<Self>>) -> Vec<Arc<Self>> {
        let mut above = Vec::new();
        while let Some(node) = unlinked.pop() {
            let mut links = node.links().lock();
            if links.is_linked() || links.is_idle() {
                continue;
            }
            unlinked.extend(node.enter_at_sources(&mut links));
            let driver = node.arm(&mut links);
            drop(links);
            wake(driver);
            above.push(node);
        }
        above
    }

    /// Notes that the node is linked, and sets the alarm of its deadline; the driver to be woken for that.
    fn arm(self: &Arc<Self>, links: &mut Links) -> Option<Waker> {
        self.state().link();
        match &self.role {
            Role::Deadline(deadline) => deadline.arm(self, &mut links.alarm),
            _ => None,
        }
    }

    /// Whether it will be told of its end, by whoever cancels it or by a driver, so that nobody who waits
    /// need look. Who is, is so all the way up.
    pub(super) fn is_told(&self) -> bool {
        matches!(self.state().get(), Known::Live | Known::Timed)
    }

    /// Finds out whether this linked node will be told of its end.
    pub(crate) fn announce(&self) {
        let links = self.links().lock();
        if links.is_linked() {
            self.announce_linked();
        }
    }

    /// As [`announce`](Self::announce), for who holds its lock.
    pub(super) fn announce_linked(&self) {
        // By invariant 3, before anybody relies on its state.
        if !self.is_before_end() {
            return;
        }
        let mut is_timed = matches!(self.role, Role::Deadline(_));
        // A merge of all its sources outlives some of them.
        let is_for_all = matches!(self.role, Role::All(_));
        let mut is_outlived = is_for_all;
        for source in self.waited_sources() {
            match source.state().get() {
                Known::Live => {}
                Known::Timed => is_timed = true,
                Known::Ended if is_for_all => continue,
                Known::Linked | Known::Unlinked | Known::Alone | Known::Ended => return,
            }
            is_outlived = false;
        }
        if !is_outlived {
            self.state().announce(is_timed);
        }
    }

    /// Takes the node out of its sources' lists if nobody waits any more; to be dropped.
    pub(super) fn unlink_if_idle(&self, links: MutexGuard<'_, Links>) -> Option<Listed> {
        if links.is_idle() {
            self.unlink(links)
        } else {
            None
        }
    }

    /// Takes the node out of its sources' lists, and those that are idle then out of theirs, and so on; what
    /// the source of a leaf has kept.
    pub(super) fn unlink(&self, links: MutexGuard<'_, Links>) -> Option<Listed> {
        let mut idle = Vec::new();
        let leaf = self.unlink_here(links, &mut idle);
        Self::unlink_idle(idle);
        leaf
    }

    /// Takes nodes that were idle out of their sources' lists, if they still are.
    pub(super) fn unlink_idle(mut idle: Vec<Arc<Self>>) {
        while let Some(node) = idle.pop() {
            let links = node.links().lock();
            if links.is_idle() {
                node.unlink_here(links, &mut idle);
            }
        }
    }

    fn unlink_here(
        &self,
        mut links: MutexGuard<'_, Links>,
        idle: &mut Vec<Arc<Self>>,
    ) -> Option<Listed> {
        if !links.is_linked() {
            return None;
        }
        self.state().unlink(self.unlisted());
        if let Some(alarm) = links.alarm.take() {
            alarm.remove();
        }
        let (key, keys) = match std::mem::take(&mut links.place) {
            Place::Unlinked => (None, Box::default()),
            Place::Leaf(key, _) | Place::Child(key) => (Some(key), Box::default()),
            Place::Children(keys) => (None, keys),
        };
        let mut leaf = None;
        for (source, key) in self.waited_sources().zip(key.into_iter().chain(keys)) {
            let mut links = source.links().lock();
            leaf = links.roster.remove(key);
            if links.is_idle() {
                idle.push(Arc::clone(&source));
            }
        }
        leaf
    }

    /// For a node that is dropped while it waits for itself only, for the sake of its future.
    #[inline]
    pub(crate) fn unlink_before_drop(&mut self) {
        if self.links.is_set() {
            self.unlink_if_listed();
        }
    }

    fn unlink_if_listed(&mut self) {
        // Nobody else has it: its state is the last one. The models do not know of that.
        let is_unlinked = matches!(self.state().get(), Known::Unlinked | Known::Alone);
        if sync::IS_MODELLED || !is_unlinked {
            self.unlink(self.links().lock());
        }
    }
}

/// Wakes a driver that has to set out earlier.
pub(super) fn wake(driver: Option<Waker>) {
    if let Some(driver) = driver {
        driver.wake();
    }
}
