//! The list of who waits at a node: wakers, and the nodes below that somebody waits for.
//!
//! A node below at which a single waker waits is a *leaf*: its waker is kept here, so that ending a
//! node of a million such children writes one byte in each and reads nothing else of them.
//!
//! Invariants:
//! 1. Entries lie in the order of their keys, which grow; one that is taken out leaves a gap, and the
//!    gaps are closed when they are more than half. So the list is never much longer than it is full.
//!    No number comes twice: an entry is as far from either end as their numbers differ, at most. So it is
//!    found at the first try if no gap was closed behind it, as when the first to come are the first to go.
//! 2. The entry of a leaf stays until the leaf itself takes it out, although its waker is gone. So who
//!    ends a million children need not give back what keeps them.

use std::sync::{Arc, Weak};
use std::task::Waker;

use crate::timeline::Alarm;
use crate::tree::Node;

/// Up to how many gaps are not worth closing.
const FEW: usize = 16;

/// How many entries are taken out at a time: what was taken stays in the processor's cache.
const SOME: usize = 256;

/// A waker, and how many owners of other wakers are above it.
pub(crate) struct Waiter {
    pub(crate) waker: Waker,
    pub(crate) depth: u32,
}

/// Who waits.
pub(crate) enum Listed {
    Waiter(Waiter),
    Leaf(Arc<Node>, Option<Waiter>),
    Child(Weak<Node>),
}

/// Where an entry is to be found.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Key(u64);

impl Key {
    /// That of the first entry of a list.
    pub(crate) const FIRST: Self = Self(0);

    pub(crate) fn of_number(number: usize) -> Self {
        Self(number as u64)
    }

    /// As a number, if it is one.
    pub(crate) fn number(self) -> Option<usize> {
        usize::try_from(self.0).ok()
    }
}

struct Entry {
    key: Key,
    listed: Option<Listed>,
}

/// A list; one that was never entered takes little memory.
#[derive(Default)]
pub(crate) struct Roster {
    next: u64,
    list: Option<Box<List>>,
}

/// How far a list was taken out: the next number.
#[derive(Default)]
pub(crate) struct Next(u64);

