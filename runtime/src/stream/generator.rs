//! Streams whose items an async function produces, which runs inside of the stream.
//!
//! The function is a part of the stream: it is polled by whoever polls that, and dropped with it. So it goes no
//! further than its consumer asks, and cannot outlive it.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};

use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;

use super::until_cancelled::UntilCancelled;
use super::yielder::{Slot, Yielder};
use crate::cancelled::Cancelled;
use crate::context::Context;

/// Makes a stream of what `producer` sends, which runs inside of the stream in the scope of `context`.
///
/// Nothing runs until the stream is polled; a context that has ended by then never starts the producer. At each
/// [`send`](Yielder::send) it is suspended until the consumer asks for the next item. It ends when the stream is
/// dropped, at the await it is in, with all its destructors; and when the context ends, as
/// [`until_cancelled`](super::CancellableStream::until_cancelled) says, with one error as the last item. The
/// context is the current one for all that it polls and drops. No task is spawned, so it may borrow.
///
/// The error names the await of the producer that was left: that of an annotated function, or the send it was
/// suspended in; otherwise this call.
///
/// # Errors
///
/// Gives the [`Cancelled`] as the last item if the context ended before the producer.
///
/// # Cancel safety
///
/// Giving up to wait for an item loses none: the producer stays where it is.
///
/// # Examples
///
/// ```
/// use cancel_context::stream::generate;
/// use cancel_context::{Cancelled, Context, cancellable};
/// use futures::{StreamExt, TryStreamExt};
///
/// #[cancellable]
/// async fn first_squares() -> Result<Vec<u32>, Cancelled> {
///     let squares = generate(ctx, async |mut yielder| {
///         for number in 1.. {
///             yielder.send(number * number).await;
///         }
///     });
///     squares.take(3).try_collect().await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// assert_eq!(first_squares(&Context::background()).await.unwrap(), [1, 4, 9]);
/// # }
/// ```
#[track_caller]
pub fn generate<T, F>(
    context: &Context,
    producer: impl FnOnce(Yielder<T>) -> F,
) -> Generator<T, Cancelled, F>
where
    F: Future<Output = ()>,
{
    Generator::new(context, producer, Location::caller())
}

/// Makes a stream of what `producer` sends and of the error that it returns, if it does; otherwise as
/// [`generate`].
///
/// # Errors
///
/// Gives the error of the producer as the last item; and a [`Cancelled`], as an `E`, if the context ended first.
/// A producer that is annotated leaves with an error that names its await.
///
/// # Cancel safety
///
/// As for [`generate`].
///
/// # Examples
///
/// ```
/// use cancel_context::stream::{Yielder, try_generate};
/// use cancel_context::{Context, cancellable};
/// use futures::StreamExt;
/// use std::io;
///
/// #[cancellable]
/// async fn lines(mut yielder: Yielder<String>) -> io::Result<()> {
///     yielder.send(String::from("one")).await;
///     Err(io::Error::other("connection reset"))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let ctx = Context::background();
/// let lines = try_generate(&ctx, |yielder| lines(ctx.clone(), yielder));
/// let mut lines = std::pin::pin!(lines);
/// assert_eq!(lines.next().await.unwrap().unwrap(), "one");
/// assert_eq!(lines.next().await.unwrap().unwrap_err().to_string(), "connection reset");
/// assert!(lines.next().await.is_none());
/// # }
/// ```
#[track_caller]
pub fn try_generate<T, E, F>(
    context: &Context,
    producer: impl FnOnce(Yielder<T>) -> F,
) -> Generator<T, E, F>
where
    E: From<Cancelled>,
    F: Future<Output = Result<(), E>>,
{
    Generator::new(context, producer, Location::caller())
}

pin_project! {
    /// A stream that an async function produces; made by [`generate`] and [`try_generate`].
    #[must_use = "streams do nothing unless polled"]
    pub struct Generator<T, E, F> {
        #[pin]
        items: UntilCancelled<Producer<T, E, F>>,
        // Where it was made.
        place: &'static Location<'static>,
    }
}

impl<T, E, F> Generator<T, E, F> {
    fn new(
        context: &Context,
        producer: impl FnOnce(Yielder<T>) -> F,
        place: &'static Location<'static>,
    ) -> Self {
        let slot = Slot::new();
        let producer = Producer {
            future: Some(producer(Yielder::new(Arc::clone(&slot)))),
            slot,
            error: None,
            place: None,
        };
        Self {
            items: UntilCancelled::new(context.clone(), producer, place),
            place,
        }
    }
}

impl<T, E, F> Stream for Generator<T, E, F>
where
    E: From<Cancelled>,
    F: Future<Output: Outcome<E>>,
{
    type Item = Result<T, E>;

    fn poll_next(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        let mut items = this.items;
        if let Some(producer) = items.stream() {
            let (sent_at, has_returned) = (producer.place, producer.future.is_none());
            items.as_mut().leaves_at(sent_at.unwrap_or(this.place));
            if has_returned {
                // After an item that was on its way, how it has ended is still to be said.
                items.as_mut().goes_on();
            }
        }
        let item = ready!(items.as_mut().poll_next(task));
        Poll::Ready(item.map(|item| {
            let item = item.unwrap_or_else(|cancelled| Err(E::from(cancelled)));
            if item.is_err() {
                items.end();
            }
            item
        }))
    }
}

impl<T, E, F> FusedStream for Generator<T, E, F>
where
    E: From<Cancelled>,
    F: Future<Output: Outcome<E>>,
{
    fn is_terminated(&self) -> bool {
        self.items.is_terminated()
    }
}

impl<T, E, F> fmt::Debug for Generator<T, E, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generator")
            .field("context", self.items.context())
            .field("has_ended", &self.items.stream().is_none())
            .finish_non_exhaustive()
    }
}

/// What a producer returns: nothing, or an error as the last item.
pub trait Outcome<E>: sealed::Outcome<E> {}

impl<E, O: sealed::Outcome<E>> Outcome<E> for O {}

mod sealed {
    use crate::cancelled::Cancelled;

    pub trait Outcome<E> {
        fn into_error(self) -> Option<E>;
    }

    impl Outcome<Cancelled> for () {
        fn into_error(self) -> Option<Cancelled> {
            None
        }
    }

    impl<E> Outcome<E> for Result<(), E> {
        fn into_error(self) -> Option<E> {
            self.err()
        }
    }
}

pin_project! {
    /// The producer, as a stream in no scope yet.
    struct Producer<T, E, F> {
        // `None` once it has returned.
        #[pin]
        future: Option<F>,
        slot: Arc<Slot<T>>,
        // What it has returned, while an item goes first.
        error: Option<E>,
        // Where it is suspended, if that is at a send.
        place: Option<&'static Location<'static>>,
    }
}

impl<T, E, F: Future<Output: Outcome<E>>> Stream for Producer<T, E, F> {
    type Item = Result<T, E>;

    fn poll_next(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            return Poll::Ready(this.error.take().map(Err));
        };
        let (polled, sent) = this.slot.during(task, |task| future.poll(task));
        let is_pending = polled.is_pending();
        if let Poll::Ready(outcome) = polled {
            this.future.set(None);
            *this.error = sealed::Outcome::into_error(outcome);
        }
        *this.place = sent.as_ref().map(|(_, place)| *place);
        match sent {
            Some((item, _)) => Poll::Ready(Some(Ok(item))),
            None if is_pending => Poll::Pending,
            None => Poll::Ready(this.error.take().map(Err)),
        }
    }
}
