//! Entries ordered by when they are due, put in and taken out in constant time: a hierarchical timing wheel
//! (Varghese and Lauck, "Hashed and hierarchical timing wheels", 1987), with exact times in its entries.
//!
//! Time is cut into *grains*. A slot of level 0 is one grain, one of the next level 64 of the slots below.
//! An entry lies at the lowest level at which it and the present, `elapsed`, are slots of one and the same
//! larger slot; when that slot is due, its entries go down. Slots are linked lists of indices into one
//! vector, so nothing is allocated or freed from one entry to the next.
//!
//! Invariants:
//! 1. No entry that is due in a grain before `elapsed` is kept in another slot than that of `elapsed`.
//! 2. At levels above 0 the slot of `elapsed` is empty. So all entries of a level are due before those of
//!    higher levels, and in the order of its slots.
//! 3. A slot is empty exactly when its bit is not set; `earliest` of one that is not is at most the time of
//!    each of its entries, and that of one of them if it `is_exact`.
//! 4. The vector is as long as there were entries at most, since it was last given back.

use std::mem;

/// Grains are so many bits of nanoseconds long: about a millisecond, as those of tokio's timer are.
const GRAIN_BITS: u32 = 20;
const LEVEL_BITS: u32 = 6;
const SLOTS: usize = 1 << LEVEL_BITS;
/// Enough for all times there are.
const LEVELS: usize = (u64::BITS - GRAIN_BITS).div_ceil(LEVEL_BITS) as usize;
/// Up to how many free entries are not worth giving back.
const FEW: usize = 64;
const NONE: u32 = u32::MAX;

/// Where an entry is to be found; none of the next four thousand million entries has the same one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Key {
    index: u32,
    /// How many entries there were before, as far as that goes.
    number: u32,
}

struct Entry<T> {
    at: i64,
    /// `None` if the entry is free.
    value: Option<T>,
    number: u32,
    /// That of the list of its slot, or of free entries.
    next: u32,
    previous: u32,
    level: u8,
    slot: u8,
}

#[derive(Clone, Copy)]
struct Slot {
    earliest: i64,
    first: u32,
    is_exact: bool,
}

#[derive(Clone)]
struct Level {
    /// Which of the slots are not empty.
    occupied: u64,
    slots: [Slot; SLOTS],
}

/// Values of type `T`, each with the time at which it is due, in nanoseconds.
pub(super) struct Wheel<T> {
    elapsed: u64,
    levels: Box<[Level]>,
    entries: Vec<Entry<T>>,
    first_free: u32,
    len: usize,
    next_number: u32,
}

/// What follows one another in time, from zero on.
fn grain(at: i64) -> u64 {
    (at.cast_unsigned() ^ (1 << 63)) >> GRAIN_BITS
}

/// The slot of `grain` at `level`.
fn slot_of(grain: u64, level: usize) -> usize {
    let below = LEVEL_BITS as usize * level;
    usize::try_from((grain >> below) % SLOTS as u64).unwrap_or(0)
}

impl<T> Default for Wheel<T> {
    fn default() -> Self {
        Self {
            // No clock shows less, mostly.
            elapsed: grain(0),
            levels: vec![Level::EMPTY; LEVELS].into(),
            entries: Vec::new(),
            first_free: NONE,
            len: 0,
            next_number: 0,
        }
    }
}

