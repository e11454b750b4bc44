//! What is going on in this thread's poll: the current context, and who has promised to be woken.
//!
//! An await need not register a waker of its own if an await above it, in the same poll, of the same
//! context and with the same waker, does. So polls nest *frames*: the outermost await of a context
//! in a task (its *owner*) pushes one, registers if its poll ends pending, and keeps that
//! registration from poll to poll. Awaits below that find their context and waker in the topmost
//! frame only look.
//!
//! Invariants:
//! 1. A frame lives no longer than the poll that pushed it, also when that panics: whoever changes
//!    a thread-local restores it by `Drop`.
//! 2. An owner registers after its inner poll, and looks at the end after registering, so no end is
//!    missed; an await below that found no end, relies on it.
//! 3. `LOOKS` counts awaits that looked and stay pending. An await that finds the end although one
//!    below it has looked in this very poll, was overtaken by the cancel: it stays for one more
//!    poll, which it asks for, so that the innermost await is the first to leave.
//! 4. A frame and the current context belong to a tokio task. Another task that is polled within that
//!    poll, as those of a `LocalSet` are, has another waker, finds `background` as its current
//!    context, and is not waited for by the shields it holds.
//! 5. `SHIELDS` lists the shields that were pending in this poll, in the order of their polls; what
//!    was added during an inner poll is below it. The outermost owner empties it.
//! 6. The topmost frame is that of the current context, unless that one never ends: whoever changes
//!    one changes both. So an await without a context of its own that is *covered* by a frame of the
//!    current context, has somebody above who looks at the same context after it, in the same poll,
//!    and drops it. Only such an await may be parked for ever (see [`crate::implicit`]).
//! 7. `PARKED` counts the awaits that were parked and names the last one. What it was before an inner
//!    poll and is not after it, was parked below; whoever leaves because of it sets it back.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Weak};
use std::task::Waker;

use crate::cancelled::{Cancelled, Left};
use crate::context::Context;
use crate::site::Site;

/// The identity of a waker, comparable while somebody keeps the waker itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct WakerId(usize, usize);

impl WakerId {
    pub(crate) fn of(waker: &Waker) -> Self {
        Self(
            waker.data().addr(),
            std::ptr::from_ref(waker.vtable()).addr(),
        )
    }

    const NONE: Self = Self(0, 0);
}

