//! Who may end a context: [`Canceller`] and [`DeadlineMover`].

use std::error::Error;
use std::panic::Location;
use std::time::Instant;

use crate::cancelled::{Cause, into_cause};
use crate::context::Context;
use crate::origin::Origin;
use crate::sync::{AtomicI64, ModelledU32, Ordering};
use crate::tick::Tick;
use crate::tree::Role;

/// Cancels the context it was made with, and all that was derived from it.
///
/// Clones share the right; dropping the last one cancels, unless [`detach`](Self::detach) was
/// called on any of them.
///
/// # Examples
///
/// ```
/// use cancel_context::Context;
///
/// let (ctx, canceller) = Context::background().with_cancel();
/// let child = ctx.with_name("child");
/// canceller.cancel_with("no longer needed");
/// assert_eq!(child.cause().unwrap().to_string(), "no longer needed");
/// ```
#[derive(Debug)]
#[must_use = "dropping the last canceller cancels"]
pub struct Canceller {
    context: Context,
}

impl Canceller {
    /// Takes over the one count that the context was made with.
    pub(crate) fn new(context: Context) -> Self {
        Self { context }
    }

    /// Cancels; the first end of a context stands, so cancelling again changes nothing.
    ///
    /// When this returns, the context and every descendant report cancelled, on every thread; whoever
    /// waits has been woken, by this call or by another one that ends the context at the time, which may
    /// still be about it. Until then another thread may see a child cancelled and its sibling not.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::{Context, Kind};
    ///
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// canceller.cancel();
    /// assert_eq!(ctx.err(), Some(Kind::Cancelled));
    /// ```
    #[track_caller]
    pub fn cancel(&self) {
        self.end(None, Origin::Cancelled(Location::caller()));
    }

    /// Cancels with a cause, which is kept only if this is the context's first end.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::io;
    ///
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// canceller.cancel_with(io::Error::other("disk full"));
    /// canceller.cancel_with("too late");
    /// assert!(ctx.cause().unwrap().downcast_ref::<io::Error>().is_some());
    /// ```
    #[track_caller]
    pub fn cancel_with(&self, cause: impl Into<Box<dyn Error + Send + Sync>>) {
        self.end(
            Some(into_cause(cause)),
            Origin::Cancelled(Location::caller()),
        );
    }

    /// Gives up, for all clones, that dropping the last one cancels.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// canceller.detach();
    /// assert!(!ctx.is_cancelled());
    /// ```
    pub fn detach(self) {
        if let Some(cancellers) = self.cancellers() {
            cancellers.detach();
        }
    }

    pub(crate) fn end(&self, cause: Option<Cause>, origin: Origin) {
        if let Some(node) = self.context.shared() {
            node.cancel(cause, origin);
        }
    }

    /// Ends it as if by a call where it was made.
    #[cfg(feature = "tower")]
    pub(crate) fn end_where_made(&self, cause: Cause) {
        if let Some(cancellers) = self.cancellers() {
            self.end(Some(cause), Origin::Cancelled(cancellers.place()));
        }
    }

    /// Whether nobody is left who could see the context: none that has it, or one below it, and nobody who waits.
    #[inline]
    pub(crate) fn is_alone(&self) -> bool {
        self.context.handle_count() == 1
    }

    fn cancellers(&self) -> Option<&Cancellers> {
        self.context.node()?.cancellers()
    }
}

impl Clone for Canceller {
    fn clone(&self) -> Self {
        if let Some(cancellers) = self.cancellers() {
            cancellers.add();
        }
        Self {
            context: self.context.clone(),
        }
    }
}

impl Drop for Canceller {
    fn drop(&mut self) {
        let (Some(node), Some(cancellers)) = (self.context.shared(), self.cancellers()) else {
            return;
        };
        if self.is_alone() || !cancellers.remove() {
            return;
        }
        if cancellers.is_detached() {
            node.release();
        } else {
            node.cancel(None, Origin::Dropped(cancellers.place()));
        }
    }
}

/// Who may still cancel a node; and, once one of them has without giving a cause, when that was.
#[derive(Debug)]
pub(crate) struct Cancellers {
    /// How many they are; and whether they are [`DETACHED`].
    count: ModelledU32,
    /// The second half of a stamp, written before the first one.
    number: ModelledU32,
    /// Or [`NOT_YET`].
    at: AtomicI64,
    /// Where the first one was made.
    place: &'static Location<'static>,
}

