//! Scopes: a future that ends with a context, which is the current one inside.

use std::fmt;
use std::pin::Pin;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;

use crate::cancelled::Cancelled;
use crate::context::Context;
use crate::owner::Owner;
use crate::scope;

pin_project! {
    /// A scope; made by [`Context::run`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Run<F> {
        context: Context,
        #[pin]
        future: Option<F>,
        owner: Owner,
    }
}

impl<F> Run<F> {
    pub(crate) const fn new(context: Context, future: F) -> Self {
        Self {
            context,
            future: Some(future),
            owner: Owner::new(),
        }
    }
}

impl<F: Future> Future for Run<F> {
    type Output = Result<F::Output, Cancelled>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (context, mut future) = (&*this.context, this.future);
        let polled = this.owner.poll(context, task.waker(), || {
            let inner = future.as_mut().as_pin_mut();
            let polled = inner
                .expect("`Run` is not polled after it ended")
                .poll(task);
            if polled.is_ready() {
                // The destructors of the future see its context, too.
                future.set(None);
            }
            polled
        });
        // Not returned as it is: what is pending is written in one piece.
        let Poll::Ready(ended) = polled else {
            return Poll::Pending;
        };
        *this.owner = Owner::of_begun();
        if ended.is_err() {
            drop_within(context, future);
        }
        Poll::Ready(ended)
    }
}

impl<F> Run<F> {
    /// Drops the future, if it has not ended.
    #[cfg(feature = "tokio")]
    pub(crate) fn end(self: Pin<&mut Self>) {
        let this = self.project();
        *this.owner = Owner::of_begun();
        drop_within(this.context, this.future);
    }
}

#[cold]
#[inline(never)]
fn drop_within<F>(context: &Context, mut future: Pin<&mut Option<F>>) {
    scope::within(context, || future.set(None));
}

impl<F> fmt::Debug for Run<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

/// Scopes.
impl Context {
    /// Opens a scope: runs `future` with this context as the current one, until it completes or the
    /// context ends.
    ///
    /// A context that has ended already never polls it. When it ends, annotated functions inside
    /// leave first; if the future is still pending then, it is dropped in that same poll. Of nested
    /// scopes with unrelated contexts, the outer one's end drops the inner whole. Works on any
    /// executor; a task spawned inside is another task, and not in the scope.
    ///
    /// # Errors
    ///
    /// Returns the [`Cancelled`] if the context ended before the future completed; it names the await
    /// that was left if that is one of an annotated function without an error of its own to leave with.
    ///
    /// # Panics
    ///
    /// Panics when it is polled again after it ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the scope drops the future at the await it is in.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let ctx = Context::background().with_timeout(Duration::from_millis(5));
    /// let never = ctx.run(std::future::pending::<()>()).await;
    /// assert!(never.unwrap_err().is_timeout());
    /// # }
    /// ```
    pub fn run<F: Future>(&self, future: F) -> Run<F> {
        Run::new(self.clone(), future)
    }

    /// Runs `future` in a scope that ends with this context or after `timeout`.
    ///
    /// # Errors
    ///
    /// Returns the [`Cancelled`] if either happened before the future completed.
    ///
    /// # Cancel safety
    ///
    /// As for [`run`](Self::run).
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let ctx = Context::background();
    /// assert_eq!(ctx.timeout(Duration::from_secs(1), async { 7 }).await.unwrap(), 7);
    /// # }
    /// ```
    #[track_caller]
    pub fn timeout<F: Future>(&self, timeout: Duration, future: F) -> Run<F> {
        Run::new(self.with_timeout(timeout), future)
    }
}
