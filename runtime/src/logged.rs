//! Whether the end of a context was logged, so that there is one event for each task that is cancelled (feature
//! `tracing`; without it nothing is logged).
//!
//! Whoever leaves because a context has ended, logs that, innermost first. The frames from there on up whose
//! contexts have the same end are marked: their owners, and whoever else leaves in them, log nothing more. What is
//! dropped from outside instead, as a request whose client has gone, is logged by who knows why.
//!
//! Invariants:
//! 1. A frame is marked before its end is logged. So a subscriber that panics, or leaves an await itself, has
//!    nothing logged twice.
//! 2. An owner that stays although the end was logged, which it does for a shield only, keeps the mark from poll
//!    to poll, beside that shield ([`crate::vigil::Vigil`]).
//! 3. Only frames of the current task are marked: each task has its own event.
//! 4. A subscriber is foreign code (guarantee B9). It runs where a poll ends, with no lock held and nothing half
//!    done, as the destructors of what is left do: it may use contexts, and a panic goes on as one of theirs would.
//!    In a request that is dropped, its context has ended before.

#[cfg(feature = "tracing")]
mod event;

#[cfg(all(feature = "tracing", feature = "tower"))]
pub(crate) use self::event::dropped;

// Not modelled: it is of one thread, and an atomic only so that a frame may lie in a `static`.
#[cfg(feature = "tracing")]
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cancelled::{Cancelled, Left};
use crate::context::Context;
use crate::frame::Frame;
#[cfg(feature = "tracing")]
use crate::scope;
use crate::site::Site;

/// Whether the end of a frame's context was logged.
#[derive(Default)]
pub(crate) struct Logged(#[cfg(feature = "tracing")] AtomicBool);

impl Logged {
    #[cfg(feature = "tracing")]
    pub(crate) const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    #[cfg(not(feature = "tracing"))]
    pub(crate) const fn new() -> Self {
        Self()
    }

    /// Makes this mark what that one is.
    pub(crate) fn follow(&self, other: &Self) {
        #[cfg(feature = "tracing")]
        self.set(other.is_set());
        #[cfg(not(feature = "tracing"))]
        let _ = (self, other);
    }
}

#[cfg(feature = "tracing")]
impl Logged {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, is_set: bool) {
        self.0.store(is_set, Ordering::Relaxed);
    }
}

/// Leaving.
impl Context {
    /// Why it has ended, if it has, for somebody who leaves at `left` because of it: that is logged.
    #[cold]
    #[inline(never)]
    pub(crate) fn leave(&self, left: Option<Left>) -> Option<Cancelled> {
        let cancelled = self.cancelled_at(left)?;
        #[cfg(feature = "tracing")]
        scope::with(|scope| scope.frame.look(|frame| event::left(frame, &cancelled)));
        Some(cancelled)
    }

    pub(crate) fn leave_at(&self, site: &'static Site) -> Option<Cancelled> {
        self.leave(Some(Left::Site(site)))
    }
}

impl Frame<'_> {
    /// As [`Context::leave`], of the owner whose frame it is.
    #[cold]
    #[inline(never)]
    pub(crate) fn leave(&self, left: Option<Left>) -> Option<Cancelled> {
        let cancelled = self.make_context().cancelled_at(left)?;
        #[cfg(feature = "tracing")]
        event::left(self, &cancelled);
        Some(cancelled)
    }
}
