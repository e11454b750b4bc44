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
        // Apart, and only if it keeps anything: what is seldom pending is moved about, and stays small.
        owner: Option<Box<Owner>>,
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
            owner: None,
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

    /// Whether the end of the context was logged, and only a shield is pending.
    #[cfg(all(feature = "tower", feature = "tracing"))]
    pub(crate) fn is_logged(&self) -> bool {
        self.owner.as_ref().is_some_and(|owner| owner.is_logged())
    }

    /// Gives the context, for when what is below has ended.
    #[cfg(feature = "tower")]
    pub(crate) fn take_context(self: Pin<&mut Self>) -> Context {
        std::mem::replace(self.project().context, Context::background())
    }

    pub(crate) const fn inner(&self) -> Option<&T> {
        self.inner.as_ref()
    }

    /// Drops what is below, if that has not ended.
    pub(crate) fn end(self: Pin<&mut Self>) {
        let this = self.project();
        let mut inner = this.inner;
        *this.owner = None;
        if inner.is_some() {
            scope::within(this.context, || inner.set(None));
        }
    }

    /// Waits for a value, which `poll` gives; if that is the last one, what is below is dropped in the scope. Not to
    /// be called when that has ended.
    pub(crate) fn poll_until<V>(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
        poll: impl FnMut(Pin<&mut T>, &mut Task<'_>) -> Poll<V>,
        is_last: impl Fn(&V) -> bool,
    ) -> Poll<Result<V, Cancelled>> {
        let polled = self.as_mut().poll_below(task, poll, is_last);
        *self.as_mut().project().is_waiting = polled.is_pending();
        let value = ready!(polled);
        if value.is_err() || self.inner.is_none() {
            self.end();
        }
        Poll::Ready(value)
    }

    /// Whether a wait begins, and the context may have ended: then the owner looks first.
    fn has_to_look(&self) -> bool {
        let context = &self.context;
        !self.is_waiting && !context.is_live() && !scope::trusts_alarm(context)
    }

    fn poll_below<V>(
        self: Pin<&mut Self>,
        task: &mut Task<'_>,
        mut poll: impl FnMut(Pin<&mut T>, &mut Task<'_>) -> Poll<V>,
        is_last: impl Fn(&V) -> bool,
    ) -> Poll<Result<V, Cancelled>> {
        let has_to_look = self.has_to_look();
        let this = self.project();
        let (mut inner, mut beside_value) = (this.inner, Vigil::new());
        let (mut kept, mut new) = (this.owner.take(), Owner::new());
        let owner = kept.as_deref_mut().unwrap_or(&mut new);
        owner.begin_if(has_to_look);
        let polled = owner.poll(this.context, task.waker(), || {
            let before = scope::epoch();
            let below = inner.as_mut().as_pin_mut();
            let polled = poll(below.expect("it has not ended"), task);
            match &polled {
                // Its destructors see its context, too.
                Poll::Ready(value) if is_last(value) => inner.set(None),
                Poll::Ready(_) => {
                    let remember = |shield: &_| beside_value.wait_for(shield);
                    watch::collect_shields(before, TaskId::current(), remember);
                }
                Poll::Pending => {}
            }
            polled
        });
        let vigil = owner.vigil();
        vigil.extend(&beside_value);
        if polled.is_pending() {
            vigil.note_again();
        }
        if kept.is_none() && !new.is_empty() {
            kept = Some(Box::new(new));
        }
        *this.owner = kept;
        polled
    }
}
