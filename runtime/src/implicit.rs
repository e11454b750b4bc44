//! Awaits without a context of their own: those of implicit functions, and of `async` blocks nested in
//! annotated code. Their context is the one in whose scope they are polled; outside of any scope they
//! are transparent.
//!
//! An await that is left gives [`Over`], and its function leaves its body with it. How it goes on depends on
//! what it returns (see [`crate::exits`]): it returns a value, or is *unwound by drop*. Then it is parked: its
//! body has been dropped, it stays pending for ever, and never resumes. The nearest await above that can
//! leave, or the scope itself, finds the same end after the same poll, and drops the function.
//!
//! Invariants:
//! 1. Only a function that is covered by a frame of its context is parked (invariant 6 of
//!    [`crate::scope`]): somebody above looks at the same context, so nothing hangs. Where nobody does
//!    (a `block_on` on a thread for blocking work), its awaits are transparent.
//! 2. A parked function has not looked and stayed: those above do not wait for it. It says in each poll
//!    that it is parked, and where, so that the error of those above names it.
//! 3. What is parked and polled where its context is not the current one any more, panics. If the
//!    wakers above and below differ, parking wakes once, so that a second owner of the future (that of
//!    a `Shared`) does find out.
//! 4. An await is as large as its future. What it has to remember is kept by its owner ([`crate::memory`]).

use std::fmt;
use std::marker::PhantomData;
use std::num::NonZero;
use std::pin::Pin;
use std::task::{Context as Task, Poll, Waker};

use pin_project_lite::pin_project;

use crate::cancelled::Cancelled;
use crate::context::Context;
use crate::exits::Exit;
use crate::frame::WakerId;
use crate::leaving::FromCancelled;
use crate::memory::{self, Key};
use crate::scope;
use crate::site::{At, Site};
use crate::watch::{self, Standing};

