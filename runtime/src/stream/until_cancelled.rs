//! Any stream, in the scope of a context.
//!
//! The invariants are those of [`crate::repeated`].

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};

use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;

use crate::cancelled::{Cancelled, Left};
use crate::context::Context;
use crate::current::Current;
use crate::owner::Owner;
use crate::repeated::{Home, Repeated, keep};

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
        #[pin]
        items: Repeated<S, Watched>,
        // What the error says was left.
        place: &'static Location<'static>,
    }
}

struct Watched {
    context: Context,
    owner: Owner,
}

impl Watched {
    const fn new(context: Context) -> Self {
        let owner = Owner::new();
        Self { context, owner }
    }
}

impl Home for Watched {
    fn current(&self) -> Current<'_> {
        Current::of(&self.context)
    }

    fn parts(&mut self) -> Option<(Current<'_>, &mut Owner)> {
        Some((Current::of(&self.context), &mut self.owner))
    }
}

impl<S> UntilCancelled<S> {
    pub(super) fn new(context: Context, stream: S, place: &'static Location<'static>) -> Self {
        Self {
            items: Repeated::new(Watched::new(context), Some(stream)),
            place,
        }
    }

    pub(super) const fn context(&self) -> &Context {
        &self.items.home().context
    }

    pub(super) const fn stream(&self) -> Option<&S> {
        self.items.inner()
    }

    /// Has the error say that this place was left.
    pub(super) fn leaves_at(self: Pin<&mut Self>, place: &'static Location<'static>) {
        *self.project().place = place;
    }

    /// Has the next poll not look at the context first: what comes next is there already.
    pub(super) fn goes_on(self: Pin<&mut Self>) {
        self.project().items.goes_on();
    }

    /// Drops the stream, if it has not ended.
    pub(super) fn end(self: Pin<&mut Self>) {
        self.project().items.end();
    }
}

impl<S: Stream> Stream for UntilCancelled<S> {
    type Item = Result<S::Item, Cancelled>;

    fn poll_next(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        let (items, place) = (this.items, *this.place);
        if items.inner().is_none() {
            return Poll::Ready(None);
        }
        let mut item = None;
        let polled = items.poll_until(task, |stream, task| {
            keep(ready!(stream.poll_next(task)), &mut item);
            Poll::Ready(item.is_none())
        });
        Poll::Ready(match ready!(polled) {
            Ok(()) => item.map(Ok),
            Err(cancelled) => Some(Err(cancelled.left_at(Left::Place(place)))),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let Some(stream) = self.stream() else {
            return (0, Some(0));
        };
        let (least, most) = stream.size_hint();
        if self.context().anchor().is_none() {
            return (least, most);
        }
        // The end of the context comes in place of all items, or after them.
        (least.min(1), most.and_then(|most| most.checked_add(1)))
    }
}

impl<S: Stream> FusedStream for UntilCancelled<S> {
    fn is_terminated(&self) -> bool {
        self.stream().is_none()
    }
}

impl<S> fmt::Debug for UntilCancelled<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntilCancelled")
            .field("context", self.context())
            .field("has_ended", &self.stream().is_none())
            .finish_non_exhaustive()
    }
}
