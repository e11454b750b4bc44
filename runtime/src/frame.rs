//! Frames: what a poll with a current context of its own is in; and the identities of wakers and tasks.

use std::task::Waker;

#[cfg(feature = "tracing")]
use crate::cancelled::End;
use crate::context::Context;
use crate::current::Current;
use crate::logged::Logged;
use crate::raw::Lend;
use crate::state::State;
// Only so that a frame may lie in a `static`; each is of one thread.
use crate::sync::{AtomicU32, AtomicU64, LocalUsize, Ordering};

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
///
/// To make one is a part of each poll of a scope, so what is seldom asked for is worked out when it is.
pub(crate) struct Frame<'a> {
    /// The address of the current context, or that from which it will be derived.
    address: usize,
    /// Whether the poll is calm, and for whom: the address of that waker, `FOR_NOBODY` if all have to look.
    calm: LocalUsize,
    current: Current<'a>,
    /// The waker that the owner promises to have woken when that ends.
    waker: &'a Waker,
    /// Whether it is that of an owner, or of somebody whom an owner above covers.
    is_owned: bool,
    /// `None` of plain code.
    above: Option<&'a Frame<'a>>,
    pub(crate) task: TaskId,
    /// How many awaits that began have relied on the alarm of its deadline.
    pub(crate) trusted: AtomicU32,
    /// The number of the event that its end was noticed, 0 if before the poll; `NOT_YET` if it was not.
    noticed: AtomicU64,
    pub(crate) logged: Logged,
}

const NOT_YET: u64 = u64::MAX;

const FOR_NOBODY: usize = 0;

impl<'a> Frame<'a> {
    /// That of an owner that is polled with `waker`, which begins calm.
    #[inline]
    pub(crate) fn of_owner(
        current: Current<'a>,
        waker: &'a Waker,
        task: TaskId,
        above: &'a Frame<'a>,
    ) -> Self {
        Self {
            address: current.known().address(),
            calm: LocalUsize::new(std::ptr::from_ref(waker).addr()),
            current,
            waker,
            is_owned: true,
            above: Some(above),
            task,
            trusted: AtomicU32::new(0),
            noticed: AtomicU64::new(NOT_YET),
            logged: Logged::new(),
        }
    }

    /// That of somebody who promises nothing.
    #[inline]
    pub(crate) fn without_promise(current: Current<'a>, above: &'a Frame<'a>) -> Self {
        let frame = Self {
            is_owned: false,
            ..Self::of_owner(current, Waker::noop(), TaskId::current(), above)
        };
        frame.disturb();
        frame
    }

    /// A context that ends as the current one does: that itself, if it was made.
    #[inline]
    pub(crate) fn context(&self) -> &'a Context {
        self.current.context()
    }

    /// The current context, which is made if it was not.
    #[inline]
    pub(crate) fn make_context(&self) -> &'a Context {
        self.current.make()
    }

    /// Whether `context` is the current one.
    #[inline]
    pub(crate) fn is_of(&self, context: &Context) -> bool {
        let is_known = self.address == context.address();
        #[cfg(feature = "tower")]
        let is_known = is_known || self.context() == context;
        is_known
    }

    /// Whether an await that is polled with `waker` need not look.
    #[inline]
    pub(crate) fn is_calm_for(&self, waker: &Waker) -> bool {
        // Relaxed, as all: of one thread.
        self.calm.load(Ordering::Relaxed) == std::ptr::from_ref(waker).addr()
    }

    /// From now on, all have to look.
    pub(crate) fn disturb(&self) {
        self.calm.store(FOR_NOBODY, Ordering::Relaxed);
    }

    /// The address of the context that ends it (its anchor), 0 if nothing does.
    pub(crate) fn anchor(&self) -> usize {
        self.context().anchor().map_or(0, Context::address)
    }

    /// Whether somebody has promised to be woken when it ends.
    pub(crate) fn is_promised(&self) -> bool {
        self.is_owned && self.context().anchor().is_some()
    }

    /// Whether the owner has promised that `waker` will be woken when the context ends.
    pub(crate) fn promises(&self, waker: &Waker) -> bool {
        self.is_promised() && self.waker.will_wake(waker)
    }

    /// Whether an await of this context that is polled with `waker` needs no frame of its own.
    pub(crate) fn covers(&self, waker: &Waker) -> bool {
        self.context().anchor().is_none() || (self.is_owned && std::ptr::eq(self.waker, waker))
    }

    /// Whether an owner above promises the same.
    pub(crate) fn is_covered(&self) -> bool {
        self.above
            .is_some_and(|above| above.anchor() == self.anchor() && above.promises(self.waker))
    }

    /// How many owners there are, here and above.
    pub(crate) fn depth(&self) -> u32 {
        let frames = std::iter::successors(Some(self), |frame| frame.above);
        frames
            .map(|frame| u32::from(frame.is_promised() && !frame.is_covered()))
            .sum()
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

    /// Marks those from here on up whose context has this end; whether none was marked.
    #[cfg(feature = "tracing")]
    pub(crate) fn mark_logged(&self, end: &End) -> bool {
        let task = TaskId::current();
        let has_end = |frame: &&Frame<'_>| frame.task == task && frame.context().has_end(end);
        let frames = || std::iter::successors(Some(self), |frame| frame.above).filter(has_end);
        let is_first = !frames().any(|frame| frame.logged.is_set());
        frames().for_each(|frame| frame.logged.set(true));
        is_first
    }

    pub(crate) fn is_in_task(&self) -> bool {
        self.task == TaskId::current()
    }
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
    address: Context::BACKGROUND_ADDRESS,
    calm: LocalUsize::new(FOR_NOBODY),
    current: Current::of(&BACKGROUND),
    waker: Waker::noop(),
    is_owned: false,
    above: None,
    task: TaskId::NONE,
    trusted: AtomicU32::new(0),
    noticed: AtomicU64::new(NOT_YET),
    logged: Logged::new(),
};
