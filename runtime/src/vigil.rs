//! Vigils: what an await remembers of the shields below it.

use std::sync::Weak;

use crate::logged::Logged;
#[cfg(any(feature = "streams", feature = "tower"))]
use crate::watch;

/// What an await remembers from one pending poll to the next: the shields below that were pending when
/// they were last polled. Takes memory only then.
#[derive(Default)]
pub(crate) struct Vigil {
    pending: Option<Box<Pending>>,
}

#[derive(Default)]
struct Pending {
    shields: Vec<Weak<()>>,
    /// Of an owner that stays because of them: the mark of its frame.
    logged: Logged,
}

impl Vigil {
    pub(crate) const fn new() -> Self {
        Self { pending: None }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_none()
    }

    /// Whether a shield is pending that it waits for.
    pub(crate) fn is_needed(&self) -> bool {
        self.shields().any(|shield| shield.strong_count() > 0)
    }

    /// Has it wait for those of `other` as well.
    #[cfg(any(feature = "streams", feature = "tower"))]
    #[inline]
    pub(crate) fn extend(&mut self, other: &Self) {
        other.shields().for_each(|shield| self.wait_for(shield));
    }

    /// Has the awaits above wait as well: what is below may be pending without having been polled.
    #[cfg(any(feature = "streams", feature = "tower"))]
    pub(crate) fn note_again(&self) {
        let pending = self.shields().filter(|shield| shield.strong_count() > 0);
        pending.for_each(|shield| watch::note_pending(|| Weak::clone(shield)));
    }

    fn shields(&self) -> impl Iterator<Item = &Weak<()>> {
        self.pending.iter().flat_map(|pending| &pending.shields)
    }

    pub(crate) fn wait_for(&mut self, shield: &Weak<()>) {
        let known = &mut self.pending.get_or_insert_default().shields;
        if !known.iter().any(|other| other.ptr_eq(shield)) {
            // While the context lives, nobody asks; and that may be as long as there are shields.
            known.retain(|other| other.strong_count() > 0);
            known.push(Weak::clone(shield));
        }
    }

    /// Whether shields below have to end first; forgets those that have.
    pub(crate) fn is_held(&mut self) -> bool {
        if let Some(Pending { shields, .. }) = self.pending.as_deref_mut() {
            shields.retain(|shield| shield.strong_count() > 0);
            if shields.is_empty() {
                self.pending = None;
            }
        }
        !self.is_empty()
    }

    /// Whether it keeps the mark of a frame whose end was logged.
    #[cfg(all(feature = "tower", feature = "tracing"))]
    pub(crate) fn is_logged(&self) -> bool {
        let pending = self.pending.as_ref();
        pending.is_some_and(|pending| pending.logged.is_set())
    }

    /// Has the frame of the next poll marked as the last one was.
    pub(crate) fn restore_logged(&self, logged: &Logged) {
        if let Some(pending) = &self.pending {
            logged.follow(&pending.logged);
        }
    }

    /// Keeps the mark of a frame until the next poll.
    pub(crate) fn keep_logged(&self, logged: &Logged) {
        if let Some(pending) = &self.pending {
            pending.logged.follow(logged);
        }
    }
}
