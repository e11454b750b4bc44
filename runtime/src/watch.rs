//! What an await sees of the poll it is in: the promises above it, and the events below it.
//!
//! The state is that of [`crate::scope`], whose invariants these functions keep.

use std::cell::RefCell;
use std::sync::{Arc, Weak};
use std::task::Waker;

use crate::cancelled::{Cancelled, Left};
use crate::context::Context;
use crate::memory::{self, Key, Memory};
use crate::owner::{Vigil, Waiter};
use crate::scope::{self, Frame, Parked, Registered, Scope, TaskId, WakerId};
use crate::site::Site;

thread_local! {
    static SHIELDS: RefCell<Vec<(u64, TaskId, Weak<()>)>> = const { RefCell::new(Vec::new()) };
}

/// What an await, or a scope, has to do with the frame above.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Somebody above has promised to be woken.
    Covered,
    /// Nothing ends its context.
    Endless,
    /// It is an owner itself, and the outermost one, which is registered.
    Registered,
    /// It is an owner itself, which may have to register.
    Owner,
}

/// One poll of an await, or of a scope, that has its context at hand.
#[derive(Clone, Copy)]
pub(crate) struct Watch<'a> {
    scope: &'a Scope,
    part: Part,
    /// The number of the last event before the inner poll.
    before: u64,
}

/// The end of a poll.
struct End<'a> {
    scope: &'a Scope,
    part: Part,
    memory: Option<&'a mut Memory>,
    /// The memory of the owner above.
    above: Memory,
}

impl Drop for End<'_> {
    #[inline]
    fn drop(&mut self) {
        let is_plain = match self.part {
            Part::Covered | Part::Endless => true,
            Part::Registered => {
                let scope = self.scope;
                scope.shielded.get() == 0 && !scope.remembers.get() && self.above.is_empty()
            }
            Part::Owner => false,
        };
        if !is_plain {
            self.end();
        }
    }
}

impl<'a> End<'a> {
    #[inline]
    fn of(scope: &'a Scope, part: Part, memory: Option<&'a mut Memory>) -> Self {
        let mut end = Self {
            scope,
            part,
            memory,
            above: Memory::new(),
        };
        if matches!(part, Part::Registered | Part::Owner)
            && (scope.remembers.get()
                || end.memory.as_ref().is_some_and(|memory| !memory.is_empty()))
        {
            end.use_memory();
        }
        end
    }

    #[cold]
    #[inline(never)]
    fn use_memory(&mut self) {
        if let Some(memory) = &mut self.memory {
            self.above = self.scope.use_memory(memory);
        }
    }

    /// The end of an owner's poll.
    #[cold]
    #[inline(never)]
    fn end(&mut self) {
        if let Some(memory) = &mut self.memory {
            **memory = self.scope.exchange(std::mem::take(&mut self.above));
        }
        self.scope.quiet.set(0);
        if self.scope.depth() == 0 {
            self.scope.shielded.set(0);
            SHIELDS.with_borrow_mut(Vec::clear);
        }
    }
}

