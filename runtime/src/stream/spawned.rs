//! Streams whose producer is a task of its own, which works ahead of its consumer.
//!
//! The producer's context is a child that the stream ends when it is dropped. So the producer ends also where it
//! waits for something else than its consumer.

use std::error::Error;
use std::fmt;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};

use futures_core::{FusedStream, Stream};
use tokio::sync::mpsc;

use crate::cancelled::{Cancelled, into_cause};
use crate::canceller::Canceller;
use crate::context::Context;
use crate::origin::Origin;
use crate::task::{JoinError, JoinHandle};

/// Spawns `producer` as a task of the current tokio runtime, and makes a stream of what it sends; it may be
/// `capacity` items ahead.
///
/// The producer is given a child of `context`, which is its current one as well, and the sending half of a
/// channel. When the stream is dropped, that context is cancelled: so the producer ends also where it waits for
/// something else than its consumer. The cause says so.
///
/// When `context` ends, the items that are in the channel already are delivered first. To have the stream end at
/// once, make it [end with a context](super::CancellableStream::until_cancelled).
///
/// # Errors
///
/// Gives a [`JoinError`] as the last item if the producer did not return `Ok`: that its context has ended, the
/// error that it returned, that it exited, was aborted or panicked. A [`Cancelled`] that it returned, also as an
/// [`io::Error`], says the first of these.
///
/// # Panics
///
/// Panics outside of a tokio runtime, and if `capacity` is 0.
///
/// # Cancel safety
///
/// Giving up to wait for an item loses none.
///
/// # Examples
///
/// ```
/// use cancel_context::stream::spawn;
/// use cancel_context::{Cancelled, Context};
/// use futures::StreamExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let mut numbers = spawn(&Context::background(), 8, async |_ctx, sender| {
///     for number in 1..=3 {
///         if sender.send(number).await.is_err() {
///             break; // the consumer is gone
///         }
///     }
///     Ok::<_, Cancelled>(())
/// });
/// assert_eq!(numbers.next().await.unwrap().unwrap(), 1);
/// assert_eq!(numbers.count().await, 2);
/// # }
/// ```
#[track_caller]
pub fn spawn<T, F, E>(
    context: &Context,
    capacity: usize,
    producer: impl FnOnce(Context, mpsc::Sender<T>) -> F,
) -> Spawned<T>
where
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
{
    let (sender, items) = mpsc::channel(capacity);
    let (context, canceller) = context.with_cancel();
    let producer = producer(context.clone(), sender);
    let task = context.spawn(async { producer.await.map_err(failed) });
    Spawned {
        items,
        producer: Some(task),
        canceller,
        place: Location::caller(),
    }
}

fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> JoinError {
    let cause = into_cause(error);
    // That is what a `Cancelled` is in a function that returns `io::Result`.
    let of_io = cause.downcast_ref::<io::Error>().and_then(of_cancelled);
    match cause.downcast_ref::<Cancelled>().or(of_io) {
        Some(cancelled) => JoinError::Cancelled(cancelled.clone()),
        None => JoinError::Failed(cause),
    }
}

fn of_cancelled(error: &io::Error) -> Option<&Cancelled> {
    error.get_ref()?.downcast_ref()
}

/// A stream whose producer is a task; made by [`spawn`].
#[must_use = "dropping the stream ends its producer"]
pub struct Spawned<T> {
    items: mpsc::Receiver<T>,
    /// `None` once it has ended and said how.
    producer: Option<JoinHandle<Result<(), JoinError>>>,
    canceller: Canceller,
    place: &'static Location<'static>,
}

impl<T> Stream for Spawned<T> {
    type Item = Result<T, JoinError>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        if let Some(item) = ready!(self.items.poll_recv(task)) {
            return Poll::Ready(Some(Ok(item)));
        }
        // Nobody can send any more.
        let Some(producer) = &mut self.producer else {
            return Poll::Ready(None);
        };
        let ended = ready!(Pin::new(producer).poll(task));
        self.producer = None;
        let (Ok(Err(error)) | Err(error)) = ended else {
            return Poll::Ready(None);
        };
        Poll::Ready(Some(Err(error)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.items.len(), None)
    }
}

impl<T> FusedStream for Spawned<T> {
    fn is_terminated(&self) -> bool {
        self.producer.is_none()
    }
}

impl<T> Drop for Spawned<T> {
    fn drop(&mut self) {
        let origin = Origin::Dropped(self.place);
        self.canceller.end(Some(Arc::new(ConsumerGone)), origin);
    }
}

impl<T> fmt::Debug for Spawned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawned")
            .field("items", &self.items.len())
            .field("has_ended", &self.producer.is_none())
            .finish_non_exhaustive()
    }
}

/// The cause of a producer's end.
#[derive(Debug)]
struct ConsumerGone;

impl fmt::Display for ConsumerGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the consumer of the stream is gone")
    }
}

impl Error for ConsumerGone {}
