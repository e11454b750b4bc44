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

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Weak};
use std::task::Waker;

use crate::cancelled::Left;
use crate::context::Context;
use crate::guard::Waiter;
use crate::raw::Slot;
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

/// The topmost frame; most looks need two of its fields only.
struct FrameCells {
    task: Cell<TaskId>,
    context: Cell<usize>,
    waker: Cell<WakerId>,
    depth: Cell<u32>,
}

impl FrameCells {
    const NONE: Self = Self {
        task: Cell::new(TaskId::NONE),
        context: Cell::new(0),
        waker: Cell::new(WakerId::NONE),
        depth: Cell::new(0),
    };

    fn get(&self) -> Frame {
        Frame {
            task: self.task.get(),
            context: self.context.get(),
            waker: self.waker.get(),
            depth: self.depth.get(),
        }
    }

    fn set(&self, frame: Frame) {
        self.task.set(frame.task);
        self.context.set(frame.context);
        self.waker.set(frame.waker);
        self.depth.set(frame.depth);
    }

    fn is_of(&self, context: usize, waker: WakerId) -> bool {
        self.context.get() == context && self.waker.get() == waker
    }
}

/// A waker that was registered, for which context, and when.
#[derive(Clone, Copy)]
struct Registered {
    epoch: u64,
    context: usize,
    waker: WakerId,
}

/// The last await that was parked, and when.
#[derive(Clone, Copy)]
struct Parked {
    epoch: u64,
    site: Option<&'static Site>,
}

/// The state of this thread's poll; nothing in it has a destructor.
struct Scope {
    /// The current context; none for `background`.
    current: Slot<Context>,
    /// The task in whose scope that is.
    task: Cell<TaskId>,
    /// The address of the context that ends it (its anchor), 0 if nothing does.
    anchor: Cell<usize>,
    frame: FrameCells,
    /// The number of the last event (invariant 3), and of the last of each kind.
    epoch: Cell<u64>,
    looked: Cell<u64>,
    shielded: Cell<u64>,
    parked: Cell<Parked>,
    registered: Cell<Registered>,
}

thread_local! {
    static SCOPE: Scope = const {
        Scope {
            current: Slot::new(),
            task: Cell::new(TaskId::NONE),
            anchor: Cell::new(0),
            frame: FrameCells::NONE,
            epoch: Cell::new(0),
            looked: Cell::new(0),
            shielded: Cell::new(0),
            parked: Cell::new(Parked { epoch: 0, site: None }),
            registered: Cell::new(Registered { epoch: 0, context: 0, waker: WakerId::NONE }),
        }
    };
    static SHIELDS: RefCell<Vec<(u64, TaskId, Weak<()>)>> = const { RefCell::new(Vec::new()) };
}

impl Scope {
    fn next_epoch(&self) -> u64 {
        let next = self.epoch.get() + 1;
        self.epoch.set(next);
        next
    }

    /// Says to those above that an await has looked and stays.
    fn stay(&self) {
        self.looked.set(self.next_epoch());
    }

    /// Whether the current context has ended, in this task.
    fn has_ended(&self) -> bool {
        let ended = self
            .current
            .look(|context| context.is_some_and(Context::is_cancelled));
        ended && self.is_in_task()
    }

    fn is_in_task(&self) -> bool {
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
fn within_anchor<R>(
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

/// Restores the frame that was there before.
struct Restored(Frame);

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
