//! Wakers of our own: one that counts, and one that does something when it is cloned, woken or
//! dropped.
//!
//! The only file of the tests with `unsafe`: `std::task::Wake` does not tell when a waker is cloned
//! or dropped.

#![expect(unsafe_code, reason = "a waker that notices its clones and drops")]

use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{RawWaker, RawWakerVTable, Waker};

/// What a waker does, each time one of its clones is told.
pub(crate) trait Hooks: Send + Sync + 'static {
    fn cloned(&self) {}
    fn woken(&self) {}
    fn dropped(&self) {}
}

/// Makes a waker of `hooks`; it owns a count of the `Arc`, and so does each clone.
pub(crate) fn waker_of<H: Hooks>(hooks: &Arc<H>) -> Waker {
    // SAFETY: the functions of the table keep the contract of `RawWaker`:
    // - `clone` and `drop` add and remove a count; `wake` removes one, `wake_by_ref` none.
    // - they may be called from any thread: `H` is `Send + Sync`.
    unsafe { Waker::from_raw(raw(Arc::clone(hooks))) }
}

fn raw<H: Hooks>(hooks: Arc<H>) -> RawWaker {
    let table =
        &const { RawWakerVTable::new(clone::<H>, wake::<H>, wake_by_ref::<H>, remove::<H>) };
    RawWaker::new(Arc::into_raw(hooks).cast(), table)
}

/// The `Arc` behind a waker, whose count stays with the waker.
fn borrow<H: Hooks>(data: *const ()) -> ManuallyDrop<Arc<H>> {
    // SAFETY: `data` comes from `Arc::into_raw` with the same `H`, in `raw`; the waker owns a count.
    ManuallyDrop::new(unsafe { Arc::from_raw(data.cast::<H>()) })
}

fn clone<H: Hooks>(data: *const ()) -> RawWaker {
    let hooks = borrow::<H>(data);
    hooks.cloned();
    raw(Arc::clone(&hooks))
}

fn wake<H: Hooks>(data: *const ()) {
    let hooks = ManuallyDrop::into_inner(borrow::<H>(data));
    hooks.woken();
    hooks.dropped();
}

fn wake_by_ref<H: Hooks>(data: *const ()) {
    borrow::<H>(data).woken();
}

fn remove<H: Hooks>(data: *const ()) {
    ManuallyDrop::into_inner(borrow::<H>(data)).dropped();
}

/// Counts what happens to its wakers.
#[derive(Default)]
pub(crate) struct CountingWaker {
    made: AtomicUsize,
    clones: AtomicUsize,
    wakes: AtomicUsize,
    drops: AtomicUsize,
}

impl Hooks for CountingWaker {
    fn cloned(&self) {
        self.clones.fetch_add(1, SeqCst);
    }

    fn woken(&self) {
        self.wakes.fetch_add(1, SeqCst);
    }

    fn dropped(&self) {
        self.drops.fetch_add(1, SeqCst);
    }
}

impl CountingWaker {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        self.made.fetch_add(1, SeqCst);
        waker_of(self)
    }

    pub(crate) fn wakes(&self) -> usize {
        self.wakes.load(SeqCst)
    }

    pub(crate) fn clones(&self) -> usize {
        self.clones.load(SeqCst)
    }

    /// How many wakers there are at the moment.
    pub(crate) fn alive(&self) -> usize {
        self.made.load(SeqCst) + self.clones() - self.drops.load(SeqCst)
    }
}

type Action = Box<dyn Fn() + Send + Sync>;

/// When an [`ActingWaker`] acts.
#[derive(Clone, Copy, PartialEq)]
enum Moment {
    Clone,
    Wake,
    Drop,
}

/// Does something when it is cloned, or woken, or dropped.
pub(crate) struct ActingWaker {
    moment: Moment,
    action: Action,
}

impl Hooks for ActingWaker {
    fn cloned(&self) {
        self.act(Moment::Clone);
    }

    fn woken(&self) {
        self.act(Moment::Wake);
    }

    fn dropped(&self) {
        self.act(Moment::Drop);
    }
}

impl ActingWaker {
    pub(crate) fn on_clone(action: impl Fn() + Send + Sync + 'static) -> Waker {
        Self::waker(Moment::Clone, Box::new(action))
    }

    pub(crate) fn on_wake(action: impl Fn() + Send + Sync + 'static) -> Waker {
        Self::waker(Moment::Wake, Box::new(action))
    }

    pub(crate) fn on_drop(action: impl Fn() + Send + Sync + 'static) -> Waker {
        Self::waker(Moment::Drop, Box::new(action))
    }

    fn waker(moment: Moment, action: Action) -> Waker {
        waker_of(&Arc::new(Self { moment, action }))
    }

    fn act(&self, moment: Moment) {
        if self.moment == moment {
            (self.action)();
        }
    }
}
