//! What is going on in this thread's poll: the current context, and who has promised to be woken.
//!
//! An await need not register a waker of its own if an await above it, in the same poll, of the same
//! context and with the same waker, does. So polls nest *frames*: the outermost await of a context
//! in a task (its *owner*) pushes one, registers if its poll ends pending, and keeps that
//! registration from poll to poll. Awaits below that find their context and waker in the topmost
//! frame only look.
//!
//! What is looked at by each await is one block of plain cells without a destructor, so that reaching it
//! costs one offset; the current context is lent, not counted.
//!
//! Invariants:
//! 1. A frame lives no longer than the poll that pushed it, also when that panics: whoever changes
//!    a thread-local restores it by `Drop`.
//! 2. An owner registers after its inner poll, and looks at the end after registering, so no end is
//!    missed; an await below that found no end, relies on it. An await without a frame of its own, behind
//!    a waker that nobody above has promised anything for, registers itself unless an await below it
//!    has done so in this very poll (`registered`).
//! 3. Events of a poll are numbered by `epoch`: awaits that looked and stay pending, awaits that were
//!    parked, shields that are pending, registrations. What has a higher number than an inner poll began
//!    with, happened below. An await that finds the end although one below it has looked in this very
//!    poll, was overtaken by the cancel: it stays for one more poll, which it asks for, so that the
//!    innermost await is the first to leave.
//! 4. A frame and the current context belong to a tokio task. Another task that is polled within that
//!    poll, as those of a `LocalSet` are, has another waker, finds `background` as its current
//!    context, and is not waited for by the shields it holds.
//! 5. `SHIELDS` lists the shields that were pending in this poll. The outermost owner empties it.
//! 6. The topmost frame is that of the current context, unless that one never ends: whoever changes
//!    one changes both. So an await without a context of its own that is *covered* by a frame of the
//!    current context, has somebody above who looks at the same context after it, in the same poll,
//!    and drops it. Only such an await may be parked for ever (see [`crate::implicit`]).

use std::cell::Cell;
use std::task::Waker;

use crate::context::Context;
use crate::raw::Slot;
use crate::site::Site;
use crate::watch::Restored;

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
pub(crate) struct TaskId(#[cfg(feature = "tokio")] Option<tokio::task::Id>);

impl TaskId {
    #[cfg(feature = "tokio")]
    pub(crate) const NONE: Self = Self(None);
    #[cfg(not(feature = "tokio"))]
    pub(crate) const NONE: Self = Self();

    pub(crate) fn current() -> Self {
        #[cfg(feature = "tokio")]
        return Self(tokio::task::try_id());
        #[cfg(not(feature = "tokio"))]
        Self::NONE
    }
}

/// The promise of the nearest owner above.
#[derive(Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) task: TaskId,
    /// The address of the context, 0 if nobody promised anything.
    pub(crate) context: usize,
    pub(crate) waker: WakerId,
    /// How many owners there are.
    pub(crate) depth: u32,
}

/// The topmost frame; most looks need two of its fields only.
pub(crate) struct FrameCells {
    pub(crate) task: Cell<TaskId>,
    pub(crate) context: Cell<usize>,
    pub(crate) waker: Cell<WakerId>,
    pub(crate) depth: Cell<u32>,
}

impl FrameCells {
    const fn new() -> Self {
        Self {
            task: Cell::new(TaskId::NONE),
            context: Cell::new(0),
            waker: Cell::new(WakerId::NONE),
            depth: Cell::new(0),
        }
    }

    pub(crate) fn get(&self) -> Frame {
        Frame {
            task: self.task.get(),
            context: self.context.get(),
            waker: self.waker.get(),
            depth: self.depth.get(),
        }
    }

    pub(crate) fn set(&self, frame: Frame) {
        self.task.set(frame.task);
        self.context.set(frame.context);
        self.waker.set(frame.waker);
        self.depth.set(frame.depth);
    }

    pub(crate) fn is_of(&self, context: usize, waker: WakerId) -> bool {
        self.context.get() == context && self.waker.get() == waker
    }
}

/// A waker that was registered, for which context, and when.
#[derive(Clone, Copy)]
pub(crate) struct Registered {
    pub(crate) epoch: u64,
    pub(crate) context: usize,
    pub(crate) waker: WakerId,
}

/// The last await that was parked, and when.
#[derive(Clone, Copy)]
pub(crate) struct Parked {
    pub(crate) epoch: u64,
    pub(crate) site: Option<&'static Site>,
}