impl<T> Wheel<T> {
    pub(super) fn insert(&mut self, at: i64, value: T) -> Key {
        let number = self.next_number;
        self.next_number = number.wrapping_add(1);
        let entry = Entry {
            at,
            value: Some(value),
            number,
            next: NONE,
            previous: NONE,
            level: 0,
            slot: 0,
        };
        let index = self.first_free;
        let index = if let Some(free) = self.entries.get_mut(index as usize) {
            self.first_free = free.next;
            *free = entry;
            index
        } else {
            self.entries.push(entry);
            u32::try_from(self.entries.len() - 1).expect("memory holds no more alarms")
        };
        self.len += 1;
        self.place(index);
        Key { index, number }
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<T> {
        let entry = self.entries.get(key.index as usize)?;
        if entry.value.is_none() || entry.number != key.number {
            return None;
        }
        self.unlink(key.index);
        self.free(key.index)
    }

    /// Takes what is due at `now`, in no order.
    pub(super) fn take_due(&mut self, now: i64, due: &mut Vec<(i64, T)>) {
        let present = grain(now).max(self.elapsed);
        while let Some((level, slot, start)) = self.first_slot() {
            if start > present {
                break;
            }
            self.elapsed = start;
            let mut next = self.clear(level, slot);
            while next != NONE {
                let index = next;
                let entry = &self.entries[index as usize];
                let at = entry.at;
                next = entry.next;
                if at <= now {
                    due.extend(self.free(index).map(|value| (at, value)));
                } else {
                    self.place(index);
                }
            }
            if level == 0 && start == present {
                break;
            }
        }
        self.elapsed = present;
    }

    /// When the first entry is due.
    pub(super) fn next(&mut self) -> Option<i64> {
        let (level, slot, _) = self.first_slot()?;
        let slot = &mut self.levels[level].slots[slot];
        if !slot.is_exact {
            let mut next = slot.first;
            let mut earliest = i64::MAX;
            while let Some(entry) = self.entries.get(next as usize) {
                earliest = earliest.min(entry.at);
                next = entry.next;
            }
            (slot.earliest, slot.is_exact) = (earliest, true);
        }
        Some(slot.earliest)
    }

    /// Takes all, in no order.
    #[cfg(any(feature = "tokio", all(test, not(any(loom, shuttle)))))]
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = (Key, i64, T)> + use<T> {
        self.levels.fill(Level::EMPTY);
        (self.first_free, self.len) = (NONE, 0);
        let entries = mem::take(&mut self.entries).into_iter().zip(0..);
        entries.filter_map(|(entry, index)| {
            let number = entry.number;
            Some((Key { index, number }, entry.at, entry.value?))
        })
    }

    /// The level, the number and the first grain of the slot that is due first.
    fn first_slot(&self) -> Option<(usize, usize, u64)> {
        let is_occupied = |level: &Level| level.occupied != 0;
        let level = self.levels.iter().position(is_occupied)?;
        // By invariant 2 none lies before that of `elapsed`.
        let slot = self.levels[level].occupied.trailing_zeros();
        let below = LEVEL_BITS as usize * level;
        let before = self.elapsed >> below >> LEVEL_BITS << LEVEL_BITS;
        let start = (before | u64::from(slot)) << below;
        Some((level, slot as usize, start))
    }

    /// Puts an entry that is in no list into that of its slot.
    fn place(&mut self, index: u32) {
        let entry = &mut self.entries[index as usize];
        let grain = grain(entry.at).max(self.elapsed);
        let differing = (grain ^ self.elapsed) | 1;
        let level = (differing.ilog2() / LEVEL_BITS) as usize;
        let number = slot_of(grain, level);
        let slots = &mut self.levels[level];
        let is_first = slots.occupied & (1 << number) == 0;
        slots.occupied |= 1 << number;
        let slot = &mut slots.slots[number];
        if is_first || entry.at <= slot.earliest {
            (slot.earliest, slot.is_exact) = (entry.at, true);
        }
        let next = mem::replace(&mut slot.first, index);
        (entry.level, entry.slot) = (small(level), small(number));
        (entry.next, entry.previous) = (next, NONE);
        if let Some(next) = self.entries.get_mut(next as usize) {
            next.previous = index;
        }
    }

    /// Empties a slot; the first entry of its list.
    fn clear(&mut self, level: usize, slot: usize) -> u32 {
        let level = &mut self.levels[level];
        level.occupied &= !(1 << slot);
        mem::replace(&mut level.slots[slot].first, NONE)
    }

    /// Takes an entry out of its list.
    fn unlink(&mut self, index: u32) {
        let entry = &self.entries[index as usize];
        let (at, next, previous) = (entry.at, entry.next, entry.previous);
        let level = &mut self.levels[usize::from(entry.level)];
        let slot = &mut level.slots[usize::from(entry.slot)];
        // Of two that are due at the same time, it may be the other one.
        slot.is_exact &= at != slot.earliest;
        if previous == NONE {
            slot.first = next;
            if next == NONE {
                level.occupied &= !(1 << entry.slot);
            }
        }
        if let Some(previous) = self.entries.get_mut(previous as usize) {
            previous.next = next;
        }
        if let Some(next) = self.entries.get_mut(next as usize) {
            next.previous = previous;
        }
    }

    /// Frees an entry that is in no list.
    fn free(&mut self, index: u32) -> Option<T> {
        let entry = &mut self.entries[index as usize];
        let value = entry.value.take();
        entry.next = mem::replace(&mut self.first_free, index);
        self.len -= 1;
        if self.len == 0 && self.entries.len() > FEW {
            (self.entries, self.first_free) = (Vec::new(), NONE);
        }
        value
    }
}

impl Level {
    const EMPTY: Self = Self {
        occupied: 0,
        slots: [Slot {
            earliest: 0,
            first: NONE,
            is_exact: true,
        }; SLOTS],
    };
}

/// A number of a level or of a slot.
fn small(number: usize) -> u8 {
    const { assert!(LEVELS <= SLOTS && SLOTS <= 256) };
    u8::try_from(number).unwrap_or(u8::MAX)
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use proptest::collection::vec;
    use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

    use super::{FEW, Key, Wheel};

    #[derive(Clone, Copy, Debug)]
    enum Step {
        /// So long after the present.
        Insert(i64),
        /// One of those that were ever there.
        Remove(usize),
        /// So much time passes.
        Pass(i64),
        /// It is now when the first entry is due.
        PassToNext,
    }

    fn distance() -> impl Strategy<Value = i64> {
        (0..62_u32, any::<u32>()).prop_map(|(bits, low)| (1 << bits) + i64::from(low >> 8))
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => prop_oneof![distance(), Just(0), -3_000_000..3_000_000_i64].prop_map(Step::Insert),
            2 => any::<usize>().prop_map(Step::Remove),
            1 => distance().prop_map(|distance| Step::Pass(distance >> 16)),
            1 => Just(Step::PassToNext),
        ]
    }

