//! What an await sees of the poll it is in: the promises above it, and the events below it.
//!
//! The state is that of [`crate::scope`], whose invariants these functions keep.

use std::cell::RefCell;
use std::sync::{Arc, Weak};
use std::task::Waker;

use crate::cancelled::Left;
use crate::context::Context;
use crate::guard::{Vigil, Waiter};
use crate::memory::{Memory, Used};
use crate::scope::{self, Frame, Parked, Registered, Scope, TaskId, WakerId};
use crate::site::Site;

thread_local! {
    static SHIELDS: RefCell<Vec<(u64, TaskId, Weak<()>)>> = const { RefCell::new(Vec::new()) };
}

/// One poll of an await, or of a scope, that has its context at hand.
#[derive(Clone, Copy)]
pub(crate) struct Watch<'a> {
    scope: &'a Scope,
    /// How many owners are above, if this is one itself.
    owned: Option<u32>,
    /// The number of the last event before the inner poll.
    before: u64,
}

/// The end of such a poll.
struct End<'a> {
    scope: &'a Scope,
    owned: Option<u32>,
}

impl Drop for End<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(depth) = self.owned {
            self.scope.quiet.set(0);
            if depth == 0 && self.scope.shielded.get() != 0 {
                clear_shields(self.scope);
            }
        }
    }
}

#[cold]
#[inline(never)]
fn clear_shields(scope: &Scope) {
    scope.shielded.set(0);
    SHIELDS.with_borrow_mut(Vec::clear);
}

impl Watch<'_> {
    /// Runs a poll of an await, or a scope, of `context` with that as the current one; `anchor` ends it, if
    /// anything does. Without a context, in whatever frame there is.
    #[inline]
    pub(crate) fn poll<R>(
        context: Option<&Context>,
        anchor: Option<&Context>,
        waker: &Waker,
        memory: &mut Memory,
        action: impl FnOnce(Watch<'_>) -> R,
    ) -> R {
        let address = anchor.map_or(0, Context::address);
        scope::with(|scope| {
            scope.frame.look(|above| {
                let is_promised = above.anchor == address && above.promises(waker);
                let owned = (anchor.is_some() && !is_promised).then_some(above.depth);
                let own = context.map(|context| Frame {
                    context,
                    anchor: address,
                    waker,
                    is_promised: anchor.is_some(),
                    depth: above.depth + u32::from(owned.is_some()),
                    task: if is_promised {
                        above.task
                    } else {
                        TaskId::current()
                    },
                });
                let watch = Watch {
                    scope,
                    owned,
                    before: scope.epoch.get(),
                };
                let _end = End { scope, owned };
                let _used = Used::new(owned.map(|_| memory));
                scope.state.look(|present| {
                    let (frame, state) = match &own {
                        Some(own) => (own, scope::state_of(anchor)),
                        None => (above, present),
                    };
                    // The only place, so that the inner poll is there once.
                    scope.enter(frame, state, || action(watch))
                })
            })
        })
    }

    /// After a poll that ended pending: whether to leave. Registers the waker if this is an owner.
    #[inline]
    pub(crate) fn is_over(
        self,
        waiter: &mut Waiter,
        vigil: &mut Vigil,
        anchor: &Context,
        waker: &Waker,
    ) -> bool {
        let scope = self.scope;
        match self.owned {
            Some(depth) => {
                waiter.register(anchor, waker, depth);
                if depth > 0 {
                    note_registered(anchor.address(), WakerId::of(waker));
                }
            }
            None if scope.quiet.get() > self.before => return false,
            None => {}
        }
        if scope.shielded.get() > self.before || !scope.is_live() {
            return vigil.is_over(self.before, waker, anchor);
        }
        if self.owned != Some(0) {
            scope.stay();
        }
        false
    }

    /// The await that is left if this one leaves, which has no site of its own if `own` is none: one
    /// that was parked below, or `own`.
    #[cold]
    pub(crate) fn left(self, own: Option<&'static Site>) -> Option<Left> {
        let below = parked_below(self.before);
        if below.is_some() {
            forget_parked();
        }
        below.or(own).map(Left::Site)
    }
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
