//! Frames: what a poll with a current context of its own is in; and the identities of wakers and tasks.

use std::task::Waker;

use crate::context::Context;
use crate::raw::Lend;
use crate::state::State;
// Only so that a frame may lie in a `static`; each is of one thread.
use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// The identity of a waker, comparable while somebody keeps the waker itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct WakerId(usize, usize);

impl WakerId {
    pub(crate) fn of(waker: &Waker) -> Self {
        Self(
            waker.data().addr(),
            std::ptr::from_ref(waker.vtable()).addr(),
        )
    }

    pub(crate) const NONE: Self = Self(0, 0);
}

/// The tokio task that is being polled, if any.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TaskId(#[cfg(feature = "tokio")] Option<tokio::task::Id>);

impl TaskId {
    #[cfg(feature = "tokio")]
    pub(crate) const NONE: Self = Self(None);
    #[cfg(not(feature = "tokio"))]
    pub(crate) const NONE: Self = Self();

    #[inline]
    pub(crate) fn current() -> Self {
        #[cfg(feature = "tokio")]
        return Self(tokio::task::try_id());
        #[cfg(not(feature = "tokio"))]
        Self::NONE
    }
}

/// What a poll with a current context of its own is in: that of an owner, or of another one.
pub(crate) struct Frame<'a> {
    /// The current context.
    pub(crate) context: &'a Context,
    /// The address of the context that ends it (its anchor), 0 if nothing does.
    pub(crate) anchor: usize,
    /// The waker that the owner has promised to have woken then.
    pub(crate) waker: &'a Waker,
    /// Whether somebody has promised anything.
    pub(crate) is_promised: bool,
    /// How many owners there are.
    pub(crate) depth: u32,
    pub(crate) task: TaskId,
    /// How many awaits that began have relied on the alarm of its deadline.
    pub(crate) trusted: AtomicU32,
    /// The number of the event that its end was noticed, 0 if before the poll; `NOT_YET` if it was not.
    pub(crate) noticed: AtomicU64,
}

const NOT_YET: u64 = u64::MAX;

impl Frame<'_> {
    /// Whether the owner has promised that `waker` will be woken when the context ends.
    #[inline]
    pub(crate) fn promises(&self, waker: &Waker) -> bool {
        // Mostly it is the very same one, which takes no look at it.
        self.is_promised && (std::ptr::eq(self.waker, waker) || are_equal(self.waker, waker))
    }

    /// Whether an await of this context that is polled with `waker` needs no frame of its own.
    pub(crate) fn covers(&self, waker: &Waker) -> bool {
        self.anchor == 0 || (self.is_promised && std::ptr::eq(self.waker, waker))
    }

    pub(crate) const fn not_noticed() -> AtomicU64 {
        AtomicU64::new(NOT_YET)
    }

    pub(crate) fn is_noticed(&self) -> bool {
        self.noticed.load(Ordering::Relaxed) != NOT_YET
    }

    pub(crate) fn notice(&self, epoch: u64) {
        self.noticed.store(epoch, Ordering::Relaxed);
    }

    /// Whether its end was noticed before what followed event `before`.
    pub(crate) fn was_noticed(&self, before: u64) -> bool {
        self.noticed.load(Ordering::Relaxed) <= before
    }

    pub(crate) fn is_in_task(&self) -> bool {
        self.task == TaskId::current()
    }
}

#[cold]
#[inline(never)]
fn are_equal(waker: &Waker, other: &Waker) -> bool {
    waker.will_wake(other)
}

impl Lend for Frame<'static> {
    type Value<'a> = Frame<'a>;

    fn shorten<'short, 'long: 'short>(value: &'short Frame<'long>) -> &'short Frame<'short> {
        value
    }
}

impl Lend for State {
    type Value<'a> = Self;

    fn shorten<'short, 'long: 'short>(value: &'short Self) -> &'short Self {
        value
    }
}

static BACKGROUND: Context = Context::background();

/// That of plain code.
pub(crate) static OUTERMOST: Frame<'static> = Frame {
    context: &BACKGROUND,
    anchor: 0,
    waker: Waker::noop(),
    is_promised: false,
    depth: 0,
    task: TaskId::NONE,
    trusted: AtomicU32::new(0),
    noticed: Frame::not_noticed(),
};