/// The state of this thread's poll; nothing in it has a destructor.
pub(crate) struct Scope {
    /// The current context; none for `background`.
    current: Slot<Context>,
    /// The task in whose scope that is.
    task: Cell<TaskId>,
    /// The address of the context that ends it (its anchor), 0 if nothing does.
    pub(crate) anchor: Cell<usize>,
    pub(crate) frame: FrameCells,
    /// The number of the last event (invariant 3), and of the last of each kind.
    pub(crate) epoch: Cell<u64>,
    pub(crate) looked: Cell<u64>,
    pub(crate) shielded: Cell<u64>,
    pub(crate) parked: Cell<Parked>,
    pub(crate) registered: Cell<Registered>,
}

thread_local! {
    pub(crate) static SCOPE: Scope = const {
        Scope {
            current: Slot::new(),
            task: Cell::new(TaskId::NONE),
            anchor: Cell::new(0),
            frame: FrameCells::new(),
            epoch: Cell::new(0),
            looked: Cell::new(0),
            shielded: Cell::new(0),
            parked: Cell::new(Parked { epoch: 0, site: None }),
            registered: Cell::new(Registered { epoch: 0, context: 0, waker: WakerId::NONE }),
        }
    };
}

impl Scope {
    pub(crate) fn next_epoch(&self) -> u64 {
        let next = self.epoch.get() + 1;
        self.epoch.set(next);
        next
    }

    /// Says to those above that an await has looked and stays.
    pub(crate) fn stay(&self) {
        self.looked.set(self.next_epoch());
    }

    /// Whether the current context has ended, in this task.
    pub(crate) fn has_ended(&self) -> bool {
        let ended = self
            .current
            .look(|context| context.is_some_and(Context::is_cancelled));
        ended && self.is_in_task()
    }

    pub(crate) fn is_in_task(&self) -> bool {
        self.task.get() == TaskId::current()
    }

    fn is_current(&self, context: &Context) -> bool {
        self.current.look(|current| match current {
            Some(current) => current == context,
            None => *context == Context::background(),
        })
    }
}

pub(crate) fn current() -> Context {
    SCOPE.with(|scope| {
        scope.current.look(|context| match context {
            Some(context) if scope.is_in_task() => context.clone(),
            _ => Context::background(),
        })
    })
}

/// Whether the context in whose scope this task is polled has ended.
#[inline]
pub(crate) fn current_has_ended() -> bool {
    SCOPE.with(|scope| scope.anchor.get() != 0 && scope.has_ended())
}

/// The number of the last event; see invariant 3.
#[inline]
pub(crate) fn epoch() -> u64 {
    SCOPE.with(|scope| scope.epoch.get())
}

/// Runs `action` with `context` as the current one.
pub(crate) fn within<R>(context: &Context, action: impl FnOnce() -> R) -> R {
    let anchor = context.anchor().map_or(0, Context::address);
    within_anchor(context, anchor, TaskId::current(), action)
}

#[inline]
pub(crate) fn within_anchor<R>(
    context: &Context,
    anchor: usize,
    task: TaskId,
    action: impl FnOnce() -> R,
) -> R {
    SCOPE.with(|scope| {
        let _entered = Entered {
            task: scope.task.replace(task),
            anchor: scope.anchor.replace(anchor),
        };
        scope.current.lend(context, action)
    })
}

/// Restores what belongs to the context that was the current one.
struct Entered {
    task: TaskId,
    anchor: usize,
}

impl Drop for Entered {
    fn drop(&mut self) {
        SCOPE.with(|scope| {
            scope.task.set(self.task);
            scope.anchor.set(self.anchor);
        });
    }
}

/// Runs `action` with `context` as the current one, unless it is; for a poll without a frame of its own.
pub(crate) fn within_unwatched<R>(context: &Context, action: impl FnOnce() -> R) -> R {
    if SCOPE.with(|scope| scope.is_current(context)) {
        action()
    } else {
        within(context, action)
    }
}

/// Runs `action` with `context` as the current one, and without the promises above.
pub(crate) fn outside_of_frames<R>(context: &Context, action: impl FnOnce() -> R) -> R {
    let above = SCOPE.with(|scope| {
        let above = scope.frame.get();
        scope.frame.context.set(0);
        scope.frame.waker.set(WakerId::NONE);
        scope.frame.task.set(TaskId::NONE);
        above
    });
    let _restored = Restored(above);
    within(context, action)
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
    outside_of_frames(&Context::background(), action)
}
