//! What is going on in this thread's poll: the current context, and who has promised to be woken.
//!
//! Polls nest *frames*, each with the context that is the current one inside. An await need not register a
//! waker of its own if an await above it, in the same poll, of the same context and with the same waker,
//! does. The outermost await of a context in a task, its *owner*, promises that in its frame: it registers
//! if its poll ends pending, and keeps that registration from poll to poll. Awaits below that find their
//! context and waker in the topmost frame only look.
//!
//! A frame lies on the stack of the owner, and is lent. What each await looks at, the frame, a byte that
//! says whether the context may have ended ([`crate::state`]), and the numbers below, is one cache line
//! without a destructor, so that reaching it costs one offset.
//!
//! Invariants:
//! 1. A frame lives no longer than the poll that pushed it, also when that panics: whoever changes
//!    a thread-local restores it by `Drop`.
//! 2. An owner registers after its inner poll, and looks at the end after registering, so no end is
//!    missed; an await below that found no end, relies on it. An await without a frame of its own, behind
//!    a waker that nobody above has promised anything for, is registered in the owner's memory
//!    ([`crate::memory`]) unless an await below it has registered in this very poll (`registered`).
//! 3. Events of a poll are numbered by `epoch`: awaits that looked and stay pending, functions that were
//!    parked, shields that are pending, registrations. What has a higher number than an inner poll began
//!    with, happened below. An await that finds the end although one below it has looked in this very
//!    poll, was overtaken by the cancel: it stays for one more poll, which it asks for, so that the
//!    innermost await is the first to leave.
//! 4. A frame belongs to a tokio task. Another task that is polled within that poll, as those of a
//!    `LocalSet` are, has another waker, finds `background` as its current context, and is not waited
//!    for by the shields it holds.
//! 5. `SHIELDS` lists the shields that were pending in this poll. The outermost owner empties it.
//! 6. A frame with a promise is that of somebody who looks at its context after all below have, in the same
//!    poll, and drops them if it has ended. So an await without a context of its own may be parked for
//!    ever in such a frame, and only there (see [`crate::implicit`]).
//! 7. `quiet` is the number of the last await that looked at the context of the topmost frame and stays; it
//!    goes back to 0 with the frame, and while a shield is pending. An await with a lower number before
//!    its inner poll need not look: one below it has, with the same answer, or else the owner finds the
//!    end, and has all of them look once more.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::task::Waker;

use crate::context::Context;
use crate::memory::{Memory, Used};
use crate::raw::{Lend, Slot, with_local};
use crate::site::Site;
use crate::state::State;

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
}

impl<'a> Frame<'a> {
    /// That of nothing, yet.
    #[inline]
    pub(crate) fn of(waker: &'a Waker) -> Self {
        Self { waker, ..OUTERMOST }
    }

    /// Whether the owner has promised that `waker` will be woken when the context ends.
    #[inline]
    pub(crate) fn promises(&self, waker: &Waker) -> bool {
        // Mostly it is the very same one, which takes no look at it.
        self.is_promised && (std::ptr::eq(self.waker, waker) || are_equal(self.waker, waker))
    }

    /// Whether an await of `context` that is polled with `waker` needs no frame of its own.
    #[inline]
    pub(crate) fn covers(&self, context: &Context, waker: &Waker) -> bool {
        let is_promised = self.is_promised && std::ptr::eq(self.waker, waker);
        self.context == context && (is_promised || self.anchor == 0)
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

/// The state of this thread's poll; nothing in it has a destructor. What every await looks at comes first,
/// on one cache line.
#[repr(C, align(64))]
pub(crate) struct Scope {
    /// What the context that ends the current one knows of its end.
    pub(crate) state: Slot<State>,
    pub(crate) frame: Slot<Frame<'static>>,
    /// The number of the last event (invariant 3), and of the last of each kind.
    pub(crate) epoch: Cell<u64>,
    pub(crate) looked: Cell<u64>,
    /// As `looked`, of awaits of the topmost frame's context in a poll without shields (invariant 7).
    pub(crate) quiet: Cell<u64>,
    pub(crate) shielded: Cell<u64>,
    /// Whether there is anything in the memory of the nearest owner above, and that memory.
    pub(crate) remembers: Cell<bool>,
    pub(crate) memory: Cell<ManuallyDrop<Memory>>,
    pub(crate) parked: Cell<Parked>,
    pub(crate) registered: Cell<Registered>,
}

static BACKGROUND: Context = Context::background();
static NEVER: State = State::of_root();
const OUTERMOST: Frame<'static> = Frame {
    context: &BACKGROUND,
    anchor: 0,
    waker: Waker::noop(),
    is_promised: false,
    depth: 0,
    task: TaskId::NONE,
};

thread_local! {
    static SCOPE: Scope = const {
        Scope {
            state: Slot::new(&NEVER),
            frame: Slot::new(&OUTERMOST),
            epoch: Cell::new(0),
            looked: Cell::new(0),
            quiet: Cell::new(0),
            shielded: Cell::new(0),
            parked: Cell::new(Parked { epoch: 0, site: None }),
            registered: Cell::new(Registered { epoch: 0, context: 0, waker: WakerId::NONE }),
            memory: Cell::new(ManuallyDrop::new(Memory::new())),
            remembers: Cell::new(false),
        }
    };
}

/// Uses this thread's state.
#[inline]
pub(crate) fn with<R>(action: impl FnOnce(&Scope) -> R) -> R {
    with_local(&SCOPE, action)
}

impl Scope {
    #[inline]
    pub(crate) fn next_epoch(&self) -> u64 {
        let next = self.epoch.get() + 1;
        self.epoch.set(next);
        next
    }

