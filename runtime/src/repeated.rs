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

use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};

use pin_project_lite::pin_project;

use crate::cancelled::Cancelled;
use crate::context::Context;
use crate::frame::TaskId;
use crate::owner::{Owner, Vigil};
use crate::{scope, watch};

pin_project! {
    pub(crate) struct Repeated<T> {
        context: Context,
        // `None` once it has ended.
        #[pin]
        inner: Option<T>,
        owner: Owner,
        // The wait for a value has begun.
        is_waiting: bool,
    }

    impl<T> PinnedDrop for Repeated<T> {
        fn drop(this: Pin<&mut Self>) {
            this.end();
        }
    }
}

impl<T> Repeated<T> {
    pub(crate) fn new(context: Context, inner: T) -> Self {
        Self {
            context,
            inner: Some(inner),
            owner: Owner::of_begun(),
            is_waiting: false,
        }
    }

    /// Has the next poll not look at the context first: what comes next is there already.
    pub(crate) fn goes_on(self: Pin<&mut Self>) {
        *self.project().is_waiting = true;
    }

    pub(crate) const fn context(&self) -> &Context {
        &self.context
    }

    pub(crate) const fn inner(&self) -> Option<&T> {
        self.inner.as_ref()
    }

    /// Drops what is below, if that has not ended.
    pub(crate) fn end(self: Pin<&mut Self>) {
        let this = self.project();
        let mut inner = this.inner;
        *this.owner = Owner::of_begun();
        if inner.is_some() {
            scope::within(this.context, || inner.set(None));
        }
    }

    /// Waits for the next value, which `poll` gives; `None` when there will be no more.
    pub(crate) fn poll_value<V>(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
        poll: impl FnMut(Pin<&mut T>, &mut Task<'_>) -> Poll<Option<V>>,
    ) -> Poll<Option<Result<V, Cancelled>>> {
        if self.inner.is_none() {
            return Poll::Ready(None);
        }
        let polled = match self.as_mut().has_ended() {
            Some(cancelled) => Poll::Ready(Err(cancelled)),
            None => self.as_mut().poll_below(task, poll),
        };
        *self.as_mut().project().is_waiting = polled.is_pending();
        let value = ready!(polled);
        if !matches!(value, Ok(Some(_))) {
            self.end();
        }
        Poll::Ready(value.transpose())
    }

    /// Why no value is waited for any more, as the wait for the next would begin.
    fn has_ended(self: Pin<&mut Self>) -> Option<Cancelled> {
        let this = self.project();
        let context = &*this.context;
        if *this.is_waiting || context.is_live() || !scope::has_ended(context) {
            return None;
        }
        let is_held = this.owner.vigil().is_held();
        if is_held { None } else { context.leave(None) }
    }

    fn poll_below<V>(
        self: Pin<&mut Self>,
        task: &mut Task<'_>,
        mut poll: impl FnMut(Pin<&mut T>, &mut Task<'_>) -> Poll<Option<V>>,
    ) -> Poll<Result<Option<V>, Cancelled>> {
        let this = self.project();
        let (mut inner, mut beside_value) = (this.inner, Vigil::new());
        let polled = this.owner.poll(this.context, task.waker(), || {
            let before = scope::epoch();
            let below = inner.as_mut().as_pin_mut();
            let polled = poll(below.expect("it has not ended"), task);
            match polled {
                Poll::Ready(Some(_)) => {
                    let remember = |shield: &_| beside_value.wait_for(shield);
                    watch::collect_shields(before, TaskId::current(), remember);
                }
                // Its destructors see its context, too.
                Poll::Ready(None) => inner.set(None),
                Poll::Pending => {}
            }
            polled
        });
        let vigil = this.owner.vigil();
        vigil.extend(&beside_value);
        if polled.is_pending() {
            vigil.note_again();
        }
        polled
    }
}
