//! Awaits without a context of their own: those of implicit functions, and of `async` blocks nested in
//! annotated code. Their context is the one in whose scope they are polled; outside of any scope they
//! are transparent.
//!
//! How one leaves, depends on what its function returns (see [`crate::exits`]): by that value, or *unwound by
//! drop*. Then the await is parked: it drops its future, stays pending for ever, and the function
//! never resumes. The nearest await above that can leave, or the scope itself, finds the same end
//! after the same poll, and drops the function with it.
//!
//! Invariants:
//! 1. Only an await that is covered by a frame of its context is parked (invariant 6 of
//!    [`crate::scope`]): somebody above looks at the same context, so nothing hangs. Where nobody does
//!    (a `block_on` on a thread for blocking work), such an await is transparent.
//! 2. A parked await has not looked and stayed: those above do not wait for it. It says in each poll
//!    that it is parked, and where, so that the error of those above names it.
//! 3. What is parked and polled where its context is not the current one any more, panics. If the
//!    wakers above and below differ, parking wakes once, so that a second owner of the future (that of
//!    a `Shared`) does find out.

use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context as Task, Poll, Waker};

use pin_project_lite::pin_project;

use crate::cancelled::{Cancelled, Left};
use crate::context::Context;
use crate::exits::Exit;
use crate::guard::{Vigil, Waiter};
use crate::scope::{self, WakerId};
use crate::site::Site;
use crate::watch::{self, Standing};

/// What becomes of an await after it was looked at.
enum Next {
    Stays,
    Leaves(Cancelled),
    /// It has no value to leave with.
    Parks,
}

/// An await that was parked: in which context, and where it or what is below it was left.
struct Parked {
    context: Context,
    site: &'static Site,
}

impl Parked {
    fn new(site: &'static Site) -> Self {
        let context = Context::current();
        Self { context, site }
    }

    /// Polled once more: says so again, or panics where nobody above would drop it (invariant 3).
    fn stay(&self, waker: &Waker) {
        let is_covered = !matches!(watch::standing(waker, true), Standing::Transparent);
        assert!(
            is_covered && self.context == Context::current(),
            "a future that was left at {} is polled outside of the scope that was cancelled",
            self.site
        );
        watch::park(self.site);
    }
}

/// The check as an await begins; made by the attribute.
#[must_use = "futures do nothing unless polled"]
pub struct Begin<E> {
    site: &'static Site,
    parked: Option<Box<Parked>>,
    exit: PhantomData<fn() -> E>,
}

impl<E> Begin<E> {
    pub(crate) fn new(site: &'static Site) -> Self {
        Self {
            site,
            parked: None,
            exit: PhantomData,
        }
    }

    /// Where the context has ended: leaves, unless nobody above would drop what is parked here.
    #[cold]
    fn leave(&mut self, waker: &Waker, parks: bool) -> Next {
        if let Some(parked) = &self.parked {
            parked.stay(waker);
            return Next::Parks;
        }
        let standing = watch::standing(waker, parks);
        if matches!(standing, Standing::Transparent) {
            return Next::Stays;
        }
        if !parks {
            let cancelled = Context::current().left_at(self.site);
            return cancelled.map_or(Next::Stays, Next::Leaves);
        }
        watch::park(self.site);
        self.parked = Some(Box::new(Parked::new(self.site)));
        wake_other_owners(&standing, waker);
        Next::Parks
    }
}

impl<E: Exit> Future for Begin<E> {
    type Output = E::Output<()>;

    #[inline]
    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        #[cfg(feature = "testing")]
        if this.parked.is_none() {
            crate::testing::on_await(None, this.site);
        }
        if this.parked.is_none() && !scope::current_has_ended() {
            return Poll::Ready(E::value(()));
        }
        match this.leave(task.waker(), E::PARKS) {
            Next::Stays => Poll::Ready(E::value(())),
            Next::Leaves(cancelled) => E::cancelled(cancelled).map_or(Poll::Pending, Poll::Ready),
            Next::Parks => Poll::Pending,
        }
    }
}

/// Behind a waker of its own, a parked future may have another owner, which is to find out.
fn wake_other_owners(standing: &Standing, waker: &Waker) {
    if matches!(standing, Standing::Foreign { .. }) {
        waker.wake_by_ref();
    }
}