    /// Says to those above that an await has looked and stays.
    #[inline]
    pub(crate) fn stay(&self) {
        let epoch = self.next_epoch();
        self.looked.set(epoch);
        if self.shielded.get() == 0 {
            self.quiet.set(epoch);
        }
    }

    /// Whether one load tells that the current context has not ended.
    #[inline]
    pub(crate) fn is_live(&self) -> bool {
        self.state.look(State::is_live)
    }

    /// Whether the current context has ended, in this task.
    #[cold]
    #[inline(never)]
    pub(crate) fn has_ended(&self) -> bool {
        let is_cancelled = |frame: &Frame<'_>| frame.context.is_cancelled() && frame.is_in_task();
        !self.is_live() && self.frame.look(is_cancelled)
    }

    /// The depth of the topmost frame.
    #[inline]
    pub(crate) fn depth(&self) -> u32 {
        self.frame.look(|frame| frame.depth)
    }

    /// Runs `action` in a frame, if one is given with what knows of the end of its context.
    #[inline]
    pub(crate) fn enter<R>(
        &self,
        own: Option<(&Frame<'_>, &State)>,
        action: impl FnOnce() -> R,
    ) -> R {
        let (frame, state) = own.unzip();
        self.state.lend(state, || self.frame.lend(frame, action))
    }
}

/// What a context that ends with `anchor`, if with anything, knows of its end.
#[inline]
pub(crate) fn state_of(anchor: Option<&Context>) -> &State {
    let node = anchor.and_then(Context::node);
    node.map_or(&NEVER, |node| &node.state)
}

/// Where a frame ends, nothing is quiet (invariant 7).
pub(crate) struct Unquiet<'a>(pub(crate) &'a Scope);

impl Drop for Unquiet<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.quiet.set(0);
    }
}

pub(crate) fn current() -> Context {
    with(|scope| {
        scope.frame.look(|frame| {
            if frame.is_in_task() {
                frame.context.clone()
            } else {
                Context::background()
            }
        })
    })
}

/// Whether one load tells that the current context has not ended.
#[inline]
pub(crate) fn is_live() -> bool {
    with(Scope::is_live)
}

/// Whether the context in whose scope this task is polled has ended.
pub(crate) fn current_has_ended() -> bool {
    with(Scope::has_ended)
}

/// The number of the last event; see invariant 3.
#[inline]
pub(crate) fn epoch() -> u64 {
    with(|scope| scope.epoch.get())
}

/// Whether an await below has looked after event `before`, and nothing else has happened (invariant 7).
#[inline]
pub(crate) fn is_quiet(before: u64) -> bool {
    with(|scope| scope.quiet.get() > before)
}

/// Runs `action` with `context` as the current one, and without the promises above.
pub(crate) fn within<R>(context: &Context, action: impl FnOnce() -> R) -> R {
    within_using(context, &mut Memory::new(), action)
}

/// As [`within`], for what is polled again with the same `memory`.
pub(crate) fn within_using<R>(
    context: &Context,
    memory: &mut Memory,
    action: impl FnOnce() -> R,
) -> R {
    with(|scope| {
        let anchor = context.anchor();
        let frame = Frame {
            context,
            anchor: anchor.map_or(0, Context::address),
            waker: Waker::noop(),
            is_promised: false,
            depth: scope.depth(),
            task: TaskId::current(),
        };
        let _used = Used::new(memory);
        let _quiet = Unquiet(scope);
        scope.enter(Some((&frame, state_of(anchor))), action)
    })
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
    within(&Context::background(), action)
}
