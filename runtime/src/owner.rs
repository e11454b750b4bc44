//! Owners: the poll of one, and what it keeps from poll to poll, its registration first of all.
//!
//! An owner is a scope, or the outermost await of a context in a task (see [`crate::scope`]). The usual poll, of
//! one whose context will be told of its end, is inlined; all else is out of the way.
//!
//! An owner that keeps nothing is polled in a shorter way ([`Owner::poll_new`]) where there are many that never will,
//! as the requests of a server.
//!
//! Whether an owner above promises the same, so that this one need not, is found out when its poll has ended
//! pending: by then both have.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::task::{Poll, Waker};

use crate::cancelled::{Cancelled, Left};
use crate::context::Context;
use crate::current::Current;
use crate::frame::{Frame, TaskId, WakerId};
use crate::memory::Memory;
use crate::roster::{self, Key};
use crate::scope;
use crate::state::State;
use crate::tree::Node;
use crate::vigil::Vigil;
use crate::watch::{self, Lent};

/// What an owner keeps.
pub(crate) struct Owner {
    waiter: Waiter,
    vigil: Vigil,
    memory: Memory,
    /// It has begun: what is below is polled although the context has ended.
    has_begun: bool,
}

/// That of somebody who has to look after each poll.
static NOT_TOLD: State = State::of_ended();

/// How a poll that ended pending goes on.
enum Next {
    Stay,
    /// The context has ended meanwhile: all below have to look.
    Again,
    Leave(Cancelled),
}

impl Owner {
    /// One that does not begin if its context has ended.
    pub(crate) const fn new() -> Self {
        Self {
            waiter: Waiter::new(),
            vigil: Vigil::new(),
            memory: Memory::new(),
            has_begun: false,
        }
    }

    /// That of what has found out already that its context has not ended.
    pub(crate) fn of_begun() -> Self {
        let mut owner = Self::new();
        owner.has_begun = true;
        owner
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiter.registration.is_none() && self.vigil.is_empty() && self.memory.is_empty()
    }

    /// Before a poll: if something begins, and `context` may have ended, that is looked at before what is below is
    /// polled, unless a shield of before is pending.
    #[cfg(any(feature = "streams", feature = "tower"))]
    #[inline]
    pub(crate) fn begin(&mut self, context: &Context) {
        self.has_begun = self.has_begun || context.is_live() || self.may_begin(context);
    }

    #[cfg(any(feature = "streams", feature = "tower"))]
    #[cold]
    #[inline(never)]
    fn may_begin(&mut self, context: &Context) -> bool {
        scope::trusts_alarm(context) || self.vigil.is_held()
    }

    #[cfg(any(feature = "streams", feature = "tower"))]
    #[inline]
    pub(crate) const fn set_begun(&mut self, has_begun: bool) {
        self.has_begun = has_begun;
    }

    /// Gives up what it keeps: what is below has ended.
    #[cfg(any(feature = "streams", feature = "tower"))]
    #[inline]
    pub(crate) fn forget(&mut self) {
        if !self.is_empty() {
            *self = Self::new();
        }
    }

    /// Whether it stays because of a shield, although the end of its context was logged.
    #[cfg(all(feature = "tower", feature = "tracing"))]
    pub(crate) fn is_logged(&self) -> bool {
        self.vigil.is_logged()
    }

    /// What it remembers of the shields below.
    #[cfg(any(feature = "streams", feature = "tower"))]
    pub(crate) const fn vigil(&mut self) -> &mut Vigil {
        &mut self.vigil
    }

    /// Runs `poll` with `current` as the current context; if that ends pending, registers `waker`, and says why
    /// the owner leaves, if it does.
    #[inline]
    pub(crate) fn poll<'a, T>(
        &mut self,
        current: impl Into<Current<'a>>,
        waker: &Waker,
        poll: impl FnMut() -> Poll<T>,
    ) -> Poll<Result<T, Cancelled>> {
        self.poll_as::<false, T>(current.into(), waker, poll)
    }

    /// As [`poll`](Self::poll), of one that keeps nothing, with a context of which one load tells that it lives.
    #[cfg(any(feature = "streams", feature = "tower"))]
    #[inline]
    pub(crate) fn poll_new<T>(
        &mut self,
        current: Current<'_>,
        waker: &Waker,
        poll: impl FnMut() -> Poll<T>,
    ) -> Poll<Result<T, Cancelled>> {
        self.poll_as::<true, T>(current, waker, poll)
    }

    #[inline]
    fn poll_as<const IS_NEW: bool, T>(
        &mut self,
        current: Current<'_>,
        waker: &Waker,
        mut poll: impl FnMut() -> Poll<T>,
    ) -> Poll<Result<T, Cancelled>> {
        let Self {
            waiter,
            vigil,
            memory,
            has_begun,
        } = self;
        let context = current.known();
        scope::with(|scope| {
            scope.frame.look(|above| {
                let kept = (!IS_NEW).then_some(&*waiter);
                let known = kept.and_then(|waiter| waiter.known(context, waker));
                let task = known.map_or_else(TaskId::current, |known| known.task);
                let _lent = Lent::new(scope, memory);
                let before = scope.epoch.get();
                let frame = Frame::of_owner(current, waker, task, above);
                // As long as `told` is, there is nothing to do after a poll that ended calm and pending.
                let (mut state, mut told) = match known {
                    Some(known) => (known.node.state(), known.node.state()),
                    None => (context.state(), &NOT_TOLD),
                };
                if !(IS_NEW || (state.is_told() && (known.is_some() || *has_begun))) {
                    let has_begun = mem::replace(has_begun, true);
                    state = begin(&frame, vigil, has_begun)?;
                }
                loop {
                    if let Poll::Ready(value) = scope.enter(&frame, state, &mut poll) {
                        return Poll::Ready(Ok(value));
                    }
                    let is_calm = frame.is_calm_for(waker);
                    if is_calm && told.is_told() {
                        return Poll::Pending;
                    }
                    match look_closely(waiter, vigil, &frame, waker, before) {
                        Next::Stay => return Poll::Pending,
                        Next::Leave(cancelled) => return Poll::Ready(Err(cancelled)),
                        Next::Again => frame.disturb(),
                    }
                    state = scope::state_of(context.anchor());
                    told = &NOT_TOLD;
                }
            })
        })
    }
}

