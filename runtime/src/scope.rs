//! What is going on in this thread's poll: the current context, and who has promised to be woken.
//!
//! Polls nest *frames*, each with the context that is the current one inside. An await need not register a
//! waker of its own if an await above it, in the same poll, of the same context and with the same waker,
//! does. The outermost await of a context in a task, its *owner*, promises that in its frame: it registers
//! if its poll ends pending, and keeps that registration from poll to poll.
//!
//! The owner also looks at the context as its poll begins. If it has not ended then, the poll is *calm*: an
//! await below that finds its waker to be that of a calm poll need not look, and stays. If it ends
//! meanwhile, the owner finds that out after the poll, and polls once more; that poll is not calm, and
//! every await looks, innermost first. So one comparison is all that a pending await costs.
//!
//! A frame ([`crate::frame`]) lies on the stack of the owner, and is lent. Its context may be one that is made when
//! somebody asks for it ([`crate::current`]): until then what it ends with is looked at in its place. What each await looks at, the frame
//! and where it says whether the context may have ended ([`crate::state`]), is in one cache line without a
//! destructor, so that reaching it costs one offset.
//!
//! Invariants:
//! 1. A frame lives no longer than the poll that pushed it, also when that panics: whoever changes
//!    a thread-local restores it by `Drop`.
//! 2. An owner registers after its inner poll, and looks at the end after registering, so no end is
//!    missed; an await below that found no end, relies on it. An await without a frame of its own, behind
//!    a waker that nobody above has promised anything for, is registered in the owner's memory
//!    ([`crate::memory`]) unless an await below it has registered in this very poll (`registered`).
//! 3. Events of a poll are numbered by `epoch`: functions that were parked, shields that are pending,
//!    registrations, an end that somebody notices. What has a higher number than an inner poll began with,
//!    happened below or meanwhile. An await leaves only if the end was noticed before its inner poll began
//!    (0 if before the whole poll): then all awaits below have seen it, too, and the innermost is the
//!    first to leave. Whoever notices it later stays, and sees to it that it is polled again.
//! 4. A frame belongs to a tokio task. Another task that is polled within that poll, as those of a
//!    `LocalSet` are, has another waker, finds `background` as its current context, and is not waited
//!    for by the shields it holds.
//! 5. `SHIELDS` lists the shields that were pending in this poll. The outermost owner empties it.
//! 6. A frame with a promise is that of somebody who looks at its context after all below have, in the same
//!    poll, and drops them if it has ended. So an await without a context of its own may be parked for
//!    ever in such a frame, and only there (see [`crate::implicit`]).
//! 7. A poll is calm only for the waker that its frame promises, or for a frame of what never ends; and not
//!    once a shield is pending below, or an end was noticed. As long as a shield is pending, the frames above
//!    are not calm either: their awaits have to remember it.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::task::Waker;

use crate::context::Context;
use crate::current::Current;
use crate::frame::{Frame, OUTERMOST, WakerId};
use crate::memory::{Memory, Used};
use crate::raw::{Slot, with_local};
use crate::site::{At, Site};
use crate::state::{NEVER, State};
use crate::sync::Ordering;

/// How many awaits in a row may begin without a look at the clock, in one poll. Half of what is promised.
const TRUST: u32 = 32;

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
    /// The number of the last event (invariant 3).
    pub(crate) epoch: Cell<u64>,
    /// The innermost await that was pending first in this poll, of those that were (see [`crate::site`]).
    pub(crate) pending: Cell<Option<&'static Site>>,
    /// Whether there may be anything in `shielded` or in a memory, so that the end of a poll has to look.
    pub(crate) is_unusual: Cell<bool>,
    /// The number of the last shield.
    pub(crate) shielded: Cell<u64>,
    /// Whether there is anything in the memory of the nearest owner above, and that memory.
    pub(crate) remembers: Cell<bool>,
    pub(crate) memory: Cell<ManuallyDrop<Memory>>,
    pub(crate) parked: Cell<Parked>,
    pub(crate) registered: Cell<Registered>,
}