/// The context has ended, so the await is left; or one below, if that one was parked.
#[derive(Clone, Copy, Debug)]
pub struct Over(Option<&'static Site>);

impl Over {
    /// Nothing below was parked.
    #[must_use]
    pub const fn here() -> Self {
        Self(None)
    }

    /// Where the function is left whose await is at `site`.
    #[must_use]
    pub fn at(self, site: &'static Site) -> Left {
        Left(self.0.unwrap_or(site))
    }
}

/// A function has left its body, because the current context has ended. Nothing to drop.
#[derive(Clone, Copy, Debug)]
pub struct Left(&'static Site);

impl Left {
    /// The error.
    ///
    /// # Panics
    ///
    /// Panics if the current context has not ended; so right after the body was left it does not.
    #[cold]
    #[inline(never)]
    #[must_use]
    pub fn cancelled(self) -> Cancelled {
        let cancelled = Context::current().leave_at(self.0);
        cancelled.expect("a body is left where its context has ended")
    }

    /// Says to those above where the function is parked (invariants 2 and 3).
    #[cold]
    #[inline(never)]
    fn park(self, waker: &Waker, context: &mut Option<NonZero<usize>>) {
        let standing = watch::standing(waker, true);
        let current = NonZero::new(Context::current().address());
        let is_first = context.is_none();
        *context = context.or(current);
        assert!(
            !matches!(standing, Standing::Transparent) && *context == current,
            "a future that was left at {} is polled outside of the scope that was cancelled",
            self.0
        );
        watch::park(self.0);
        #[cfg(feature = "tracing")]
        if is_first {
            drop(Context::current().leave_at(self.0));
        }
        // Behind a waker of its own, it may have another owner, which is to find out.
        if is_first && matches!(standing, Standing::Foreign { .. }) {
            waker.wake_by_ref();
        }
    }
}

/// The check as an await begins: whether the function has to be left.
#[inline]
pub(crate) fn is_over<E: Exit>(site: &'static Site) -> bool {
    (cfg!(feature = "testing") || !scope::is_live()) && look_before(site, E::PARKS)
}

#[cold]
#[inline(never)]
fn look_before(site: &'static Site, parks: bool) -> bool {
    #[cfg(feature = "testing")]
    crate::testing::on_await(None, site);
    #[cfg(not(feature = "testing"))]
    let _ = site;
    scope::current_has_ended() && (!parks || watch::is_covered())
}

pin_project! {
    /// An await whose context is the current one; made by the attribute.
    #[must_use = "futures do nothing unless polled"]
    pub struct Await<F, E, S> {
        #[pin]
        future: F,
        exit: PhantomData<fn() -> E>,
        site: S,
    }

}

impl<F, E, S> Await<F, E, S> {
    #[inline]
    pub(crate) const fn new(future: F, site: S) -> Self {
        Self {
            future,
            exit: PhantomData,
            site,
        }
    }
}

impl<F: Future, E: Exit, S: At> Future for Await<F, E, S> {
    type Output = Result<F::Output, Over>;

    #[inline]
    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let key = Key::of(&*self);
        let before = scope::epoch();
        let this = self.project();
        if let Poll::Ready(value) = this.future.poll(task) {
            return Poll::Ready(Ok(value));
        }
        if scope::stays_calm(task.waker(), *this.site) {
            return Poll::Pending;
        }
        match look_closely(key, before, task.waker(), E::PARKS) {
            Some(over) => Poll::Ready(Err(over)),
            None => Poll::Pending,
        }
    }
}

/// After a poll that ended pending, of which `before` is the number of the last event before it: whether
/// the await is left.
#[cold]
#[inline(never)]
fn look_closely(key: Key, before: u64, waker: &Waker, parks: bool) -> Option<Over> {
    let standing = watch::standing(waker, parks);
    if matches!(standing, Standing::Transparent) {
        return None;
    }
    let is_pledged = matches!(standing, Standing::Pledged);
    if is_pledged && !watch::is_shielded_below(before) && !scope::current_has_ended() {
        return None;
    }
    let current = Context::current();
    if let (Standing::Foreign { depth }, Some(anchor)) = (&standing, current.anchor())
        && !watch::is_registered_below(before, waker)
    {
        memory::register(anchor, waker, *depth);
        watch::note_registered(anchor.address(), WakerId::of(waker));
    }
    let mut vigil = memory::take_vigil(key);
    if !watch::is_over(&mut vigil, before, &current, waker) {
        memory::keep_vigil(key, vigil);
        return None;
    }
    let below = watch::parked_below(before);
    if !parks {
        watch::forget_parked();
    }
    Some(Over(below))
}

/// A function that has left its body, and returns.
#[must_use = "futures do nothing unless polled"]
pub struct Returning<T> {
    left: Left,
    output: PhantomData<fn() -> T>,
}

impl<T> Returning<T> {
    pub(crate) const fn new(left: Left) -> Self {
        let output = PhantomData;
        Self { left, output }
    }
}

impl<T: FromCancelled> Future for Returning<T> {
    type Output = T;

    #[cold]
    #[inline(never)]
    fn poll(self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<T> {
        Poll::Ready(T::from_cancelled(self.left.cancelled()))
    }
}

/// A function that has left its body, and is unwound: it stays pending until it is dropped.
#[must_use = "futures do nothing unless polled"]
pub struct Parked<T> {
    left: Left,
    /// The address of the context, since the first poll.
    context: Option<NonZero<usize>>,
    output: PhantomData<fn() -> T>,
}

impl<T> Parked<T> {
    pub(crate) const fn new(left: Left) -> Self {
        Self {
            left,
            context: None,
            output: PhantomData,
        }
    }
}

impl<T> Future for Parked<T> {
    type Output = T;

    #[cold]
    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<T> {
        let this = self.get_mut();
        this.left.park(task.waker(), &mut this.context);
        Poll::Pending
    }
}

impl<F, E, S> fmt::Debug for Await<F, E, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Await")
    }
}

impl<T> fmt::Debug for Returning<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Returning").field(&self.left).finish()
    }
}

impl<T> fmt::Debug for Parked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Parked").field(&self.left).finish()
    }
}
