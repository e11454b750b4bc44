//! What an await sees of the poll it is in: the promises above it, and the events below it.
//!
//! The state is that of [`crate::scope`], whose invariants these functions keep.

use std::cell::RefCell;
use std::sync::{Arc, Weak};
use std::task::Waker;

use crate::context::Context;
use crate::frame::{Frame, TaskId, WakerId};
use crate::memory::Memory;
use crate::scope::{self, Parked, Registered, Scope};
use crate::site::Site;
use crate::vigil::Vigil;

thread_local! {
    static SHIELDS: RefCell<Vec<(u64, TaskId, Weak<()>)>> = const { RefCell::new(Vec::new()) };
}

/// A poll of the owner with this memory, until that ends.
pub(crate) struct Lent<'a>(&'a mut Memory);

impl<'a> Lent<'a> {
    #[inline]
    pub(crate) fn new(scope: &Scope, memory: &'a mut Memory) -> Self {
        if scope.is_unusual.get() || !memory.is_empty() {
            scope.use_memory(memory);
        }
        Self(memory)
    }
}

impl Drop for Lent<'_> {
    #[inline]
    fn drop(&mut self) {
        scope::with(|scope| {
            if scope.is_unusual.get() {
                end(scope, self.0);
            }
        });
    }
}

#[cold]
#[inline(never)]
fn end(scope: &Scope, memory: &mut Memory) {
    // That of the owner above, until here.
    let remembers = !memory.is_empty();
    scope.swap_memory(memory);
    if scope.depth() == 0 {
        scope.shielded.set(0);
        scope.is_unusual.set(remembers);
        SHIELDS.with_borrow_mut(Vec::clear);
    } else {
        scope.disturb_if_shielded();
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
            if frame.anchor() == 0 {
                return Standing::Transparent;
            }
            if frame.promises(waker) {
                return Standing::Pledged;
            }
            if !frame.is_in_task() || (parks && !frame.is_promised()) {
                return Standing::Transparent;
            }
            let depth = frame.depth() + 1;
            Standing::Foreign { depth }
        })
    })
}

/// Whether somebody above looks at the current context.
pub(crate) fn is_covered() -> bool {
    scope::with(|scope| scope.frame.look(|frame: &Frame<'_>| frame.is_promised()))
}

/// Whether an await below has registered `waker` for the current context in this poll.
pub(crate) fn is_registered_below(before: u64, waker: &Waker) -> bool {
    scope::with(|scope| {
        let registered = scope.registered.get();
        registered.epoch > before
            && registered.context == scope.frame.look(|frame: &Frame<'_>| frame.anchor())
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
#[inline]
pub(crate) fn is_shielded_below(before: u64) -> bool {
    scope::with(|scope| scope.shielded.get() > before)
}

/// Gives the shields of `task` that were pending below in this poll.
#[cold]
#[inline(never)]
pub(crate) fn collect_shields(before: u64, task: TaskId, mut add: impl FnMut(&Weak<()>)) {
    if !is_shielded_below(before) {
        return;
    }
    SHIELDS.with_borrow(|shields| {
        let below = shields.iter().filter(|(epoch, ..)| *epoch > before);
        below
            .filter(|(_, other, _)| *other == task)
            .for_each(|(.., shield)| add(shield));
    });
}

/// A shield that is pending; the owners above wait for it.
pub(crate) fn note_shield(shield: &Arc<()>) {
    note_pending(|| Arc::downgrade(shield));
}

/// As [`note_shield`], of one that is elsewhere.
pub(crate) fn note_pending(shield: impl FnOnce() -> Weak<()>) {
    scope::with(|scope| {
        if scope.depth() > 0 {
            let epoch = scope.next_epoch();
            scope.shielded.set(epoch);
            scope.is_unusual.set(true);
            scope.disturb();
            let entry = (epoch, TaskId::current(), shield());
            SHIELDS.with_borrow_mut(|shields| shields.push(entry));
        }
    });
}

/// After a poll that ended pending, of an await whose context, `context`, is the current one: whether it
/// is left. `vigil` is what it remembers; `before` the number of the last event before that poll.
#[cold]
#[inline(never)]
pub(crate) fn is_over(vigil: &mut Vigil, before: u64, context: &Context, waker: &Waker) -> bool {
    let task = scope::with(|scope| scope.frame.look(|frame| frame.task));
    collect_shields(before, task, |shield| vigil.wait_for(shield));
    if !context.is_cancelled() || vigil.is_held() {
        return false;
    }
    let is_over = scope::with(|scope| scope.is_over_since(before));
    if !is_over {
        waker.wake_by_ref();
    }
    is_over
}
