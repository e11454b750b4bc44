//! The phases of a shutdown, as seen from a context, and the awaits that feel the first of them.

use std::fmt;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context as Task, Poll};

use pin_project_lite::pin_project;
use tokio::sync::watch;

use crate::cancelled::Cancelled;
use crate::context::Context;
use crate::until::UntilCancelled;

/// How far a [`Shutdown`](super::Shutdown) has come.
///
/// # Examples
///
/// ```
/// use cancel_context::shutdown::Phase;
///
/// assert!(Phase::Running < Phase::Stopping && Phase::Cancelled < Phase::Aborted);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Nobody wants the process to stop.
    Running,
    /// No new work; idle awaits leave.
    Stopping,
    /// The context of all has ended.
    Cancelled,
    /// What is left was aborted.
    Aborted,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Cancelled => "cancelled",
            Self::Aborted => "aborted",
        })
    }
}

/// What a context carries of the shutdown that it belongs to: a value of a type of our own.
pub(super) struct Stages {
    stopping: Context,
    phase: watch::Receiver<Phase>,
}

/// For contexts without a shutdown. Nobody ever sends anything, and it is never closed.
static ALWAYS: LazyLock<watch::Sender<Phase>> =
    LazyLock::new(|| watch::Sender::new(Phase::Running));

impl Stages {
    pub(super) fn new(stopping: Context) -> (Self, watch::Sender<Phase>) {
        let (sender, phase) = watch::channel(Phase::Running);
        (Self { stopping, phase }, sender)
    }
}

pin_project! {
    /// An await that leaves when the process is to stop; made by [`Context::idle`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Idle<F> {
        // Dropped when it is left.
        #[pin]
        future: Option<F>,
        #[pin]
        stopping: UntilCancelled<Context>,
        has_begun: bool,
    }
}

impl<F: Future> Future for Idle<F> {
    type Output = Result<F::Output, Cancelled>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        // As for all awaits: the first look is before the first poll, all others after one.
        if !std::mem::replace(this.has_begun, true)
            && let Poll::Ready(cancelled) = this.stopping.as_mut().poll(task)
        {
            this.future.set(None);
            return Poll::Ready(Err(cancelled));
        }
        let future = this.future.as_mut().as_pin_mut();
        let future = future.expect("`Idle` is not polled after it ended");
        if let Poll::Ready(value) = future.poll(task) {
            this.future.set(None);
            return Poll::Ready(Ok(value));
        }
        let cancelled = std::task::ready!(this.stopping.poll(task));
        this.future.set(None);
        Poll::Ready(Err(cancelled))
    }
}

impl<F> fmt::Debug for Idle<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Idle")
    }
}

/// The shutdown that a context belongs to.
impl Context {
    /// Waits for new work: runs `future` until the process is to stop, when nothing is under way that is worth
    /// finishing.
    ///
    /// Without a [`Shutdown`](super::Shutdown) above, it runs `future`. The end of this context does not end it:
    /// the await around it does.
    ///
    /// # Errors
    ///
    /// Returns the [`Cancelled`] that says why the process is to stop.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops `future`. What that has produced is never thrown away.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::{Cancelled, Context, cancellable};
    /// use tokio::sync::mpsc;
    ///
    /// #[cancellable]
    /// async fn work(mut jobs: mpsc::Receiver<u32>) -> Result<u32, Cancelled> {
    ///     let mut sum = 0;
    ///     while let Ok(Some(job)) = ctx.idle(jobs.recv()).await {
    ///         tokio::task::yield_now().await; // a job that has begun is finished
    ///         sum += job;
    ///     }
    ///     Ok(sum)
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let (sender, jobs) = mpsc::channel(2);
    /// sender.send(7).await.unwrap();
    /// drop(sender);
    /// assert_eq!(work(&Context::background(), jobs).await.unwrap(), 7);
    /// # }
    /// ```
    pub fn idle<F: Future>(&self, future: F) -> Idle<F> {
        Idle {
            future: Some(future),
            stopping: self.stopping().cancelled_owned(),
            has_begun: false,
        }
    }

    /// Returns the context that ends when the process is to stop: `background` without a
    /// [`Shutdown`](super::Shutdown) above. For what has a graceful shutdown of its own.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// let stopping = Context::background().stopping();
    /// assert!(!stopping.is_cancelled());
    /// ```
    #[must_use]
    pub fn stopping(&self) -> Self {
        let stages: Option<&Stages> = self.value();
        stages.map_or(Self::background(), |stages| stages.stopping.clone())
    }

    /// Returns the phase of the shutdown above, to be watched; without one it stays
    /// [`Running`](Phase::Running).
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use cancel_context::shutdown::Phase;
    ///
    /// let phase = Context::background().phase();
    /// assert_eq!(*phase.borrow(), Phase::Running);
    /// ```
    #[must_use]
    pub fn phase(&self) -> watch::Receiver<Phase> {
        let stages: Option<&Stages> = self.value();
        stages.map_or_else(|| ALWAYS.subscribe(), |stages| stages.phase.clone())
    }
}
