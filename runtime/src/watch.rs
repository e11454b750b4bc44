//! What an await sees of the poll it is in: the promises above it, and the events below it.
//!
//! The state is that of [`crate::scope`], whose invariants these functions keep.

use std::cell::RefCell;
use std::sync::{Arc, Weak};
use std::task::Waker;

use crate::cancelled::Left;
use crate::context::Context;
use crate::guard::Waiter;
use crate::scope::{
    Frame, Parked, Registered, SCOPE, Scope, TaskId, WakerId, within_anchor, within_unwatched,
};
use crate::site::Site;

thread_local! {
    static SHIELDS: RefCell<Vec<(u64, TaskId, Weak<()>)>> = const { RefCell::new(Vec::new()) };
}

/// Restores the frame that was there before.
pub(crate) struct Restored(pub(crate) Frame);

impl Drop for Restored {
    fn drop(&mut self) {
        SCOPE.with(|scope| scope.frame.set(self.0));
        if self.0.depth == 0 {
            clear_shields();
        }
    }
}

/// One poll of an await that has its context at hand, from before its inner poll to after it.
pub(crate) struct Watch {
    /// If this await is an owner, which it then has to register as.
    owned: Option<Restored>,
    before: u64,
    parked: Parked,
}

impl Watch {
    /// Begins a poll of an await of `anchor` with `waker`.
    pub(crate) fn begin(anchor: &Context, waker: &Waker) -> Self {
        SCOPE.with(|scope| {
            let context = anchor.address();
            let waker = WakerId::of(waker);
            let owned = (!scope.frame.is_of(context, waker)).then(|| {
                let above = scope.frame.get();
                scope.frame.set(Frame {
                    task: TaskId::current(),
                    context,
                    waker,
                    depth: above.depth + 1,
                });
                Restored(above)
            });
            Self {
                owned,
                before: scope.epoch.get(),
                parked: scope.parked.get(),
            }
        })
    }

    /// Runs the inner poll with `context`, which `anchor` ends, as the current one.
    pub(crate) fn poll<R>(
        &self,
        context: &Context,
        anchor: &Context,
        action: impl FnOnce() -> R,
    ) -> R {
        if self.owned.is_none() {
            return within_unwatched(context, action);
        }
        let task = SCOPE.with(|scope| scope.frame.task.get());
        within_anchor(context, anchor.address(), task, action)
    }

    /// The number of the last event before the inner poll.
    pub(crate) fn before(&self) -> u64 {
        self.before
    }

    /// After a poll that ended pending: registers the waker if this is an owner.
    pub(crate) fn register(&self, waiter: &mut Waiter, anchor: &Context, waker: &Waker) {
        if let Some(owned) = &self.owned {
            waiter.register(anchor, waker, owned.0.depth);
            note_registered(anchor.address(), WakerId::of(waker));
        }
    }

    /// The await that is left if this one leaves, which has no site of its own if `own` is none: one
    /// that was parked below, or `own`.
    pub(crate) fn left(&self, own: Option<&'static Site>) -> Option<Left> {
        let below = parked_below(self.before);
        SCOPE.with(|scope| scope.parked.set(self.parked));
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
    SCOPE.with(|scope| {
        let anchor = scope.anchor.get();
        if anchor == 0 {
            return Standing::Transparent;
        }
        if scope.frame.is_of(anchor, WakerId::of(waker)) {
            return Standing::Pledged;
        }
        let is_covered = scope.frame.context.get() == anchor;
        if !scope.is_in_task() || (parks && !is_covered) {
            return Standing::Transparent;
        }
        let depth = scope.frame.depth.get() + 1;
        Standing::Foreign { depth }
    })
}

/// After a poll that ended pending: whether there is nothing to do but to say so to those above. True
/// in no scope; and if somebody above is woken, no shield is below, and the context has not ended.
pub(crate) fn stays(before: u64, waker: &Waker) -> bool {
    SCOPE.with(|scope| {
        let anchor = scope.anchor.get();
        if anchor == 0 {
            return true;
        }
        let stays = scope.frame.is_of(anchor, WakerId::of(waker))
            && scope.shielded.get() <= before
            && !scope.has_ended();
        if stays {
            scope.stay();
        }
        stays
    })
}

/// Whether an await below has registered `waker` for the current context in this poll.
pub(crate) fn is_registered_below(before: u64, waker: &Waker) -> bool {
    SCOPE.with(|scope| {
        let registered = scope.registered.get();
        registered.epoch > before
            && registered.context == scope.anchor.get()
            && registered.waker == WakerId::of(waker)
    })
}

pub(crate) fn note_registered(context: usize, waker: WakerId) {
    SCOPE.with(|scope| {
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
    SCOPE.with(|scope| scope.looked.get() > before)
}

/// Says to those above that this await has looked and stays.
pub(crate) fn stay() {
    SCOPE.with(Scope::stay);
}

/// Says to those above that the await at `site` is parked.
pub(crate) fn park(site: &'static Site) {
    SCOPE.with(|scope| {
        let epoch = scope.next_epoch();
        let site = Some(site);
        scope.parked.set(Parked { epoch, site });
    });
}

/// The await below that was parked last in this poll.
pub(crate) fn parked_below(before: u64) -> Option<&'static Site> {
    let parked = SCOPE.with(|scope| scope.parked.get());
    parked.site.filter(|_| parked.epoch > before)
}

/// Forgets what was parked below: whoever leaves because of it has named it.
pub(crate) fn forget_parked() {
    SCOPE.with(|scope| {
        scope.parked.set(Parked {
            epoch: 0,
            site: None,
        });
    });
}

/// Whether a shield below was pending in this poll.
fn is_shielded_below(before: u64) -> bool {
    SCOPE.with(|scope| scope.shielded.get() > before)
}

/// Gives the shields that were pending below in this poll.
pub(crate) fn collect_shields(before: u64, mut add: impl FnMut(&Weak<()>)) {
    if !is_shielded_below(before) {
        return;
    }
    let task = SCOPE.with(|scope| scope.frame.task.get());
    SHIELDS.with_borrow(|shields| {
        let below = shields.iter().filter(|(epoch, ..)| *epoch > before);
        below
            .filter(|(_, other, _)| *other == task)
            .for_each(|(.., shield)| add(shield));
    });
}

/// A shield that is pending; the owners above wait for it.
pub(crate) fn note_shield(shield: &Arc<()>) {
    SCOPE.with(|scope| {
        if scope.frame.depth.get() > 0 {
            let epoch = scope.next_epoch();
            scope.shielded.set(epoch);
            let entry = (epoch, TaskId::current(), Arc::downgrade(shield));
            SHIELDS.with_borrow_mut(|shields| shields.push(entry));
        }
    });
}

fn clear_shields() {
    let is_used = SCOPE.with(|scope| scope.shielded.replace(0) != 0);
    if is_used {
        SHIELDS.with_borrow_mut(Vec::clear);
    }
}
