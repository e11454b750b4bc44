//! Waiting for the end of a context, or for a time.

use std::borrow::Borrow;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use crate::cancelled::{Cancelled, Left};
use crate::context::Context;
use crate::owner::Waiter;

/// Waits for the end of a context; made by [`Context::cancelled`] and
/// [`Context::cancelled_owned`].
#[must_use = "futures do nothing unless polled"]
pub struct UntilCancelled<C> {
    context: C,
    waiter: Waiter,
}

impl<C: Borrow<Context> + Unpin> Future for UntilCancelled<C> {
    type Output = Cancelled;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Cancelled> {
        let this = self.get_mut();
        let context: &Context = this.context.borrow();
        let Some(anchor) = context.anchor() else {
            return Poll::Pending;
        };
        if let Some(cancelled) = context.cancelled_at(None) {
            return Poll::Ready(cancelled);
        }
        this.waiter.register(anchor, task.waker(), 0);
        context
            .cancelled_at(None)
            .map_or(Poll::Pending, Poll::Ready)
    }
}

impl<C> fmt::Debug for UntilCancelled<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntilCancelled")
            .field("waiter", &self.waiter)
            .finish_non_exhaustive()
    }
}

/// Waiting.
impl Context {
    /// Waits until the context has ended, and gives the reason; for ever if it never ends.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future takes its waker off the context; nothing is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// tokio::spawn(async move { canceller.cancel_with("enough") });
    /// assert_eq!(ctx.cancelled().await.cause().to_string(), "enough");
    /// # }
    /// ```
    pub fn cancelled(&self) -> UntilCancelled<&Self> {
        UntilCancelled {
            context: self,
            waiter: Waiter::new(),
        }
    }

    /// Like [`cancelled`](Self::cancelled), for where the future has to be `'static`.
    ///
    /// # Cancel safety
    ///
    /// As for [`cancelled`](Self::cancelled).
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// let watcher = tokio::spawn(ctx.cancelled_owned());
    /// canceller.cancel();
    /// assert!(!watcher.await.unwrap().is_timeout());
    /// # }
    /// ```
    pub fn cancelled_owned(self) -> UntilCancelled<Self> {
        UntilCancelled {
            context: self,
            waiter: Waiter::new(),
        }
    }

    /// Sleeps for `duration`, or until the context ends.
    ///
    /// # Errors
    ///
    /// Returns the [`Cancelled`] if the context ended first; it names this call as what was left.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the sleep; nothing is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// Context::background().sleep(Duration::from_millis(1)).await.unwrap();
    /// # }
    /// ```
    #[track_caller]
    pub fn sleep(
        &self,
        duration: Duration,
    ) -> impl Future<Output = Result<(), Cancelled>> + Send + use<> {
        let (context, timer) = (self.clone(), self.with_timeout(duration));
        let place = Location::caller();
        async move {
            timer.cancelled().await;
            let left = Some(Left::Place(place));
            context.leave(left).map_or(Ok(()), Err)
        }
    }
}