/// Looks at a context that may have ended, or that will not be told; gives what it knows of its end.
///
/// # Errors
///
/// Why it has ended, unless what is below has begun.
#[cold]
#[inline(never)]
fn begin<'a>(frame: &Frame<'a>, vigil: &Vigil, has_begun: bool) -> Result<&'a State, Cancelled> {
    vigil.restore_logged(&frame.logged);
    let state = scope::state_of(frame.context().anchor());
    // The alarm of a deadline may be late.
    let is_live = has_begun && state.is_told();
    if !is_live && frame.context().is_cancelled() {
        if !has_begun && let Some(cancelled) = frame.leave(None) {
            return Err(cancelled);
        }
        frame.notice(0);
        frame.disturb();
    }
    Ok(state)
}

/// After a poll in `frame`, with `waker`, that ended pending; `before` is the number of the last event
/// before it.
#[cold]
#[inline(never)]
fn look_closely(
    waiter: &mut Waiter,
    vigil: &mut Vigil,
    frame: &Frame<'_>,
    waker: &Waker,
    before: u64,
) -> Next {
    let context = frame.context();
    let is_calm = frame.is_calm_for(waker);
    // Nothing ends it, or somebody above looks as well.
    let anchor = context.anchor().filter(|_| !frame.is_covered());
    let is_new = anchor.is_some_and(|anchor| {
        let above = frame.depth() - 1;
        let is_new = waiter.register(anchor, waker, above);
        if above > 0 {
            watch::note_registered(anchor.address(), WakerId::of(waker));
        }
        is_new
    });
    watch::collect_shields(before, frame.task, |shield| vigil.wait_for(shield));
    // As for one that was registered before: it will be told, also if its deadline has passed meanwhile.
    if is_calm && (anchor.is_none() || (is_new && scope::state_of(anchor).is_told())) {
        return Next::Stay;
    }
    if !context.is_cancelled() {
        return Next::Stay;
    }
    if vigil.is_held() {
        vigil.keep_logged(&frame.logged);
        return Next::Stay;
    }
    if !frame.was_noticed(before) {
        frame.notice(before);
        return Next::Again;
    }
    let left = watch::take_parked(before).map(Left::Site);
    frame.leave(left).map_or(Next::Stay, Next::Leave)
}

/// The one registration of an owner; kept while its context and its waker stay the same.
#[derive(Default)]
pub(crate) struct Waiter {
    registration: Option<Registration>,
}

struct Registration {
    node: Arc<Node>,
    key: Key,
    waker: WakerId,
    /// The task whose waker that is.
    task: TaskId,
}

impl Registration {
    #[inline]
    fn is_at(&self, anchor: &Context) -> bool {
        self.anchor() == anchor.address()
    }

    #[inline]
    fn anchor(&self) -> usize {
        Arc::as_ptr(&self.node).addr()
    }

    /// Whether it is for the end of `context`.
    #[inline]
    fn is_for(&self, context: &Context) -> bool {
        self.is_at(context) || context.anchor().is_some_and(|anchor| self.is_at(anchor))
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.node.remove_waiter(self.key);
    }
}

impl Waiter {
    /// One that is not registered yet.
    pub(crate) const fn new() -> Self {
        Self { registration: None }
    }

    /// The registration, if it is that of `waker` for the end of `context`.
    #[inline]
    fn known(&self, context: &Context, waker: &Waker) -> Option<&Registration> {
        let known = self.registration.as_ref()?;
        (known.waker == WakerId::of(waker) && known.is_for(context)).then_some(known)
    }

    /// Has `waker` woken when `anchor` ends, unless it has ended: look at it afterwards. Whether that is new.
    #[cold]
    #[inline(never)]
    pub(crate) fn register(&mut self, anchor: &Context, waker: &Waker, depth: u32) -> bool {
        let known = self.registration.as_ref();
        let is_at_anchor = known.is_some_and(|known| known.is_at(anchor));
        let id = WakerId::of(waker);
        if is_at_anchor && known.is_some_and(|known| known.waker == id) {
            return false;
        }
        let task = TaskId::current();
        let waiter = roster::Waiter {
            waker: waker.clone(),
            depth,
        };
        if let Some(known) = &mut self.registration
            && is_at_anchor
        {
            (known.waker, known.task) = (id, task);
            // If the waiters were taken, the context has ended, as the caller will see.
            known.node.replace_waiter(known.key, waiter);
            return true;
        }
        self.registration = None;
        self.registration = anchor.arc().and_then(|node| {
            let key = node.add_waiter(waiter)?;
            Some(Registration {
                node,
                key,
                waker: id,
                task,
            })
        });
        true
    }
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.registration.is_some() {
            "Waiter(registered)"
        } else {
            "Waiter"
        })
    }
}