pin_project! {
    /// An await whose context is the current one; made by the attribute.
    #[must_use = "futures do nothing unless polled"]
    pub struct Await<F, E> {
        #[pin]
        future: Option<F>,
        site: &'static Site,
        memory: Memory,
        exit: PhantomData<fn() -> E>,
    }
}

/// What an await remembers from one poll to the next, where it is more than nothing. Dropping nothing
/// costs one look.
#[derive(Default)]
struct Memory(ManuallyDrop<Option<Box<Remembered>>>);

impl Drop for Memory {
    #[inline]
    fn drop(&mut self) {
        if self.0.is_some() {
            self.forget();
        }
    }
}

#[derive(Default)]
struct Remembered {
    vigil: Vigil,
    /// Registered only behind a waker that nobody above or below has registered.
    waiter: Waiter,
    parked: Option<Parked>,
}

impl<F, E> Await<F, E> {
    pub(crate) fn new(future: F, site: &'static Site) -> Self {
        Self {
            future: Some(future),
            site,
            memory: Memory::default(),
            exit: PhantomData,
        }
    }
}

impl Memory {
    #[cold]
    #[inline(never)]
    fn forget(&mut self) {
        drop(self.0.take());
    }

    /// After a poll that ended pending, of which `before` is the number of the last event before it.
    #[inline]
    fn look(&mut self, site: &'static Site, before: u64, waker: &Waker, parks: bool) -> Next {
        if self.0.is_none() && watch::stays(before, waker) {
            return Next::Stays;
        }
        self.look_closely(site, before, waker, parks)
    }

    #[cold]
    #[inline(never)]
    fn look_closely(
        &mut self,
        site: &'static Site,
        before: u64,
        waker: &Waker,
        parks: bool,
    ) -> Next {
        let standing = watch::standing(waker, parks);
        if matches!(standing, Standing::Transparent) {
            return Next::Stays;
        }
        let remembered = self.0.get_or_insert_default();
        let current = Context::current();
        if let (Standing::Foreign { depth }, Some(anchor)) = (&standing, current.anchor())
            && !watch::is_registered_below(before, waker)
        {
            remembered.waiter.register(anchor, waker, *depth);
            watch::note_registered(anchor.address(), WakerId::of(waker));
        }
        let has_ended = || current.is_cancelled();
        if !remembered.vigil.is_over(before, waker, has_ended) {
            return Next::Stays;
        }
        remembered.waiter = Waiter::new();
        let below = watch::parked_below(before);
        let left = below.unwrap_or(site);
        if !parks {
            watch::forget_parked();
            let cancelled = current.cancelled_at(Some(Left::Site(left)));
            return cancelled.map_or(Next::Stays, Next::Leaves);
        }
        if below.is_none() {
            watch::park(site);
        }
        remembered.parked = Some(Parked::new(left));
        wake_other_owners(&standing, waker);
        Next::Parks
    }

    /// A poll of an await that has no future any more.
    #[cold]
    fn stay_parked(&self, waker: &Waker) {
        match self.0.as_ref().and_then(|memory| memory.parked.as_ref()) {
            Some(parked) => parked.stay(waker),
            None => panic!("an await is not polled after it was left"),
        }
    }
}

impl<F: Future, E: Exit> Future for Await<F, E> {
    type Output = E::Output<F::Output>;

    #[inline]
    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            this.memory.stay_parked(task.waker());
            return Poll::Pending;
        };
        let before = scope::epoch();
        if let Poll::Ready(value) = future.poll(task) {
            return Poll::Ready(E::value(value));
        }
        let left = match this.memory.look(this.site, before, task.waker(), E::PARKS) {
            Next::Stays => return Poll::Pending,
            Next::Leaves(cancelled) => E::cancelled(cancelled),
            Next::Parks => None,
        };
        // Dropped in this poll, before anything above learns of it.
        this.future.set(None);
        left.map_or(Poll::Pending, Poll::Ready)
    }
}

// Nothing that a panic may leave half changed is visible through the memory of an await: so a future
// is unwind safe when it was.
impl UnwindSafe for Memory {}
impl RefUnwindSafe for Memory {}
impl<E> UnwindSafe for Begin<E> {}
impl<E> RefUnwindSafe for Begin<E> {}

impl<E> fmt::Debug for Begin<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Begin")
            .field("site", self.site)
            .finish_non_exhaustive()
    }
}

impl<F, E> fmt::Debug for Await<F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Await")
            .field("site", self.site)
            .finish_non_exhaustive()
    }
}