const DETACHED: u32 = 1 << 31;

/// No tick is that early.
const NOT_YET: i64 = i64::MIN;

impl Cancellers {
    pub(crate) fn one(place: &'static Location<'static>) -> Self {
        Self {
            count: ModelledU32::new(1),
            number: ModelledU32::new(0),
            at: AtomicI64::new(NOT_YET),
            place,
        }
    }

    pub(crate) fn add(&self) {
        // Relaxed: whoever clones holds one already, so the count cannot reach zero meanwhile.
        let others = self.count.fetch_add(1, Ordering::Relaxed) & !DETACHED;
        assert!(others < DETACHED / 2, "so many cancellers find no room");
    }

    /// Whether the last one is gone now.
    pub(crate) fn remove(&self) -> bool {
        // Acquire: as below. Only who has one can add another; so nobody changes the count of the last one.
        if self.count.load(Ordering::Acquire) == 1 {
            // Relaxed: unless it is detached, whoever asks `may_end_it` finds out from the node's lists.
            self.count.store(0, Ordering::Relaxed);
            return true;
        }
        // AcqRel: the last one sees what the others did before they went, `detach` included.
        self.count.fetch_sub(1, Ordering::AcqRel) & !DETACHED == 1
    }

    pub(crate) fn detach(&self) {
        // Relaxed: ordered by the count, see `remove`.
        self.count.fetch_or(DETACHED, Ordering::Relaxed);
    }

    pub(crate) fn is_detached(&self) -> bool {
        // Relaxed: as in `detach`.
        self.count.load(Ordering::Relaxed) & DETACHED != 0
    }

    /// Whether any is left that may end the context, or the last one is just about to.
    pub(crate) fn may_end_it(&self) -> bool {
        // A change, not a load: who removes the last one after this, sees what came before, such as a callback
        // that was added. Release: pairs with `remove`. Acquire: who finds none, sees what the last one did.
        let count = self.count.fetch_add(0, Ordering::AcqRel);
        count & !DETACHED > 0 || count & DETACHED == 0
    }

    pub(crate) fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// Notes when one of them has cancelled; for that one.
    pub(crate) fn stamp(&self, at: Tick, number: u32) {
        // Relaxed: goes with the other half.
        self.number.store(number, Ordering::Relaxed);
        // Release: pairs with the load in `stamped`.
        self.at.store(at.nanos(), Ordering::Release);
    }

    /// When one of them has cancelled, if that was noted yet.
    pub(crate) fn stamped(&self) -> Option<(Tick, u32)> {
        // Acquire: who finds the first half finds the second one.
        let at = self.at.load(Ordering::Acquire);
        let number = || self.number.load(Ordering::Relaxed);
        (at != NOT_YET).then(|| (Tick::of_nanos(at), number()))
    }
}

/// Moves the deadline of the context it was made with.
///
/// Dropping it leaves the deadline where it is.
///
/// # Examples
///
/// ```
/// use cancel_context::Context;
/// use std::time::{Duration, Instant};
///
/// let (ctx, mover) = Context::background().with_movable_deadline(Instant::now());
/// assert!(!mover.move_to(Instant::now() + Duration::from_secs(60)), "too late");
/// assert!(ctx.is_cancelled());
/// ```
#[derive(Debug)]
pub struct DeadlineMover {
    context: Context,
}

impl DeadlineMover {
    pub(crate) fn new(context: Context) -> Self {
        Self { context }
    }

    /// Moves the deadline, forward or back, and returns whether that was in time: not once the
    /// context has ended or its deadline has passed.
    ///
    /// A deadline in the past ends the context before this returns.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::time::{Duration, Instant};
    ///
    /// let later = Instant::now() + Duration::from_secs(60);
    /// let (ctx, mover) = Context::background().with_movable_deadline(later);
    /// assert!(mover.move_to(later + Duration::from_secs(60)));
    /// assert!(mover.move_to(Instant::now()));
    /// assert!(ctx.is_cancelled());
    /// ```
    pub fn move_to(&self, deadline: impl Into<Instant>) -> bool {
        self.context.shared().is_some_and(|node| match &node.role {
            Role::Deadline(own) => own.move_to(deadline.into(), &node),
            _ => false,
        })
    }
}
