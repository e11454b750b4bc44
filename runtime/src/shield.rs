//! Shields: a future that runs to completion although the context around it ends.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;

use crate::context::Context;
use crate::memory::Memory;
use crate::run::Run;
use crate::scope::within_using;
use crate::watch::note_shield;

pin_project! {
    /// A future that runs to completion although its context is cancelled; made by
    /// [`Context::shield`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Shield<F> {
        context: Context,
        #[pin]
        future: F,
        pending: Option<Arc<()>>,
        memory: Memory,
    }
}

impl<F> Shield<F> {
    pub(crate) fn new(context: Context, future: F) -> Self {
        Self {
            context,
            future,
            pending: None,
            memory: Memory::new(),
        }
    }
}

impl<F: Future> Future for Shield<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<F::Output> {
        let this = self.project();
        let future = this.future;
        let polled = within_using(&*this.context, this.memory, || future.poll(task));
        if polled.is_pending() {
            note_shield(this.pending.get_or_insert_default());
        } else {
            *this.pending = None;
        }
        polled
    }
}

impl<F> fmt::Debug for Shield<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shield")
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

/// Shielding.
impl Context {
    /// Runs what `work` returns to completion although this context is cancelled.
    ///
    /// `work` is given a context with the same values that does not end with this one, which is the
    /// current one inside as well. Awaits and scopes around the shield wait for it. It holds against
    /// contexts only: not against an aborted task, a lost `select!` arm or a dropped caller.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the work at the await it is in.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// canceller.cancel();
    /// let rolled_back = ctx.shield(|ctx| async move {
    ///     tokio::task::yield_now().await;
    ///     ctx.is_cancelled()
    /// });
    /// assert_eq!(rolled_back.await, false);
    /// # }
    /// ```
    #[track_caller]
    pub fn shield<F: Future>(&self, work: impl FnOnce(Self) -> F) -> Shield<F> {
        let context = self.without_cancel();
        Shield::new(context.clone(), work(context))
    }

    /// Like [`shield`](Self::shield), for at most `timeout`: that ends the context which `work` is
    /// given, and then drops the work if it is still pending.
    ///
    /// # Errors
    ///
    /// Returns the [`Cancelled`](crate::Cancelled) if the time was up first.
    ///
    /// # Cancel safety
    ///
    /// As for [`shield`](Self::shield).
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
    /// let stuck = ctx.shield_with_timeout(Duration::from_millis(5), |_| std::future::pending::<()>());
    /// assert!(stuck.await.unwrap_err().is_timeout());
    /// # }
    /// ```
    #[track_caller]
    pub fn shield_with_timeout<F: Future>(
        &self,
        timeout: Duration,
        work: impl FnOnce(Self) -> F,
    ) -> Shield<Run<F>> {
        let context = self.without_cancel().with_timeout(timeout);
        Shield::new(context.clone(), context.run(work(context.clone())))
    }
}