impl Next {
    /// As a number, the largest one if it is none.
    pub(crate) fn number(&self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

#[derive(Default)]
struct List {
    gaps: usize,
    /// There may be waiters that are not at depth 0.
    has_deep: bool,
    entries: Vec<Entry>,
    /// Those of bare leaves, where their entries are; not longer than it takes for those that have one.
    alarms: Vec<Option<Alarm>>,
}

impl Roster {
    pub(crate) fn is_empty(&self) -> bool {
        self.list.as_ref().is_none_or(|list| list.is_empty())
    }

    /// A key for an entry that may come later, before any other one does.
    pub(crate) fn reserve(&mut self) -> Key {
        let key = Key(self.next);
        self.next += 1;
        key
    }

    pub(crate) fn push(&mut self, listed: Listed) -> Key {
        let key = self.reserve();
        self.push_reserved(key, listed);
        key
    }

    /// Enters a bare leaf, with its alarm.
    pub(crate) fn push_bare(&mut self, leaf: Listed, alarm: Option<Alarm>) {
        let key = self.reserve();
        self.enter(key, leaf, alarm);
    }

    pub(crate) fn push_reserved(&mut self, key: Key, listed: Listed) {
        self.enter(key, listed, None);
    }

    fn enter(&mut self, key: Key, listed: Listed, alarm: Option<Alarm>) {
        let list = self.list.get_or_insert_default();
        let listed = Some(listed);
        list.push(Entry { key, listed }, alarm);
    }

    /// The key of the next one that is pushed.
    pub(crate) fn next_key(&self) -> Key {
        Key(self.next)
    }

    fn get_mut(&mut self, key: Key) -> Option<&mut Listed> {
        self.list.as_mut()?.get_mut(key)?.listed.as_mut()
    }

    /// Takes out the alarm of a bare leaf.
    pub(crate) fn take_alarm(&mut self, key: Key) -> Option<Alarm> {
        let list = self.list.as_mut()?;
        let index = list.find(key)?;
        list.alarms.get_mut(index)?.take()
    }

    /// Puts another waiter in its place, unless that was taken; gives the one that is to be dropped.
    pub(crate) fn replace_waiter(&mut self, key: Key, waiter: Waiter) -> Waiter {
        let Some(list) = &mut self.list else {
            return waiter;
        };
        list.has_deep |= waiter.depth > 0;
        match list.get_mut(key).and_then(|entry| entry.listed.as_mut()) {
            Some(Listed::Waiter(present) | Listed::Leaf(_, Some(present))) => {
                std::mem::replace(present, waiter)
            }
            _ => waiter,
        }
    }

    /// Makes a child of a leaf; gives what was there.
    pub(crate) fn demote(&mut self, key: Key) -> Option<Listed> {
        let listed = self.get_mut(key)?;
        let Listed::Leaf(node, _) = &*listed else {
            return None;
        };
        let child = Listed::Child(Arc::downgrade(node));
        Some(std::mem::replace(listed, child))
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<Listed> {
        self.list.as_mut()?.remove(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Listed> {
        let entries = self.list.iter().flat_map(|list| &list.entries);
        entries.filter_map(|entry| entry.listed.as_ref())
    }

    /// Takes out the waiters that have owners of other wakers above them.
    pub(crate) fn take_deep_waiters(&mut self, waiters: &mut Vec<Waiter>) {
        if let Some(list) = self.list.as_mut().filter(|list| list.has_deep) {
            let found = list.entries.iter_mut().filter_map(|entry| {
                let is_deep = entry.waiter().is_some_and(|waiter| waiter.depth > 0);
                if is_deep { entry.take_waiter() } else { None }
            });
            waiters.extend(found);
            list.gaps = list.count_gaps();
        }
    }

    /// Takes out some more from `next` on, all but the leaves, of which it takes the waiters; false if there was
    /// none.
    pub(crate) fn take_some(&mut self, next: &mut Next, waiters: &mut Vec<Waiter>) -> bool {
        let Some(list) = &mut self.list else {
            return false;
        };
        let went_on = list.take_some(next, waiters);
        // Nobody else comes to a node that has ended.
        self.list.take_if(|list| list.is_empty());
        went_on
    }
}

impl Entry {
    fn waiter(&self) -> Option<&Waiter> {
        match self.listed.as_ref()? {
            Listed::Waiter(waiter) => Some(waiter),
            Listed::Leaf(_, waiter) => waiter.as_ref(),
            Listed::Child(_) => None,
        }
    }

    /// Takes out a waiter, and the waiter of a leaf.
    #[inline]
    fn take_waiter(&mut self) -> Option<Waiter> {
        match &mut self.listed {
            Some(Listed::Leaf(_, waiter)) => waiter.take(),
            listed => match listed.take() {
                Some(Listed::Waiter(waiter)) => Some(waiter),
                other => {
                    *listed = other;
                    None
                }
            },
        }
    }
}

impl List {
    fn is_empty(&self) -> bool {
        self.gaps == self.entries.len()
    }

    fn push(&mut self, entry: Entry, alarm: Option<Alarm>) {
        self.has_deep |= entry.waiter().is_some_and(|waiter| waiter.depth > 0);
        if alarm.is_some() {
            self.alarms.resize_with(self.entries.len(), || None);
            self.alarms.push(alarm);
        }
        self.entries.push(entry);
    }

    fn get_mut(&mut self, key: Key) -> Option<&mut Entry> {
        let index = self.find(key)?;
        Some(&mut self.entries[index])
    }

    fn remove(&mut self, key: Key) -> Option<Listed> {
        let index = self.find(key)?;
        let removed = self.entries[index].listed.take()?;
        self.gaps += 1;
        self.close_gaps();
        Some(removed)
    }

    fn find(&self, key: Key) -> Option<usize> {
        let (first, last) = (self.entries.first()?, self.entries.last()?);
        let after_first = usize::try_from(key.0.checked_sub(first.key.0)?).unwrap_or(usize::MAX);
        let before_last = usize::try_from(last.key.0.checked_sub(key.0)?).unwrap_or(usize::MAX);
        let end = self.entries.len() - 1;
        let (lowest, highest) = (end.saturating_sub(before_last), after_first.min(end));
        if self.entries[lowest].key == key {
            return Some(lowest);
        }
        let between = self.entries.get(lowest..=highest)?;
        let found = between.binary_search_by_key(&key, |entry| entry.key);
        found.ok().map(|index| lowest + index)
    }

    fn close_gaps(&mut self) {
        if self.is_empty() {
            self.entries.clear();
            self.alarms.clear();
        } else if self.gaps > FEW && self.gaps > self.entries.len() / 2 {
            let mut is_there = self.entries.iter().map(|entry| entry.listed.is_some());
            self.alarms.retain(|_| is_there.next().unwrap_or(false));
            self.entries.retain(|entry| entry.listed.is_some());
        } else {
            return;
        }
        self.gaps = 0;
        let room = 2 * self.entries.len();
        if self.entries.capacity() > FEW + 2 * room {
            self.entries.shrink_to(room);
            self.alarms.shrink_to(room);
        }
    }

    fn take_some(&mut self, next: &mut Next, waiters: &mut Vec<Waiter>) -> bool {
        // Others may have closed gaps since the last time.
        let begin = self.entries.partition_point(|entry| entry.key.0 < next.0);
        for entry in self.entries[begin..].iter_mut().take(SOME) {
            next.0 = entry.key.0 + 1;
            let was_there = entry.listed.is_some();
            waiters.extend(entry.take_waiter());
            if matches!(entry.listed, Some(Listed::Child(_))) {
                entry.listed = None;
            }
            self.gaps += usize::from(was_there && entry.listed.is_none());
        }
        begin < self.entries.len()
    }

    fn count_gaps(&self) -> usize {
        let gaps = self.entries.iter().filter(|entry| entry.listed.is_none());
        gaps.count()
    }
}

#[cfg(test)]
mod tests {
    use super::{FEW, Listed, Roster, Waiter};
    use std::task::Waker;

    fn waiter(depth: u32) -> Listed {
        let waker = Waker::noop().clone();
        Listed::Waiter(Waiter { waker, depth })
    }

    fn depth(listed: Option<&Listed>) -> Option<u32> {
        match listed {
            Some(Listed::Waiter(waiter)) => Some(waiter.depth),
            _ => None,
        }
    }

    #[test]
    fn entries_are_found_until_they_are_taken_out_whatever_goes_between() {
        let mut roster = Roster::default();
        let keys: Vec<_> = (0..1000).map(|n| roster.push(waiter(n))).collect();
        let (rest, gone): (Vec<u32>, Vec<u32>) = (0..1000).partition(|n| n % 7 == 3);
        for n in gone {
            assert!(roster.remove(keys[n as usize]).is_some());
            assert!(roster.remove(keys[n as usize]).is_none());
        }
        for n in rest {
            assert_eq!(depth(roster.get_mut(keys[n as usize]).as_deref()), Some(n));
            assert!(roster.remove(keys[n as usize]).is_some());
        }
        assert!(roster.is_empty());
    }

    // guarantee B8
    #[test]
    fn a_list_that_was_long_is_short_again_around_one_that_stays() {
        let mut roster = Roster::default();
        let first = roster.push(waiter(1));
        let keys: Vec<_> = (0..10_000).map(|_| roster.push(waiter(2))).collect();
        let last = roster.push(waiter(3));
        for key in keys {
            roster.remove(key);
        }
        let left = roster.list.as_ref().expect("two entries are in it");
        assert!(left.entries.capacity() <= 8 * FEW);
        assert_eq!(depth(roster.get_mut(first).as_deref()), Some(1));
        assert_eq!(depth(roster.get_mut(last).as_deref()), Some(3));
    }

    #[test]
    fn a_reserved_key_finds_what_came_in_later() {
        let mut roster = Roster::default();
        let reserved = roster.reserve();
        assert!(roster.remove(reserved).is_none());
        roster.push_reserved(reserved, waiter(1));
        let second = roster.push(waiter(2));
        assert_eq!(depth(roster.get_mut(reserved).as_deref()), Some(1));
        assert!(roster.remove(second).is_some());
        assert!(roster.remove(reserved).is_some());
    }
}
