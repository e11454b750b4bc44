//! The way up from a node: what it was derived from, and, in one word with its state, where that was derived
//! from. So a walk up waits for one load every two levels, and need not ask on each whether it is at a root.
//!
//! Invariants:
//! 1. The address in the word of an [`Upward`] is null, or its lineage holds a node; then it is that of the node
//!    which the lineage of that node holds, or if that is a root, that of the first of the two.
//! 2. A word whose state has the bit [`ONWARD`] has an address.
//! 3. A node has one `Upward`, and its lineage goes by [`Upward::take`] only, and the address with it. That
//!    takes a unique reference: so not while a handle owns a count of the node.

use std::ptr::NonNull;

use crate::context::Context;
use crate::sync::{self, AtomicWord, Ordering};
use crate::tree::Node;

/// A bit that only a state can have which lies in one word with an address.
pub(crate) const ONWARD: u8 = 8;

/// What of a word is its state; no node has an address with one of these bits.
const STATE: usize = 15;

const _: () = assert!(align_of::<Node>() > STATE);

/// Four bits that change, in one word with an address that does not.
#[derive(Debug)]
pub(crate) struct Word(AtomicWord<Node>);

impl Word {
    /// One that never changes, and has no address.
    pub(crate) const fn constant(state: u8) -> Self {
        assert!(state & ONWARD == 0, "it has no address");
        Self(sync::constant(state))
    }

    fn new(state: u8, address: *const Node) -> Self {
        Self(AtomicWord::new(with(address.cast_mut(), state)))
    }

    #[inline]
    pub(crate) fn load(&self, order: Ordering) -> u8 {
        state_in(self.0.load(order))
    }

    /// Stores a state from which nobody looks up any more: the address goes.
    #[inline]
    pub(crate) fn store_last(&self, state: u8, order: Ordering) {
        let word = with(std::ptr::null_mut(), state);
        self.0.store(word, order);
    }

    /// Puts `to` in the place of any of `from`.
    pub(crate) fn change<const N: usize>(&self, from: [u8; N], to: u8, order: Ordering) {
        let present = self.0.load(order);
        if from.contains(&state_in(present)) {
            let _ = (self.0).compare_exchange(present, with(present, to), order, order);
        }
    }
}

#[inline]
fn state_in(word: *mut Node) -> u8 {
    u8::try_from(word.addr() & STATE).unwrap_or_default()
}

#[inline]
fn address_in(word: *mut Node) -> *mut Node {
    word.map_addr(|address| address & !STATE)
}

/// The word with the same address and that state.
#[inline]
fn with(word: *mut Node, state: u8) -> *mut Node {
    let address = address_in(word);
    assert!(
        state & ONWARD == 0 || !address.is_null(),
        "that state takes an address"
    );
    address.map_addr(|address| address | usize::from(state))
}

/// The state of a node, and its lineage.
pub(crate) struct Upward {
    word: Word,
    lineage: Context,
}

impl Upward {
    #[inline]
    pub(crate) fn new(state: u8, lineage: Context) -> Self {
        let second = lineage
            .node()
            .map(|node| node.lineage().node().unwrap_or(node));
        let word = Word::new(state, second.map_or(std::ptr::null(), std::ptr::from_ref));
        Self { word, lineage }
    }

    #[inline]
    pub(crate) fn state(&self) -> &Word {
        &self.word
    }

    #[inline]
    pub(crate) fn lineage(&self) -> &Context {
        &self.lineage
    }

    /// The next two nodes on the way up, of which the second may be the first one again; `None` at the end of
    /// the way, and if that is not known any more.
    #[inline]
    pub(crate) fn next_two(&self) -> Option<(&Node, &Node)> {
        // Relaxed: an address was there when the word was made.
        let second = address_in(self.word.0.load(Ordering::Relaxed));
        // SAFETY: by invariants 1 and 3.
        NonNull::new(second).map(|second| unsafe { self.before(second) })
    }

    /// The nearest one, from `node` up, whose state does not have the bit [`ONWARD`].
    #[inline]
    pub(crate) fn first_to_stay(mut node: &Node) -> &Node {
        loop {
            // Relaxed: as in `next_two`; of the states, as in `State::is_live`.
            let word = node.up.word.0.load(Ordering::Relaxed);
            if state_in(word) & ONWARD == 0 {
                return node;
            }
            // SAFETY: non-null: by invariant 2.
            let second = unsafe { NonNull::new_unchecked(address_in(word)) };
            // SAFETY: by invariants 1 and 3.
            let (first, second) = unsafe { node.up.before(second) };
            if first.state().load(Ordering::Relaxed) & ONWARD == 0 {
                return first;
            }
            node = second;
        }
    }

    /// The next two nodes.
    ///
    /// # Safety
    ///
    /// `second` was in this word.
    #[inline]
    unsafe fn before(&self, second: NonNull<Node>) -> (&Node, &Node) {
        // SAFETY: by invariant 1 there was a node, and by invariant 3 there is, since the address was.
        let first = unsafe { self.lineage.node().unwrap_unchecked() };
        // SAFETY: valid for reads for the lifetime of `self`: by invariant 1 it is that of the first one, or the
        // lineage of the first one owns a count of it, and keeps that by invariant 3.
        (first, unsafe { second.as_ref() })
    }

    /// Gives up the lineage.
    #[inline]
    pub(crate) fn take(&mut self) -> Context {
        // Nobody asks for the state any more.
        self.word = Word::constant(0);
        std::mem::replace(&mut self.lineage, Context::background())
    }
}