impl Watch<'_> {
    /// Runs a poll of an await, or of a scope, with `context` as the current one, if there is one which the
    /// frame above does not cover. `task` is the one in which `waker` was registered, if it is; `memory`
    /// that of an owner.
    #[inline]
    pub(crate) fn poll<R>(
        own: Option<(&Context, Option<TaskId>, &mut Memory)>,
        waker: &Waker,
        action: impl FnOnce(Watch<'_>) -> R,
    ) -> R {
        scope::with(|scope| {
            let before = scope.epoch.get();
            let mut frame = Frame::of(waker);
            let (mut part, mut state, mut memory) = (Part::Covered, None, None);
            if let Some((context, task, own_memory)) = own {
                let anchor = context.anchor();
                (frame.context, frame.anchor) = (context, anchor.map_or(0, Context::address));
                state = Some(scope::state_of(anchor));
                memory = Some(own_memory);
                part = match task {
                    Some(task) if scope.depth() == 0 => {
                        (frame.is_promised, frame.depth, frame.task) = (true, 1, task);
                        Part::Registered
                    }
                    _ => begin(scope, &mut frame, task),
                };
            }
            let _end = End::of(scope, part, memory);
            let watch = Watch {
                scope,
                part,
                before,
            };
            // The only place, so that the inner poll is there once.
            scope.enter(state.map(|state| (&frame, state)), || action(watch))
        })
    }

    /// After a poll that ended pending: whether one need not look closely, and stays.
    #[inline]
    pub(crate) fn stays(self) -> bool {
        let scope = self.scope;
        let stays = || scope.shielded.get() <= self.before && scope.is_live();
        match self.part {
            Part::Endless => true,
            Part::Registered => stays(),
            Part::Covered if scope.quiet.get() > self.before => true,
            Part::Covered if stays() => {
                scope.stay();
                true
            }
            Part::Covered | Part::Owner => false,
        }
    }

    /// After a poll that ended pending: why it is left, if it is. Registers the
    /// waker if this is an owner. `key` is that of this await in the memory of the owner above.
    #[cold]
    #[inline(never)]
    pub(crate) fn look_closely(
        self,
        keeper: Option<(&mut Waiter, &mut Vigil)>,
        key: Key,
        context: &Context,
        waker: &Waker,
    ) -> Option<Cancelled> {
        let is_over = if let Some((waiter, vigil)) = keeper
            && self.part != Part::Covered
        {
            self.register(waiter, context, waker);
            self.is_over(vigil, context, waker)
        } else {
            let mut vigil = memory::take_vigil(key);
            let is_over = self.is_over(&mut vigil, context, waker);
            if !is_over {
                memory::keep_vigil(key, vigil);
            }
            is_over
        };
        if !is_over {
            return None;
        }
        context.cancelled_at(take_parked(self.before).map(Left::Site))
    }

    fn register(self, waiter: &mut Waiter, context: &Context, waker: &Waker) {
        if let (Part::Registered | Part::Owner, Some(anchor)) = (self.part, context.anchor()) {
            let above = self.scope.depth() - 1;
            waiter.register(anchor, waker, above);
            if above > 0 {
                note_registered(anchor.address(), WakerId::of(waker));
            }
        }
    }

    fn is_over(self, vigil: &mut Vigil, context: &Context, waker: &Waker) -> bool {
        let scope = self.scope;
        if scope.shielded.get() > self.before || !scope.is_live() {
            return vigil.is_over(self.before, waker, context);
        }
        // Nobody is above the outermost owner.
        if self.part == Part::Covered || scope.depth() > 1 {
            scope.stay();
        }
        false
    }
}

/// Completes the frame of an await, or of a scope, which is not that of an outermost owner which is
/// registered already; its part.
#[inline(never)]
fn begin(scope: &Scope, frame: &mut Frame<'_>, task: Option<TaskId>) -> Part {
    scope.frame.look(|above| {
        let is_promised = above.anchor == frame.anchor && above.promises(frame.waker);
        let (part, known) = match frame.anchor {
            _ if is_promised => (Part::Covered, Some(above.task)),
            0 => (Part::Endless, None),
            _ => (Part::Owner, task),
        };
        frame.is_promised = frame.anchor != 0;
        frame.depth = above.depth + u32::from(part == Part::Owner);
        frame.task = known.unwrap_or_else(TaskId::current);
        part
    })
}

/// Whether the frame above covers a poll of `context` with `waker`.
#[inline]
pub(crate) fn is_covered_for(context: &Context, waker: &Waker) -> bool {
    scope::with(|scope| scope.frame.look(|above| above.covers(context, waker)))
}

/// How an await without a context of its own stands in this poll.
pub(crate) enum Standing {
    /// In no scope of this task, or in one where nobody above would drop what is parked.
    Transparent,
    /// Somebody above is woken.
    Pledged,
    /// Behind a waker of its own, with this many owners above.
    Foreign { depth: u32 },
}

/// How an await stands that is polled with `waker`; `parks` if it can only leave by being dropped.
pub(crate) fn standing(waker: &Waker, parks: bool) -> Standing {
    scope::with(|scope| {
        scope.frame.look(|frame| {
            if frame.anchor == 0 {
                return Standing::Transparent;
            }
            if frame.promises(waker) {
                return Standing::Pledged;
            }
            if !frame.is_in_task() || (parks && !frame.is_promised) {
                return Standing::Transparent;
            }
            let depth = frame.depth + 1;
            Standing::Foreign { depth }
        })
    })
}

