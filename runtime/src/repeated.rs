//! What gives several values one after the other, in the scope of a context: a stream, a body.
//!
//! Invariants:
//! 1. The context is looked at as the wait for a value begins, and then only when what is below is pending
//!    (guarantee A4). So what is always ready ends as well, and a value that it has given is delivered.
//! 2. What is below is polled and dropped with the context as the current one. It is dropped in the poll in
//!    which it ends, or the context has.
//! 3. Shields that were pending below are waited for, also when a value was given meanwhile, or in that
//!    very poll: then the owner does not look, and is told. What is below need not poll them again. So whoever is
//!    above, and may have begun later, is told of them in each poll that ends pending.

use std::mem;
use std::pin::Pin;
use std::task::{Context as Task, Poll, Waker};

use pin_project_lite::pin_project;

use crate::cancelled::Cancelled;
use crate::current::Current;
use crate::frame::TaskId;
use crate::owner::Owner;
use crate::vigil::Vigil;
use crate::{scope, watch};

/// Where the context is, or what makes it when somebody asks for it; and what is kept from poll to poll.
pub(crate) trait Home {
    fn current(&self) -> Current<'_>;

    /// The context, and what is kept; as long as anything is to come.
    fn parts(&mut self) -> Option<(Current<'_>, &mut Owner)>;
}

/// Why there is something to poll.
const NOT_ENDED: &str = "it is not polled after its end";

pin_project! {
    pub(crate) struct Repeated<T, H: Home> {
        // `None` once it has ended.
        #[pin]
        inner: Option<T>,
        home: H,
    }

    impl<T, H: Home> PinnedDrop for Repeated<T, H> {
        fn drop(this: Pin<&mut Self>) {
            this.end();
        }
    }
}

impl<T, H: Home> Repeated<T, H> {
    /// Without `inner`, one that has ended.
    #[inline]
    pub(crate) const fn new(home: H, inner: Option<T>) -> Self {
        Self { inner, home }
    }

    /// Makes what is below, in the scope.
    #[cfg(feature = "tower")]
    #[inline]
    pub(crate) fn begin(&mut self, mut make: impl FnMut() -> T) {
        let Self { inner, home } = self;
        scope::run_within(home.current(), &mut || keep(Some(make()), inner));
    }

    /// Has the next poll not look at the context first: what comes next is there already.
    pub(crate) fn goes_on(self: Pin<&mut Self>) {
        if let Some((_, owner)) = self.project().home.parts() {
            owner.set_begun(true);
        }
    }

    pub(crate) const fn home(&self) -> &H {
        &self.home
    }

    #[cfg(feature = "tower")]
    pub(crate) fn home_mut(self: Pin<&mut Self>) -> &mut H {
        self.project().home
    }

    #[inline]
    pub(crate) const fn inner(&self) -> Option<&T> {
        self.inner.as_ref()
    }

    /// Drops what is below, if that has not ended.
    #[inline]
    pub(crate) fn end(self: Pin<&mut Self>) {
        let this = self.project();
        if this.inner.is_some() {
            drop_within(this.home, this.inner);
        }
    }

    /// Waits for a value, which `poll` keeps, as it says whether that is the last one: then what is below is dropped
    /// in the scope. Not to be called when that has ended.
    #[inline]
    pub(crate) fn poll_until(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
        mut poll: impl FnMut(Pin<&mut T>, &mut Task<'_>) -> Poll<bool>,
    ) -> Poll<Result<(), Cancelled>> {
        let this = self.as_mut().project();
        let (mut inner, waker) = (this.inner, task.waker());
        let (current, owner) = this.home.parts().expect(NOT_ENDED);
        let polled = poll_below(current, owner, waker, || {
            let below = inner.as_mut().as_pin_mut();
            let polled = poll(below.expect(NOT_ENDED), task);
            if let Poll::Ready(true) = polled {
                // Its destructors see its context, too.
                inner.set(None);
            }
            polled
        });
        if let Poll::Ready(Err(_)) = polled {
            self.end();
        }
        polled
    }
}

/// Keeps the first value there.
#[inline]
pub(crate) fn keep<T>(value: Option<T>, place: &mut Option<T>) {
    // There was none: not dropped, which would be a call.
    mem::forget(mem::replace(place, value));
}

#[inline(never)]
fn drop_within<T>(home: &mut impl Home, mut inner: Pin<&mut Option<T>>) {
    if let Some((_, owner)) = home.parts() {
        owner.forget();
    }
    scope::run_within(home.current(), &mut || inner.set(None));
}

/// Polls what is `below`, which says whether it has given the last value. Mostly the context lives, nothing is kept,
/// and the value is there.
#[inline]
fn poll_below(
    current: Current<'_>,
    owner: &mut Owner,
    waker: &Waker,
    mut below: impl FnMut() -> Poll<bool>,
) -> Poll<Result<(), Cancelled>> {
    if !owner.is_empty() || !current.known().is_live() {
        return poll_kept(current, owner, waker, &mut below);
    }
    let mut beside_value = Vigil::new();
    let polled = owner.poll_new(current, waker, || {
        note_shields(&mut below, &mut beside_value)
    });
    if matches!(polled, Poll::Ready(Ok(_))) && beside_value.is_empty() && owner.is_empty() {
        owner.set_begun(false);
        return Poll::Ready(Ok(()));
    }
    settle(owner, &beside_value, polled)
}

/// As [`poll_below`], when something is kept, or the context may have ended.
#[cold]
#[inline(never)]
fn poll_kept(
    current: Current<'_>,
    owner: &mut Owner,
    waker: &Waker,
    below: &mut dyn FnMut() -> Poll<bool>,
) -> Poll<Result<(), Cancelled>> {
    owner.begin(current.known());
    let mut beside_value = Vigil::new();
    let polled = owner.poll(current, waker, || {
        note_shields(&mut *below, &mut beside_value)
    });
    settle(owner, &beside_value, polled)
}

/// Runs `below`, and notes the shields that were pending beside a value.
#[inline]
fn note_shields(mut below: impl FnMut() -> Poll<bool>, beside_value: &mut Vigil) -> Poll<bool> {
    let before = scope::epoch();
    let polled = below();
    if watch::is_shielded_below(before) && polled.is_ready() {
        remember(before, beside_value);
    }
    polled
}

/// After a poll: the shields that were pending in it are waited for, unless what is below has ended.
#[cold]
#[inline(never)]
fn settle(
    owner: &mut Owner,
    beside_value: &Vigil,
    polled: Poll<Result<bool, Cancelled>>,
) -> Poll<Result<(), Cancelled>> {
    owner.set_begun(polled.is_pending());
    owner.vigil().extend(beside_value);
    match polled {
        Poll::Pending => owner.vigil().note_again(),
        Poll::Ready(Ok(false)) => {}
        Poll::Ready(_) => owner.forget(),
    }
    polled.map_ok(|_| ())
}

#[cold]
#[inline(never)]
fn remember(before: u64, vigil: &mut Vigil) {
    watch::collect_shields(before, TaskId::current(), |shield| vigil.wait_for(shield));
}
