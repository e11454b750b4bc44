//! What a node knows of its end without looking upwards: a few bits, which every await reads.
//!
//! A node that is linked will be told of its end (see [`crate::waiters`]). As long as it was not told,
//! one load says that it has not ended; all other nodes have to look.
//!
//! ```text
//! Unlinked <-> Linked -> Live | Timed -> Unlinked        any of them -> Ended
//! ```
//!
//! What has no sources, and no deadline, is `Alone` instead of unlinked; and `Plain` what ends by a cancel or
//! with its lineage, and in no other way: one look at each node on the way up tells of it.
//!
//! Invariants:
//! 1. `Ended` is final, and is stored after the end itself, by whoever finds the end first; that of a leaf,
//!    when the end of its source is stored (invariant 6 of [`crate::waiters`]).
//!    Nobody announces a node after its end was stored, or else who stores it finds the node's lists, and
//!    marks all in them (invariant 3 of [`crate::waiters`]).
//! 2. All other changes are made under the node's lock, or in place of it that of its source (invariant 1 of
//!    [`crate::waiters::bare`]). Whoever unlinks it, changes the state before it
//!    is taken out of its sources' lists.
//! 3. `Live` and `Timed`: all sources list the node, and each of them was live or timed (or never
//!    ends) when this was found out under the node's lock. A listed source cannot become unlinked;
//!    so from there on up, everybody is listed.
//!
//! So a cancel that has returned was seen by every linked node below, since it has marked all that are
//! listed; and a node that was unlinked while it was marked, was so before its source's list was read
//! under that source's lock, so that whoever was told of the cancel finds it unlinked, and looks.

use crate::context::Context;
use crate::raw::{ONWARD, Word};
use crate::sync::Ordering;

/// What a look at the state tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Known {
    /// It has not ended: it would have been told.
    Live,
    /// It has not ended: it has no sources, and nobody lists it.
    Alone,
    /// It would have been told, except of a deadline that has just passed.
    Timed,
    /// Its sources list it; whether they will be told themselves is not known.
    Linked,
    /// Nobody tells it.
    Unlinked,
    Ended,
}

const LIVE: u8 = 0;
const ALONE: u8 = 1;
const TIMED: u8 = 2;
const LINKED: u8 = 3;
const UNLINKED: u8 = 4;
const ENDED: u8 = 5;
/// A bit of its own, since it is looked at on each level of a walk up.
const PLAIN: u8 = ONWARD;

/// What a node is while nobody lists it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Unlisted {
    Alone = ALONE,
    Plain = PLAIN,
    Other = UNLINKED,
}

impl Unlisted {
    /// That of what ends by a cancel, or with `lineage`.
    #[inline]
    pub(crate) fn below(lineage: &Context) -> Self {
        match lineage.anchor() {
            Some(_) => Self::Plain,
            None => Self::Alone,
        }
    }

    pub(crate) fn of_merge(sources: &[Context]) -> Self {
        if sources.iter().any(|source| source.anchor().is_some()) {
            Self::Other
        } else {
            Self::Alone
        }
    }
}

/// It lies in one word with a part of the way up (see [`crate::raw`]).
pub(crate) type State = Word;

/// That of what never ends.
pub(crate) static NEVER: State = State::constant(LIVE);

impl State {
    /// That of what has ended.
    pub(crate) const fn of_ended() -> Self {
        Self::constant(ENDED)
    }

    /// Whether its lineage tells whether it has ended.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        // Relaxed: as in `is_live`.
        self.load(Ordering::Relaxed) == PLAIN
    }

    /// Whether there is nothing else to look at: it has not ended.
    #[inline]
    pub(crate) fn is_live(&self) -> bool {
        // Relaxed: nothing is read on the strength of it. Whoever has to see an end was told of it by
        // whoever stored it, and then finds the state that was stored before.
        self.load(Ordering::Relaxed) <= ALONE
    }

    /// Whether it has not ended as far as it was told, and will be told; of a deadline, when its alarm rings.
    #[inline]
    pub(crate) fn is_told(&self) -> bool {
        // Relaxed: as in `is_live`.
        self.load(Ordering::Relaxed) <= TIMED
    }

    #[inline]
    pub(crate) fn get(&self) -> Known {
        // Acquire: who finds `Ended`, finds the end as well.
        match self.load(Ordering::Acquire) {
            LIVE => Known::Live,
            ALONE => Known::Alone,
            TIMED => Known::Timed,
            LINKED => Known::Linked,
            PLAIN | UNLINKED => Known::Unlinked,
            _ => Known::Ended,
        }
    }

    /// The end was stored.
    pub(crate) fn end(&self) {
        self.store_last(ENDED, Ordering::Release);
    }

    /// All sources list it now; the caller holds the node's lock.
    pub(crate) fn link(&self) {
        self.pass([ALONE, PLAIN, UNLINKED], LINKED);
    }

    /// All sources list it now, and it will be told, of all but deadlines if `is_timed`; the caller holds the
    /// lock of its source.
    pub(crate) fn link_told(&self, is_timed: bool) {
        let to = if is_timed { TIMED } else { LIVE };
        self.pass([ALONE, PLAIN, UNLINKED], to);
    }

    /// It will be told, of all but deadlines if `is_timed`; the caller holds the node's lock.
    pub(crate) fn announce(&self, is_timed: bool) {
        self.pass([LINKED], if is_timed { TIMED } else { LIVE });
    }

    /// Its sources will not list it any more, if it has any; the caller holds the node's lock.
    pub(crate) fn unlink(&self, unlisted: Unlisted) {
        self.pass([LINKED, LIVE, TIMED], unlisted as u8);
    }

    fn pass<const N: usize>(&self, from: [u8; N], to: u8) {
        // Relaxed: the node's lock, and those of its sources, order what depends on it. Not a store, since
        // the end may come meanwhile.
        self.change(from, to, Ordering::Relaxed);
    }
}