/// The tokio task that is being polled, if any.
#[derive(Clone, Copy, PartialEq, Eq)]
struct TaskId(#[cfg(feature = "tokio")] Option<tokio::task::Id>);

impl TaskId {
    #[cfg(feature = "tokio")]
    const NONE: Self = Self(None);
    #[cfg(not(feature = "tokio"))]
    const NONE: Self = Self();

    fn current() -> Self {
        #[cfg(feature = "tokio")]
        return Self(tokio::task::try_id());
        #[cfg(not(feature = "tokio"))]
        Self::NONE
    }
}

/// The promise of the nearest owner above.
#[derive(Clone, Copy)]
struct Frame {
    task: TaskId,
    /// The address of the context, 0 if nobody promised anything.
    context: usize,
    waker: WakerId,
    /// How many owners there are.
    depth: u32,
}

impl Frame {
    const NONE: Self = Self {
        task: TaskId::NONE,
        context: 0,
        waker: WakerId::NONE,
        depth: 0,
    };

    /// Puts the frame of a new owner in the place of this one.
    fn replaced_by(self, context: usize, waker: WakerId) -> Restored {
        FRAME.set(Self {
            task: TaskId::current(),
            context,
            waker,
            depth: self.depth + 1,
        });
        Restored(self)
    }
}

/// The awaits that were parked on this thread.
#[derive(Clone, Copy)]
struct Parked {
    count: u64,
    last: Option<&'static Site>,
}

thread_local! {
    static CURRENT: RefCell<(TaskId, Context)> =
        const { RefCell::new((TaskId::NONE, Context::background())) };
    static FRAME: Cell<Frame> = const { Cell::new(Frame::NONE) };
    static LOOKS: Cell<u64> = const { Cell::new(0) };
    static PARKED: Cell<Parked> = const { Cell::new(Parked { count: 0, last: None }) };
    static SHIELDS: RefCell<Vec<(TaskId, Weak<()>)>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn current() -> Context {
    let current = CURRENT.try_with(|current| match &*current.borrow() {
        (task, context) if *task == TaskId::current() => context.clone(),
        _ => Context::background(),
    });
    // A destructor of another thread-local may ask when this one is gone.
    current.unwrap_or(Context::background())
}

/// Whether the context in whose scope this task is polled has ended.
pub(crate) fn current_has_ended() -> bool {
    CURRENT.with_borrow(|(task, context)| context.is_cancelled() && *task == TaskId::current())
}

/// Why the context in whose scope this task is polled has ended, for an await that is left.
pub(crate) fn current_left_at(site: &'static Site) -> Option<Cancelled> {
    current().left_at(site)
}

/// Makes a context the current one until it is dropped.
pub(crate) struct Entered {
    previous: Option<(TaskId, Context)>,
}

impl Entered {
    pub(crate) fn new(context: Context) -> Self {
        let previous = CURRENT.replace((TaskId::current(), context));
        Self {
            previous: Some(previous),
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if let Some(previous) = self.previous.take() {
            // The context that is taken out may be the last handle: it is dropped after the borrow.
            drop(CURRENT.replace(previous));
        }
    }
}

/// Restores the frame that was there before.
struct Restored(Frame);

impl Drop for Restored {
    fn drop(&mut self) {
        FRAME.set(self.0);
        if self.0.depth == 0 {
            SHIELDS.with_borrow_mut(Vec::clear);
        }
    }
}

/// One poll of an await, from before its inner poll to after it.
pub(crate) struct Watch {
    /// If this await is an owner, which it then has to register as.
    owned: Option<Restored>,
    looks: u64,
    shields: usize,
    parked: Parked,
}

impl Watch {
    /// Begins a poll of an await of `anchor` with `waker`.
    pub(crate) fn begin(anchor: &Context, waker: &Waker) -> Self {
        let above = FRAME.get();
        let context = anchor.address();
        let waker = WakerId::of(waker);
        let is_pledged = above.context == context && above.waker == waker;
        Self::above((!is_pledged).then(|| above.replaced_by(context, waker)))
    }

    /// Begins a poll of an await of the current context; `None` if that is none of this task's, never
    /// ends, or if nobody above drops what is parked here and `parks` says that it may be.
    pub(crate) fn begin_current(waker: &Waker, parks: bool) -> Option<Self> {
        let above = FRAME.get();
        let waker = WakerId::of(waker);
        CURRENT.with_borrow(|(task, context)| {
            let context = context.anchor()?.address();
            if above.context == context && above.waker == waker {
                return Some(Self::above(None));
            }
            let is_out_of_scope = *task != TaskId::current() || (parks && above.context != context);
            (!is_out_of_scope).then(|| Self::above(Some(above.replaced_by(context, waker))))
        })
    }

    fn above(owned: Option<Restored>) -> Self {
        Self {
            owned,
            looks: LOOKS.get(),
            shields: SHIELDS.with_borrow(Vec::len),
            parked: PARKED.get(),
        }
    }

    /// Makes `context` the current one for this poll, unless it is.
    pub(crate) fn enter(&self, context: &Context) -> Option<Entered> {
        (self.owned.is_some() || !is_current(context)).then(|| Entered::new(context.clone()))
    }

    /// How many owners are above, if this is one.
    pub(crate) fn depth(&self) -> Option<u32> {
        self.owned.as_ref().map(|restored| restored.0.depth)
    }

    /// Whether an await below looked, found no end, and stays.
    pub(crate) fn was_looked_below(&self) -> bool {
        LOOKS.get() != self.looks
    }

    /// Says to those above that this await has looked and stays.
    pub(crate) fn stay() {
        LOOKS.set(LOOKS.get().wrapping_add(1));
    }

    /// Says to those above that the await at `site` is parked, unless one below has said so.
    pub(crate) fn park(&self, site: &'static Site) -> &'static Site {
        if let Some(below) = self.parked_below() {
            return below;
        }
        park(site);
        site
    }

    /// The await below that was parked last in this poll.
    fn parked_below(&self) -> Option<&'static Site> {
        let parked = PARKED.get();
        parked.last.filter(|_| parked.count != self.parked.count)
    }

    /// The await that is left if this one leaves: one that was parked below, or `own`.
    pub(crate) fn left(&self, own: Option<&'static Site>) -> Option<Left> {
        let below = self.parked_below();
        PARKED.set(self.parked);
        below.or(own).map(Left::Site)
    }

    /// Adds the shields that were pending below in this poll.
    pub(crate) fn collect_shields(&self, mut add: impl FnMut(&Weak<()>)) {
        let task = FRAME.get().task;
        SHIELDS.with_borrow(|shields| {
            let pending = shields.iter().skip(self.shields);
            pending
                .filter(|(other, _)| *other == task)
                .for_each(|(_, shield)| add(shield));
        });
    }
}

/// Says to those above that the await at `site` is parked.
pub(crate) fn park(site: &'static Site) {
    PARKED.set(Parked {
        count: PARKED.get().count.wrapping_add(1),
        last: Some(site),
    });
}

/// Makes `context` the current one, unless it is; for a poll without a frame of its own.
pub(crate) fn enter_unwatched(context: &Context) -> Option<Entered> {
    (!is_current(context)).then(|| Entered::new(context.clone()))
}

fn is_current(context: &Context) -> bool {
    CURRENT.with_borrow(|(_, current)| current == context)
}

/// Leaves the current context and all promises above until it is dropped.
pub(crate) struct Outside {
    _entered: Entered,
    _frame: Restored,
}

impl Outside {
    pub(crate) fn new(context: Context) -> Self {
        let above = FRAME.get();
        FRAME.set(Frame {
            depth: above.depth,
            ..Frame::NONE
        });
        Self {
            _entered: Entered::new(context),
            _frame: Restored(above),
        }
    }
}

/// A shield that is pending; the owners above wait for it.
pub(crate) fn note_shield(shield: &Arc<()>) {
    if FRAME.get().depth > 0 {
        let entry = (TaskId::current(), Arc::downgrade(shield));
        SHIELDS.with_borrow_mut(|shields| shields.push(entry));
    }
}

/// Runs `action` in no scope: for a synchronous `block_on` inside of a task.
///
/// A `block_on` in a function that is polled in a scope would run in that scope, on behalf of
/// another task. Inside `action` the current context is `background`.
///
/// # Examples
///
/// ```
/// use cancel_context::{Context, outside};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let ctx = Context::background().with_name("job");
/// let current = ctx.run(async { outside(Context::current) }).await.unwrap();
/// assert_eq!(current, Context::background());
/// # }
/// ```
pub fn outside<T>(action: impl FnOnce() -> T) -> T {
    let _outside = Outside::new(Context::background());
    action()
}
