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
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context as Task, Poll, Waker};

use pin_project_lite::pin_project;

use crate::context::Context;
use crate::exits::Exit;
use crate::guard::{Vigil, Waiter};
use crate::scope::{self, Watch};
use crate::site::Site;

/// An await that was parked: when, and where it or what is below it was left.
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
        let is_covered = Watch::begin_current(waker, true).is_some();
        assert!(
            is_covered && self.context == Context::current(),
            "a future that was left at {} is polled outside of the scope that was cancelled",
            self.site
        );
        scope::park(self.site);
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
}

impl<E: Exit> Begin<E> {
    #[cold]
    #[inline(never)]
    fn leave(&mut self, waker: &Waker) -> Poll<E::Output<()>> {
        if let Some(parked) = &self.parked {
            parked.stay(waker);
            return Poll::Pending;
        }
        let Some(watch) = Watch::begin_current(waker, E::PARKS) else {
            return Poll::Ready(E::value(()));
        };
        let left = scope::current_left_at(self.site).and_then(E::cancelled);
        if let Some(left) = left {
            return Poll::Ready(left);
        }
        self.parked = Some(Box::new(Parked::new(watch.park(self.site))));
        if watch.depth().is_some() {
            waker.wake_by_ref();
        }
        Poll::Pending
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
        this.leave(task.waker())
    }
}

pin_project! {
    /// An await whose context is the current one; made by the attribute.
    #[must_use = "futures do nothing unless polled"]
    pub struct Await<F, E> {
        #[pin]
        future: Option<F>,
        site: &'static Site,
        state: State,
        exit: PhantomData<fn() -> E>,
    }
}

/// What an await remembers from one poll to the next.
#[derive(Default)]
struct State {
    vigil: Vigil,
    /// Registered only behind a waker that nobody above has promised to have woken.
    waiter: Waiter,
    parked: Option<Box<Parked>>,
}

impl<F, E> Await<F, E> {
    pub(crate) fn new(future: F, site: &'static Site) -> Self {
        Self {
            future: Some(future),
            site,
            state: State::default(),
            exit: PhantomData,
        }
    }
}

impl State {
    /// After a poll that ended pending: whether to leave.
    fn is_over(&mut self, watch: &Watch, waker: &Waker) -> bool {
        if let Some(depth) = watch.depth()
            && let Some(anchor) = Context::current().anchor()
        {
            self.waiter.register(anchor, waker, depth);
        }
        self.vigil.is_over(watch, waker, scope::current_has_ended)
    }
}

impl<F: Future, E: Exit> Future for Await<F, E> {
    type Output = E::Output<F::Output>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            match &this.state.parked {
                Some(parked) => parked.stay(task.waker()),
                None => panic!("an await is not polled after it was left"),
            }
            return Poll::Pending;
        };
        let watch = Watch::begin_current(task.waker(), E::PARKS);
        if let Poll::Ready(value) = future.poll(task) {
            return Poll::Ready(E::value(value));
        }
        let Some(watch) = watch else {
            return Poll::Pending;
        };
        if !this.state.is_over(&watch, task.waker()) {
            return Poll::Pending;
        }
        // Dropped in this poll, before anything above learns of it.
        this.future.set(None);
        this.state.waiter = Waiter::new();
        if E::PARKS {
            let site = watch.park(this.site);
            this.state.parked = Some(Box::new(Parked::new(site)));
            if watch.depth().is_some() {
                task.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        let cancelled = Context::current().cancelled_at(watch.left(Some(this.site)));
        cancelled
            .and_then(E::cancelled)
            .map_or(Poll::Pending, Poll::Ready)
    }
}

// Nothing that a panic may leave half changed is visible through the state of an await: so a future
// is unwind safe when it was.
impl UnwindSafe for State {}
impl RefUnwindSafe for State {}
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
