//! Owners: the poll of one, and what it keeps from poll to poll, its registration first of all.
//!
//! An owner is a scope, or the outermost await of a context in a task (see [`crate::scope`]). The usual poll,
//! that of an outermost owner which is registered already, is inlined; all else is out of the way.

use std::fmt;
use std::sync::{Arc, Weak};
use std::task::{Poll, Waker};

use crate::cancelled::{Cancelled, Left};
use crate::context::Context;
use crate::frame::{Frame, TaskId, WakerId};
use crate::memory::Memory;
use crate::roster::{self, Key};
use crate::scope::{self, Calm, Scope};
use crate::state::State;
use crate::sync::AtomicU32;
use crate::tree::Node;
use crate::watch::{self, Lent};

/// What an owner keeps.
pub(crate) struct Owner {
    waiter: Waiter,
    vigil: Vigil,
    memory: Memory,
    /// It has begun: what is below is polled although the context has ended.
    has_begun: bool,
}

/// What an owner has to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Somebody above has promised to be woken, or nothing ends its context: no owner after all.
    Covered,
    Registered,
    /// It has to register.
    New,
}

/// How a poll begins.
struct Begun<'a> {
    part: Part,
    /// What its context knows of its end.
    state: &'a State,
    calm: Calm,
    /// As long as this is told, there is nothing to do after a poll that ended calm and pending.
    told: &'a State,
}

/// That of somebody who has to register.
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

    /// Runs `poll` with `context` as the current one; if that ends pending, registers `waker`, and says why
    /// the owner leaves, if it does.
    #[inline]
    pub(crate) fn poll<T>(
        &mut self,
        context: &Context,
        waker: &Waker,
        mut poll: impl FnMut() -> Poll<T>,
    ) -> Poll<Result<T, Cancelled>> {
        scope::with(|scope| {
            let Self {
                waiter,
                vigil,
                memory,
                has_begun,
            } = self;
            let _lent = Lent::new(scope, memory);
            let before = scope.epoch.get();
            let usual = waiter.usual(scope, context, waker);
            let mut frame = Frame {
                context,
                anchor: usual.map_or(0, Registration::anchor),
                waker,
                is_promised: true,
                depth: 1,
                task: usual.map_or(TaskId::NONE, |known| known.task),
                trusted: AtomicU32::new(0),
                noticed: Frame::not_noticed(),
            };
            let Begun {
                part,
                mut state,
                mut calm,
                mut told,
            } = if let Some(known) = usual {
                let state = &known.node.state;
                Begun {
                    part: Part::Registered,
                    state,
                    calm: Calm::of(waker),
                    told: state,
                }
            } else {
                let begun = begin(scope, &mut frame, waiter, *has_begun);
                if !std::mem::replace(has_begun, true)
                    && frame.is_noticed()
                    && let Some(cancelled) = context.cancelled_at(None)
                {
                    return Poll::Ready(Err(cancelled));
                }
                begun
            };
            loop {
                let mut is_calm = false;
                let polled = scope.enter(&frame, state, calm, || {
                    let polled = poll();
                    is_calm = scope.calm.get().is_for(waker);
                    polled
                });
                if let Poll::Ready(value) = polled {
                    return Poll::Ready(Ok(value));
                }
                if is_calm && told.is_told() {
                    return Poll::Pending;
                }
                match part.look_closely((waiter, vigil), &frame, before, is_calm) {
                    Next::Stay => return Poll::Pending,
                    Next::Leave(cancelled) => return Poll::Ready(Err(cancelled)),
                    Next::Again => calm = Calm::FOR_NOBODY,
                }
                state = scope::state_of(context.anchor());
                told = &NOT_TOLD;
            }
        })
    }
}

