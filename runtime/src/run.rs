//! Scopes: a future that ends with a context, which is the current one inside.

use std::fmt;
use std::pin::Pin;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;

use crate::cancelled::Cancelled;
use crate::context::Context;
use crate::memory::Key;
use crate::owner::{Owner, Waiter};
use crate::scope;
use crate::watch::{self, Watch};

pin_project! {
    /// A scope; made by [`Context::run`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Run<F> {
        // None only for what is no scope at all.
        context: Option<Context>,
        #[pin]
        future: Option<F>,
        owner: Owner,
        is_started: bool,
    }
}

impl<F> Run<F> {
    /// Without a context it is no scope: the future is polled in whatever scope it is.
    pub(crate) const fn new(context: Option<Context>, future: F) -> Self {
        Self {
            context,
            future: Some(future),
            owner: Owner::new(),
            is_started: false,
        }
    }
}

impl<F: Future> Future for Run<F> {
    type Output = Result<F::Output, Cancelled>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let key = Key::of(&*self);
        let this = self.project();
        let (context, mut future) = (this.context.as_ref(), this.future);
        if !*this.is_started {
            *this.is_started = true;
            if let Some(context) = context
                && let Some(cancelled) = ended_before(context, future.as_mut())
            {
                return Poll::Ready(Err(cancelled));
            }
        }
        let Owner {
            waiter,
            vigil,
            memory,
        } = this.owner;
        let waker = task.waker();
        let own = context.filter(|context| !watch::is_covered_for(context, waker));
        let own = own.map(|context| (context, waiter.task(waker), memory));
        let polled = Watch::poll(own, waker, |watch| {
            // The destructors of the future see its context, too.
            let inner = future.as_mut().as_pin_mut();
            let inner = inner.expect("`Run` is not polled after it ended");
            if let Poll::Ready(value) = inner.poll(task) {
                future.set(None);
                return Poll::Ready(Ok(value));
            }
            if let Some(context) = context
                && !watch.stays()
                && let Some(cancelled) =
                    watch.look_closely(Some((waiter, vigil)), key, context, waker)
            {
                future.set(None);
                return Poll::Ready(Err(cancelled));
            }
            Poll::Pending
        });
        if polled.is_ready() {
            *waiter = Waiter::new();
        }
        polled
    }
}

/// Why the future is not polled at all, and then drops it.
#[cold]
#[inline(never)]
fn ended_before<F>(context: &Context, mut future: Pin<&mut Option<F>>) -> Option<Cancelled> {
    let cancelled = context.cancelled_at(None)?;
    scope::within(context, || future.set(None));
    Some(cancelled)
}

impl<F> fmt::Debug for Run<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut run = f.debug_struct("Run");
        if let Some(context) = &self.context {
            run.field("context", context);
        }
        run.finish_non_exhaustive()
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
        Run::new(Some(self.clone()), future)
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
        self.with_timeout(timeout).run(future)
    }
}