/// Whether somebody above looks at the current context.
pub(crate) fn is_covered() -> bool {
    scope::with(|scope| scope.frame.look(|frame| frame.is_promised))
}

/// After a poll that ended pending, of an await whose context is the current one: whether there is
/// nothing to do but to say so to those above. So in no scope; and if somebody above is woken, no shield
/// is below, and the context has not ended.
///
/// That is found out without a call, for which nothing need be kept. May be false though it holds.
#[inline(never)]
pub(crate) fn stays(before: u64, waker: &Waker) -> bool {
    scope::with(|scope| {
        let (is_endless, is_promised) = scope.frame.look(|frame| {
            let is_promised = frame.is_promised && std::ptr::eq(frame.waker, waker);
            (frame.anchor == 0, is_promised)
        });
        if is_endless {
            return true;
        }
        let stays = is_promised && scope.shielded.get() <= before && scope.is_live();
        if stays {
            scope.stay();
        }
        stays
    })
}

/// Whether an await below has registered `waker` for the current context in this poll.
pub(crate) fn is_registered_below(before: u64, waker: &Waker) -> bool {
    scope::with(|scope| {
        let registered = scope.registered.get();
        registered.epoch > before
            && registered.context == scope.frame.look(|frame| frame.anchor)
            && registered.waker == WakerId::of(waker)
    })
}

#[cold]
#[inline(never)]
pub(crate) fn note_registered(context: usize, waker: WakerId) {
    scope::with(|scope| {
        let epoch = scope.next_epoch();
        scope.registered.set(Registered {
            epoch,
            context,
            waker,
        });
    });
}

/// Whether an await below looked, found no end, and stays.
pub(crate) fn was_looked_below(before: u64) -> bool {
    scope::with(|scope| scope.looked.get() > before)
}

/// Says to those above that this await has looked and stays.
pub(crate) fn stay() {
    scope::with(Scope::stay);
}

/// Says to those above that the await at `site` is parked.
pub(crate) fn park(site: &'static Site) {
    scope::with(|scope| {
        let epoch = scope.next_epoch();
        let site = Some(site);
        scope.parked.set(Parked { epoch, site });
    });
}

/// The await below that was parked last in this poll.
pub(crate) fn parked_below(before: u64) -> Option<&'static Site> {
    let parked = scope::with(|scope| scope.parked.get());
    parked.site.filter(|_| parked.epoch > before)
}

/// The await below that was parked last; whoever asks, leaves and names it.
pub(crate) fn take_parked(before: u64) -> Option<&'static Site> {
    parked_below(before).inspect(|_| forget_parked())
}

/// Forgets what was parked below: whoever leaves because of it has named it.
pub(crate) fn forget_parked() {
    scope::with(|scope| {
        scope.parked.set(Parked {
            epoch: 0,
            site: None,
        });
    });
}

/// Whether a shield below was pending in this poll.
pub(crate) fn is_shielded_below(before: u64) -> bool {
    scope::with(|scope| scope.shielded.get() > before)
}

/// Gives the shields that were pending below in this poll.
pub(crate) fn collect_shields(before: u64, mut add: impl FnMut(&Weak<()>)) {
    if !is_shielded_below(before) {
        return;
    }
    let task = scope::with(|scope| scope.frame.look(|frame| frame.task));
    SHIELDS.with_borrow(|shields| {
        let below = shields.iter().filter(|(epoch, ..)| *epoch > before);
        below
            .filter(|(_, other, _)| *other == task)
            .for_each(|(.., shield)| add(shield));
    });
}

/// A shield that is pending; the owners above wait for it.
pub(crate) fn note_shield(shield: &Arc<()>) {
    scope::with(|scope| {
        if scope.depth() > 0 {
            let epoch = scope.next_epoch();
            scope.shielded.set(epoch);
            scope.quiet.set(0);
            let entry = (epoch, TaskId::current(), Arc::downgrade(shield));
            SHIELDS.with_borrow_mut(|shields| shields.push(entry));
        }
    });
}