/// Completes a frame that is not that of an outermost owner which is registered.
#[cold]
#[inline(never)]
fn begin<'a>(scope: &Scope, frame: &mut Frame<'a>, waiter: &Waiter, has_begun: bool) -> Begun<'a> {
    let known = waiter.known(frame.context, frame.waker);
    let anchor = frame.context.anchor();
    let state = scope::state_of(anchor);
    frame.anchor = anchor.map_or(0, Context::address);
    frame.is_promised = frame.anchor != 0;
    let is_covered = scope.frame.look(|above| {
        let is_covered = above.anchor == frame.anchor && above.promises(frame.waker);
        frame.depth = above.depth + u32::from(frame.is_promised && !is_covered);
        frame.task = match known {
            _ if is_covered => above.task,
            Some(known) => known.task,
            None => TaskId::current(),
        };
        is_covered || !frame.is_promised
    });
    let (part, told) = match known {
        _ if is_covered => (Part::Covered, scope::state_of(None)),
        Some(_) => (Part::Registered, state),
        None => (Part::New, &NOT_TOLD),
    };
    // The alarm of a deadline may be late.
    let is_live = has_begun && state.is_told();
    let calm = if is_live || !frame.context.is_cancelled() {
        Calm::of(frame.waker)
    } else {
        frame.notice(0);
        Calm::FOR_NOBODY
    };
    Begun {
        part,
        state,
        calm,
        told,
    }
}

impl Part {
    /// After a poll in `frame` that ended pending; `before` is the number of the last event before it.
    #[cold]
    #[inline(never)]
    fn look_closely(
        self,
        (waiter, vigil): (&mut Waiter, &mut Vigil),
        frame: &Frame<'_>,
        before: u64,
        is_calm: bool,
    ) -> Next {
        let context = frame.context;
        if let (Self::Registered | Self::New, Some(anchor)) = (self, context.anchor()) {
            let above = frame.depth - 1;
            waiter.register(anchor, frame.waker, above);
            if above > 0 {
                watch::note_registered(frame.anchor, WakerId::of(frame.waker));
            }
        }
        watch::collect_shields(before, frame.task, |shield| vigil.wait_for(shield));
        // As for one that was registered before: it will be told, also if its deadline has passed meanwhile.
        if is_calm && self == Self::New && scope::state_of(context.anchor()).is_told() {
            return Next::Stay;
        }
        if !context.is_cancelled() || vigil.is_held() {
            return Next::Stay;
        }
        if !frame.was_noticed(before) {
            frame.notice(before);
            return Next::Again;
        }
        let left = watch::take_parked(before).map(Left::Site);
        context.cancelled_at(left).map_or(Next::Stay, Next::Leave)
    }
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

    /// That, if it is an outermost owner's, which will be told.
    #[inline]
    fn usual(&self, scope: &Scope, context: &Context, waker: &Waker) -> Option<&Registration> {
        let known = self.known(context, waker)?;
        (scope.depth() == 0 && known.node.state.is_told()).then_some(known)
    }

    /// Has `waker` woken when `anchor` ends, unless it has ended: look at it afterwards.
    #[cold]
    #[inline(never)]
    pub(crate) fn register(&mut self, anchor: &Context, waker: &Waker, depth: u32) {
        let known = self.registration.as_ref();
        let is_at_anchor = known.is_some_and(|known| known.is_at(anchor));
        let id = WakerId::of(waker);
        if is_at_anchor && known.is_some_and(|known| known.waker == id) {
            return;
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
            return;
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

/// What an await remembers from one pending poll to the next: the shields below that were pending when
/// they were last polled. Takes memory only then.
#[derive(Default)]
pub(crate) struct Vigil {
    #[expect(
        clippy::box_collection,
        reason = "it is as small as can be, and mostly empty"
    )]
    shields: Option<Box<Vec<Weak<()>>>>,
}

impl Vigil {
    pub(crate) const fn new() -> Self {
        Self { shields: None }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.shields.is_none()
    }

    /// Whether a shield is pending that it waits for.
    pub(crate) fn is_needed(&self) -> bool {
        let mut shields = self.shields.iter().flat_map(|shields| shields.iter());
        shields.any(|shield| shield.strong_count() > 0)
    }

    pub(crate) fn wait_for(&mut self, shield: &Weak<()>) {
        let known = self.shields.get_or_insert_default();
        if !known.iter().any(|other| other.ptr_eq(shield)) {
            known.push(Weak::clone(shield));
        }
    }

    /// Whether shields below have to end first; forgets those that have.
    pub(crate) fn is_held(&mut self) -> bool {
        if let Some(shields) = &mut self.shields {
            shields.retain(|shield| shield.strong_count() > 0);
            if shields.is_empty() {
                self.shields = None;
            }
        }
        !self.is_empty()
    }
}