    /// A wheel, and what it should do.
    #[derive(Default)]
    struct Model {
        wheel: Wheel<usize>,
        expected: BTreeMap<(i64, usize), Key>,
        keys: Vec<(i64, Key)>,
        now: i64,
    }

    impl Model {
        fn take(&mut self, step: Step) {
            match step {
                Step::Insert(after) => {
                    let (at, number) = (self.now.saturating_add(after), self.keys.len());
                    let key = self.wheel.insert(at, number);
                    self.keys.push((at, key));
                    self.expected.insert((at, number), key);
                }
                Step::Remove(_) if self.keys.is_empty() => {}
                Step::Remove(which) => {
                    let number = which % self.keys.len();
                    let (at, key) = self.keys[number];
                    let expected = self.expected.remove(&(at, number));
                    assert_eq!(self.wheel.remove(key), expected.map(|_| number));
                }
                Step::Pass(by) => self.pass_to(self.now.saturating_add(by)),
                Step::PassToNext => {
                    if let Some(next) = self.wheel.next() {
                        self.pass_to(next);
                    }
                }
            }
            let first = self.expected.first_key_value();
            assert_eq!(self.wheel.next(), first.map(|((at, _), _)| *at));
            assert_eq!(self.wheel.len, self.expected.len());
        }

        fn pass_to(&mut self, now: i64) {
            self.now = now.max(self.now);
            let mut due = Vec::new();
            self.wheel.take_due(self.now, &mut due);
            due.sort_unstable();
            let later = self.expected.split_off(&(self.now, usize::MAX));
            let expected = std::mem::replace(&mut self.expected, later);
            assert!(due.into_iter().eq(expected.into_keys()));
        }
    }

    proptest! {
        #[test]
        fn it_does_what_a_sorted_map_would(steps in vec(step(), 0..300)) {
            let mut model = Model::default();
            for step in steps {
                model.take(step);
            }
            let left: HashSet<_> = model.wheel.take_all().collect();
            let expected = model.expected.into_iter();
            assert_eq!(left, expected.map(|((at, number), key)| (key, at, number)).collect());
            assert_eq!(model.wheel.next(), None);
        }
    }

    // guarantee B8
    #[test]
    fn memory_is_used_again_and_given_back_with_the_last_entry() {
        let mut wheel = Wheel::default();
        for _ in 0..3 {
            let keys: Vec<_> = (0..10_000).map(|at| wheel.insert(at << 24, at)).collect();
            assert_eq!(wheel.entries.len(), keys.len());
            for (key, at) in keys.into_iter().zip(0..) {
                assert_eq!(wheel.remove(key), Some(at));
            }
            assert!(wheel.entries.capacity() <= FEW);
        }
    }
}