thread_local! {
    static SCOPE: Scope = const {
        Scope {
            state: Slot::new(&NEVER),
            frame: Slot::new(&OUTERMOST),
            epoch: Cell::new(0),
            pending: Cell::new(None),
            is_unusual: Cell::new(false),
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

    /// Whether an await may leave whose inner poll began after event `before` (invariant 3); the context has
    /// ended. If it may not, the next one may.
    #[cold]
    pub(crate) fn is_over_since(&self, before: u64) -> bool {
        self.frame.look(|frame| {
            if !frame.is_noticed() {
                frame.notice(self.next_epoch());
                frame.disturb();
            }
            frame.was_noticed(before)
        })
    }

    /// From now on, all in the topmost frame have to look.
    pub(crate) fn disturb(&self) {
        self.frame.look(|frame: &Frame<'_>| frame.disturb());
    }

    /// As long as a shield is pending below, all have to look (invariant 7).
    pub(crate) fn disturb_if_shielded(&self) {
        if self.shielded.get() != 0 {
            self.disturb();
        }
    }

    /// Whether one load tells that the current context has not ended.
    #[inline]
    pub(crate) fn is_live(&self) -> bool {
        self.state.look(State::is_live)
    }

    /// Whether the current context has ended, in this task, as an await begins.
    #[cold]
    #[inline(never)]
    pub(crate) fn has_ended(&self) -> bool {
        let has_ended = |frame: &Frame<'_>| {
            !self.trusts_alarm(frame) && frame.context().is_cancelled() && frame.is_in_task()
        };
        !self.is_live() && self.frame.look(has_ended)
    }

    /// Whether an await need not look at the clock as it begins: the driver of the context's deadline does,
    /// though it gets no turn in a loop that never yields.
    fn trusts_alarm(&self, frame: &Frame<'_>) -> bool {
        if !self.state.look(State::is_told) {
            return false;
        }
        let trusted = frame.trusted.load(Ordering::Relaxed);
        frame.trusted.store(trusted + 1, Ordering::Relaxed);
        trusted % TRUST != TRUST - 1
    }

    /// Notes that the await there is pending, unless one below it was noted.
    #[inline]
    pub(crate) fn note(&self, site: impl At) {
        if self.pending.get().is_none() {
            self.pending.set(Some(site()));
        }
    }

    /// The depth of the topmost frame.
    pub(crate) fn depth(&self) -> u32 {
        self.frame.look(|frame: &Frame<'_>| frame.depth())
    }

    /// Runs `action` in a frame, whose context ends with what has this `state`.
    #[inline]
    pub(crate) fn enter<R>(
        &self,
        frame: &Frame<'_>,
        state: &State,
        action: impl FnOnce() -> R,
    ) -> R {
        self.state.lend(state, || self.frame.lend(frame, action))
    }
}

/// What a context that ends with `anchor`, if with anything, knows of its end.
#[inline]
pub(crate) fn state_of(anchor: Option<&Context>) -> &State {
    anchor.map_or(&NEVER, Context::state)
}

pub(crate) fn current() -> Context {
    with(|scope| {
        scope.frame.look(|frame| {
            if frame.is_in_task() {
                frame.make_context().clone()
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

/// Whether the frame above covers a poll of `context` with `waker`.
#[inline]
pub(crate) fn is_covered_for(context: &Context, waker: &Waker) -> bool {
    with(|scope| {
        scope.frame.look(|frame| {
            frame.is_of(context) && (frame.is_calm_for(waker) || is_covered(frame, waker))
        })
    })
}

#[cold]
#[inline(never)]
fn is_covered(frame: &Frame<'_>, waker: &Waker) -> bool {
    frame.covers(waker)
}

/// The number of the last event; see invariant 3.
#[inline]
pub(crate) fn epoch() -> u64 {
    with(|scope| scope.epoch.get())
}

/// Notes that an await is pending behind `waker`, whose context is the current one; whether it need not look.
#[inline]
pub(crate) fn stays_calm(waker: &Waker, site: impl At) -> bool {
    with(|scope| {
        scope.note(site);
        scope.frame.look(|frame| frame.is_calm_for(waker))
    })
}

/// Whether `context` has ended, as an await begins.
#[cold]
#[inline(never)]
pub(crate) fn has_ended(context: &Context) -> bool {
    !trusts_alarm(context) && context.is_cancelled()
}

/// Whether an await of `context` need not look at the clock as it begins.
pub(crate) fn trusts_alarm(context: &Context) -> bool {
    with(|scope| {
        let trusts = |frame: &Frame<'_>| frame.is_of(context) && scope.trusts_alarm(frame);
        scope.frame.look(trusts)
    })
}

/// Runs `action` with `current` as the current context, and without the promises above.
#[inline]
pub(crate) fn within<'a, R>(current: impl Into<Current<'a>>, action: impl FnOnce() -> R) -> R {
    within_using(current, &mut Memory::new(), action)
}

/// As [`within`], out of the way of what calls it.
#[cfg(any(feature = "streams", feature = "tower"))]
#[inline(never)]
pub(crate) fn run_within(current: Current<'_>, action: &mut dyn FnMut()) {
    within(current, action);
}

/// As [`within`], for what is polled again with the same `memory`.
#[inline]
pub(crate) fn within_using<'a, R>(
    current: impl Into<Current<'a>>,
    memory: &mut Memory,
    action: impl FnOnce() -> R,
) -> R {
    let current = current.into();
    with(|scope| {
        scope.frame.look(|above| {
            let frame = Frame::without_promise(current, above);
            let _used = Used::new(scope, memory);
            scope.enter(&frame, state_of(current.known().anchor()), action)
        })
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
    #[cfg(feature = "tokio")]
    let action = || crate::task::outside(action);
    within(&Context::background(), action)
}
