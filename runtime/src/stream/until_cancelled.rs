//! Any stream, in the scope of a context.
//!
//! Invariants:
//! 1. The context is looked at as the wait for an item begins, and then only when the stream below is pending
//!    (guarantee A4). So one that is always ready ends as well, and an item that it has given is delivered.
//! 2. The stream below is polled and dropped with the context as the current one. It is dropped in the poll in
//!    which it ends, or the context has.
//! 3. Shields that were pending below are waited for, also when the stream has given an item meanwhile, or in that
//!    very poll: then the owner does not look, and is told. What is below need not poll them again. So whoever is
//!    above, and may have begun later, is told of them in each poll that ends pending.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};

use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;

use crate::cancelled::{Cancelled, Left};
use crate::context::Context;
use crate::frame::TaskId;
use crate::owner::{Owner, Vigil};
use crate::{scope, watch};

/// Ends streams with a context; implemented for all of them.
pub trait CancellableStream: Stream {
    /// Ends this stream when `context` does: with one [`Cancelled`], and then `None` for ever.
    ///
    /// A context that has ended already never polls it. As each item begins to be waited for, the context is
    /// looked at, so a stream that is always ready ends, too; while it is pending, the end of the context wakes
    /// the task. An item that the stream gives in the very poll in which the context ends is delivered. The
    /// stream is in the scope of the context: that is the current one while it is polled and while it is
    /// dropped, which happens in the poll in which it ends. Shields inside are waited for.
    ///
    /// The error names the await inside that was left if that is one of an annotated function without an
    /// error of its own to leave with, and otherwise the place of this call.
    ///
    /// # Errors
    ///
    /// Gives the [`Cancelled`] as the last item if the context ended before the stream.
    ///
    /// # Cancel safety
    ///
    /// Giving up to wait for an item loses none, as far as the stream itself loses none.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::stream::CancellableStream;
    /// use cancel_context::{Cancelled, Context, cancellable};
    /// use futures::{StreamExt, stream};
    ///
    /// #[cancellable]
    /// async fn sum() -> Result<u32, Cancelled> {
    ///     let mut numbers = stream::iter([1, 2, 3]).until_cancelled(ctx);
    ///     let mut sum = 0;
    ///     while let Some(number) = numbers.next().await {
    ///         sum += number?;
    ///     }
    ///     Ok(sum)
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// assert_eq!(sum(&ctx).await.unwrap(), 6);
    /// let mut silence = stream::pending::<u32>().until_cancelled(&ctx);
    /// canceller.cancel();
    /// assert!(silence.next().await.unwrap().is_err());
    /// assert!(silence.next().await.is_none());
    /// # }
    /// ```
    #[track_caller]
    fn until_cancelled(self, context: &Context) -> UntilCancelled<Self>
    where
        Self: Sized,
    {
        UntilCancelled::new(context.clone(), self, Location::caller())
    }
}

impl<S: Stream + ?Sized> CancellableStream for S {}

pin_project! {
    /// A stream that ends with a context; made by [`CancellableStream::until_cancelled`].
    #[must_use = "streams do nothing unless polled"]
    pub struct UntilCancelled<S> {
        context: Context,
        // `None` once it has ended.
        #[pin]
        stream: Option<S>,
        owner: Owner,
        // The wait for an item has begun.
        is_waiting: bool,
        // What the error says was left.
        place: &'static Location<'static>,
    }

    impl<S> PinnedDrop for UntilCancelled<S> {
        fn drop(this: Pin<&mut Self>) {
            this.end();
        }
    }
}

impl<S> UntilCancelled<S> {
    pub(super) fn new(context: Context, stream: S, place: &'static Location<'static>) -> Self {
        Self {
            context,
            stream: Some(stream),
            owner: Owner::of_begun(),
            is_waiting: false,
            place,
        }
    }

    pub(super) const fn context(&self) -> &Context {
        &self.context
    }

    pub(super) const fn stream(&self) -> Option<&S> {
        self.stream.as_ref()
    }

    /// Has the error say that this place was left.
    pub(super) fn leaves_at(self: Pin<&mut Self>, place: &'static Location<'static>) {
        *self.project().place = place;
    }

    /// Has the next poll not look at the context first: what comes next is there already.
    pub(super) fn goes_on(self: Pin<&mut Self>) {
        *self.project().is_waiting = true;
    }

    /// Drops the stream, if it has not ended.
    pub(super) fn end(self: Pin<&mut Self>) {
        let this = self.project();
        let mut stream = this.stream;
        *this.owner = Owner::of_begun();
        if stream.is_some() {
            scope::within(this.context, || stream.set(None));
        }
    }

    /// Why no item is waited for any more, as the wait for the next would begin.
    fn has_ended(self: Pin<&mut Self>) -> Option<Cancelled> {
        let this = self.project();
        let context = &*this.context;
        if *this.is_waiting || context.is_live() || !scope::has_ended(context) {
            return None;
        }
        let is_held = this.owner.vigil().is_held();
        context.cancelled_at(None).filter(|_| !is_held)
    }
}

impl<S: Stream> UntilCancelled<S> {
    /// Waits for an item of the stream, in the scope.
    fn poll_item(
        self: Pin<&mut Self>,
        task: &mut Task<'_>,
    ) -> Poll<Result<Option<S::Item>, Cancelled>> {
        let this = self.project();
        let (mut stream, mut beside_item) = (this.stream, Vigil::new());
        let polled = this.owner.poll(this.context, task.waker(), || {
            let before = scope::epoch();
            let inner = stream.as_mut().as_pin_mut();
            let polled = inner.expect("it has not ended").poll_next(task);
            match polled {
                Poll::Ready(Some(_)) => {
                    let remember = |shield: &_| beside_item.wait_for(shield);
                    watch::collect_shields(before, TaskId::current(), remember);
                }
                // The destructors of the stream see its context, too.
                Poll::Ready(None) => stream.set(None),
                Poll::Pending => {}
            }
            polled
        });
        let vigil = this.owner.vigil();
        vigil.extend(&beside_item);
        if polled.is_pending() {
            vigil.note_again();
        }
        polled
    }
}

impl<S: Stream> Stream for UntilCancelled<S> {
    type Item = Result<S::Item, Cancelled>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        if self.stream.is_none() {
            return Poll::Ready(None);
        }
        let polled = match self.as_mut().has_ended() {
            Some(cancelled) => Poll::Ready(Err(cancelled)),
            None => self.as_mut().poll_item(task),
        };
        *self.as_mut().project().is_waiting = polled.is_pending();
        let item = ready!(polled);
        let place = self.place;
        if !matches!(item, Ok(Some(_))) {
            self.end();
        }
        let item = item.map_err(|cancelled| cancelled.left_at(Left::Place(place)));
        Poll::Ready(item.transpose())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let Some(stream) = &self.stream else {
            return (0, Some(0));
        };
        let (least, most) = stream.size_hint();
        if self.context.anchor().is_none() {
            return (least, most);
        }
        // The end of the context comes in place of all items, or after them.
        (least.min(1), most.and_then(|most| most.checked_add(1)))
    }
}

impl<S: Stream> FusedStream for UntilCancelled<S> {
    fn is_terminated(&self) -> bool {
        self.stream.is_none()
    }
}

impl<S> fmt::Debug for UntilCancelled<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntilCancelled")
            .field("context", &self.context)
            .field("has_ended", &self.stream.is_none())
            .finish_non_exhaustive()
    }
}
