//! Bare leaves: nodes with no lists of their own, each with one waiter, below a source that was linked before.
//!
//! Most who wait do so alone, under a deadline of their own maybe, below a context that others wait for as
//! well. All that such a node would keep in its lists is in its source's list: the waker, and the alarm. In
//! the place of its lists there is the number of that entry. Whoever needs the lists makes them: then the node
//! is a leaf like any other (`Place::Leaf`), as if it had had them from the start.
//!
//! Lists and lock order are those of [`crate::waiters`].
//!
//! Invariants:
//! 1. The number comes and goes under the lock of the source, which serves as the node's own while it is
//!    there: whoever changes the node's state, or its alarm, holds that lock, and has looked at the number
//!    under it. While it is there, the source is linked, and its list has the entry.
//! 2. The waiter of a bare leaf has [`Key::FIRST`], also in the lists that are made later.
//! 3. Who enters a node so looks at its end after the number is there, by a change of the end
//!    ([`crate::raw::OnceArc::is_before_set`]). Whoever ends the node stores the end, by a change as well, and looks
//!    for lists then. The change that comes second sees the first one, and what was before it: so either the
//!    one who enters sees the end, or the other one sees the number, and makes the lists.

use std::sync::Arc;

use super::linking::wake;
use super::{Links, Lists, Place};
use crate::roster::{Key, Listed, Roster, Waiter};
use crate::state::Known;
use crate::sync::{Mutex, MutexGuard};
use crate::tree::{Node, Role};

/// Lists, made when they are needed.
impl Node {
    /// Who waits here, if anybody has.
    pub(crate) fn present_links(&self) -> Option<&Lists> {
        // One look: what is a number now may be none at the next one.
        self.links.is_taken().then(|| self.links())
    }

    /// As [`present_links`](Self::present_links), made if need be. Whoever holds locks holds those of
    /// descendants only.
    pub(crate) fn links(&self) -> &Lists {
        self.links.get().unwrap_or_else(|| self.make_links())
    }

    /// Makes them, unless another one has.
    #[inline(never)]
    pub(super) fn make_links(&self) -> &Lists {
        let mut links = Box::<Lists>::default();
        loop {
            links = match self.links.set(None, links) {
                Ok(made) => return made,
                Err(refused) => refused,
            };
            if let Some(present) = self.links.get() {
                return present;
            }
            if let Some((mut above, number)) = self.bare() {
                let of_bare = Lists::of_bare(number, &mut above.roster);
                // Under that lock nobody else sets it.
                let made = self.links.set(Some(number), Box::new(of_bare));
                return made.unwrap_or_else(|_| unreachable!("the number is there"));
            }
        }
    }
}

/// Bare leaves.
impl Node {
    /// Enters `waiter` as that of a bare leaf; gives it back if this cannot be one, or has lists.
    pub(super) fn enter_bare(self: &Arc<Self>, waiter: Waiter) -> Result<Key, Waiter> {
        let Some(source) = self.only_source() else {
            return Err(waiter);
        };
        let Some(mut above) = source.links.get().map(Lists::lock) else {
            return Err(waiter);
        };
        let is_timed = match source.state().get() {
            Known::Live => matches!(self.role, Role::Deadline(_)),
            Known::Timed => true,
            _ => return Err(waiter),
        };
        // A leaf makes room first.
        if !matches!(above.place, Place::Child(_) | Place::Children(_)) {
            return Err(waiter);
        }
        let at = above.roster.next_key();
        if !at.number().is_some_and(|at| self.links.enter_number(at)) {
            return Err(waiter);
        }
        let (mut alarm, mut driver) = (None, None);
        if let Role::Deadline(deadline) = &self.role {
            driver = deadline.arm(self, &mut alarm);
        }
        let leaf = Listed::Leaf(Arc::clone(self), Some(waiter));
        above.roster.push_bare(leaf, alarm);
        // By invariant 3, before anybody relies on its state.
        if self.is_before_end() {
            self.state().link_told(is_timed);
        }
        drop(above);
        wake(driver);
        Ok(Key::FIRST)
    }

    /// Replaces the waker of a bare leaf; gives back what was not needed, as an error if this is none.
    pub(super) fn replace_bare(&self, waiter: Waiter) -> Result<Waiter, Waiter> {
        match self.bare() {
            Some((mut above, number)) => {
                let at = Key::of_number(number);
                Ok(above.roster.replace_waiter(at, waiter))
            }
            None => Err(waiter),
        }
    }

    /// Takes the waiter out of a bare leaf; false if this is none.
    pub(super) fn leave_bare(&self) -> bool {
        let Some((mut above, number)) = self.bare() else {
            return false;
        };
        let at = Key::of_number(number);
        self.state().unlink(self.unlisted());
        let alarm = above.roster.take_alarm(at);
        let removed = above.roster.remove(at);
        self.links.take_number();
        let is_idle = above.is_idle();
        drop(above);
        if let Some(alarm) = alarm {
            alarm.remove();
        }
        if is_idle {
            Self::unlink_idle(Vec::from_iter(self.only_source().as_deref().cloned()));
        }
        // The caller has the node at hand: the handle that is dropped here is not the last one.
        drop(removed);
        true
    }

    /// The lists of its source, locked, and the number of its key there, if this is a bare leaf.
    fn bare(&self) -> Option<(MutexGuard<'_, Links>, usize)> {
        self.links.number()?;
        let source = self.sources().first()?.anchor()?.node()?;
        let above = source.links.get()?.lock();
        // It may be one no more.
        let number = self.links.number()?;
        Some((above, number))
    }
}

impl Lists {
    /// Those of a node that was a bare leaf.
    fn of_bare(number: usize, above: &mut Roster) -> Self {
        let at = Key::of_number(number);
        let alarm = above.take_alarm(at);
        let mut roster = Roster::default();
        // By invariant 2.
        let own = roster.reserve();
        let links = Links {
            place: Place::Leaf(at, own),
            roster,
            callbacks: None,
            alarm,
        };
        Self {
            links: Mutex::new(links),
            ..Self::default()
        }
    }
}
