//! How a producer hands items to the stream that polls it: one at a time, through a slot.
//!
//! Invariants:
//! 1. The slot is filled only by a poll of a [`Sending`] within a poll of the stream, which empties it before it
//!    returns. So an item that is in it was sent in this very poll, and a `Sending` that finds its item gone was
//!    polled because the consumer has asked for the next one.
//! 2. A waker that is not that of the stream's task, as a producer's `FuturesUnordered` has it, is woken when the
//!    next item is asked for. The other need not be: its task is the one that asks.
//! 3. Nothing foreign runs under the lock: no waker, and no destructor of an item.

use std::fmt;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, Waker};

use crate::sync::Mutex;
use crate::sync::thread::{self, ThreadId};

/// What a producer and its stream share.
pub(super) struct Slot<T>(Mutex<Contents<T>>);

/// An item, and where it was sent.
pub(super) type Sent<T> = (T, &'static Location<'static>);

struct Contents<T> {
    item: Option<Sent<T>>,
    /// That of the last send.
    waker: Option<Waker>,
    /// Where the stream is being polled.
    thread: Option<ThreadId>,
}

impl<T> Slot<T> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Contents {
            item: None,
            waker: None,
            thread: None,
        })))
    }

    /// Runs `poll`, that of the producer in a poll of the stream; gives the item that was sent in it, too.
    pub(super) fn during<R>(
        &self,
        task: &mut Task<'_>,
        poll: impl FnOnce(&mut Task<'_>) -> R,
    ) -> (R, Option<Sent<T>>) {
        let mut contents = self.0.lock();
        contents.thread = Some(thread::current().id());
        let sender = contents
            .waker
            .take_if(|other| !other.will_wake(task.waker()));
        drop(contents);
        let polled = {
            let _polling = Polling(self);
            if let Some(sender) = sender {
                sender.wake();
            }
            poll(task)
        };
        let item = self.0.lock().item.take();
        (polled, item)
    }
}

/// The stream is being polled, until this is dropped.
struct Polling<'a, T>(&'a Slot<T>);

impl<T> Drop for Polling<'_, T> {
    fn drop(&mut self) {
        self.0.0.lock().thread = None;
    }
}

/// Hands items to the consumer of a stream; its producer is given one by [`generate`](super::generate) and
/// [`try_generate`](super::try_generate).
pub struct Yielder<T>(Arc<Slot<T>>);

impl<T> Yielder<T> {
    pub(super) const fn new(slot: Arc<Slot<T>>) -> Self {
        Self(slot)
    }

    /// Hands `item` to the consumer, and waits until that asks for the next one.
    ///
    /// # Panics
    ///
    /// The future panics when it is polled outside of its stream, as in a task of its own, where nobody would
    /// take the item.
    ///
    /// # Cancel safety
    ///
    /// Once it was polled, the item is delivered, also if the future is dropped then; before that, dropping it
    /// drops the item. (Polled for the first time while the item of a send that was dropped is still on its way,
    /// it waits for that.)
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::stream::generate;
    /// use cancel_context::Context;
    /// use futures::TryStreamExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let words = generate(&Context::background(), async |mut yielder| {
    ///     yielder.send("stop").await;
    ///     yielder.send("the world").await;
    /// });
    /// assert_eq!(words.try_collect::<Vec<_>>().await.unwrap(), ["stop", "the world"]);
    /// # }
    /// ```
    #[track_caller]
    pub fn send(&mut self, item: T) -> Sending<'_, T> {
        Sending {
            slot: &self.0,
            item: Some(item),
            place: Location::caller(),
        }
    }
}

impl<T> fmt::Debug for Yielder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Yielder")
    }
}

/// The future of [`Yielder::send`].
#[must_use = "futures do nothing unless polled"]
pub struct Sending<'a, T> {
    slot: &'a Slot<T>,
    /// Until it is in the slot.
    item: Option<T>,
    place: &'static Location<'static>,
}

// The item is never pinned.
impl<T> Unpin for Sending<'_, T> {}

impl<T> Future for Sending<'_, T> {
    type Output = ();

    #[track_caller]
    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<()> {
        let this = self.get_mut();
        let mut contents = this.slot.0.lock();
        if contents.thread != Some(thread::current().id()) {
            drop(contents);
            panic!("an item was sent outside of the stream that it belongs to");
        }
        if contents.item.is_none() {
            let Some(item) = this.item.take() else {
                return Poll::Ready(());
            };
            contents.item = Some((item, this.place));
        }
        let waker = contents.waker.as_ref();
        if !waker.is_some_and(|known| known.will_wake(task.waker())) {
            drop(contents);
            let waker = Some(task.waker().clone());
            // The one before is dropped without the lock.
            let before = mem::replace(&mut this.slot.0.lock().waker, waker);
            drop(before);
        }
        Poll::Pending
    }
}

impl<T> fmt::Debug for Sending<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending")
            .field("is_sent", &self.item.is_none())
            .finish_non_exhaustive()
    }
}
