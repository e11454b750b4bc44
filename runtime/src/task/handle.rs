//! The handle of a spawned task, and why one has no value.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};

use tokio::task::{self, AbortHandle};

use super::body::Ended;
use super::roll::Record;
use crate::cancelled::{Cancelled, Cause};
use crate::sync::Mutex;

/// Waits for a task; made by [`Context::spawn`](crate::Context::spawn) and its kin.
///
/// Dropping it detaches the task, which goes on until its context ends.
///
/// # Cancel safety
///
/// Waiting can be given up, and taken up again with `&mut handle`.
///
/// # Examples
///
/// ```
/// use cancel_context::Context;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let task = Context::background().spawn(async { 7 });
/// assert_eq!(task.await.unwrap(), 7);
/// # }
/// ```
pub struct JoinHandle<T>(task::JoinHandle<Result<T, Ended>>);

impl<T> JoinHandle<T> {
    /// That of a task, of which `record` knows, if any does.
    pub(super) fn of(
        task: task::JoinHandle<Result<T, Ended>>,
        record: Option<Arc<Record>>,
    ) -> Self {
        if let Some(record) = record {
            record.set_abort(task.abort_handle());
        }
        Self(task)
    }

    /// Ends the task without its help, as tokio does: it is dropped where it is pending.
    ///
    /// A blocking task that has begun goes on. Rather cancel the context, which gives the task an error that
    /// says why.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use cancel_context::task::JoinError;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let task = Context::background().spawn(std::future::pending::<()>());
    /// task.abort();
    /// assert!(matches!(task.await, Err(JoinError::Aborted)));
    /// # }
    /// ```
    pub fn abort(&self) {
        self.0.abort();
    }

    /// Returns what aborts the task without waiting for it.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let task = Context::background().spawn(std::future::pending::<()>());
    /// task.abort_handle().abort();
    /// assert!(task.await.is_err());
    /// # }
    /// ```
    #[must_use]
    pub fn abort_handle(&self) -> AbortHandle {
        self.0.abort_handle()
    }

    /// Returns whether the task has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let task = Context::background().spawn(async {});
    /// assert!(!task.is_finished(), "it has not begun");
    /// # }
    /// ```
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// Returns tokio's number of the task.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let task = Context::background().spawn(async { tokio::task::id() });
    /// let id = task.id();
    /// assert_eq!(task.await.unwrap(), id);
    /// # }
    /// ```
    #[must_use]
    pub fn id(&self) -> task::Id {
        self.0.id()
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let joined = ready!(Pin::new(&mut self.0).poll(task));
        Poll::Ready(
            joined
                .map_err(JoinError::from)
                .and_then(|ended| ended.map_err(JoinError::from)),
        )
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinHandle").field(&self.id()).finish()
    }
}

/// Why a task has ended without a value.
///
/// # Examples
///
/// ```
/// use cancel_context::Context;
/// use cancel_context::task::JoinError;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (ctx, canceller) = Context::background().with_cancel();
/// let task = ctx.spawn(std::future::pending::<()>());
/// canceller.cancel_with("the user hung up");
/// match task.await {
///     Err(JoinError::Cancelled(cancelled)) => {
///         assert_eq!(cancelled.cause().to_string(), "the user hung up");
///     }
///     other => unreachable!("{other:?}"),
/// }
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum JoinError {
    /// Its context has ended.
    Cancelled(Cancelled),
    /// It has returned this error: a member of a group.
    Failed(Cause),
    /// It has called [`exit_task`](super::exit_task).
    Exited,
    /// It was aborted, or its runtime has shut down.
    Aborted,
    /// It panicked; the panic was reported when it happened.
    Panicked(Panic),
}

impl JoinError {
    /// Returns why its context has ended, if that is the reason.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let ctx = Context::background().with_timeout(std::time::Duration::ZERO);
    /// let error = ctx.spawn(async {}).await.unwrap_err();
    /// assert!(error.cancelled().unwrap().is_timeout());
    /// # }
    /// ```
    #[must_use]
    pub const fn cancelled(&self) -> Option<&Cancelled> {
        match self {
            Self::Cancelled(cancelled) => Some(cancelled),
            _ => None,
        }
    }
}

impl JoinError {
    #[cfg(feature = "groups")]
    pub(super) const fn is_panic(&self) -> bool {
        matches!(self, Self::Panicked(_))
    }

    /// Gives why its context has ended.
    ///
    /// # Errors
    ///
    /// Returns the error as it was if that is not the reason.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::{Cancelled, Context};
    /// use cancel_context::task::JoinError;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # async fn stop() -> Result<Cancelled, JoinError> {
    /// let ctx = Context::background().with_timeout(std::time::Duration::ZERO);
    /// let cancelled: Cancelled = ctx.spawn(async {}).await.unwrap_err().into_cancelled()?;
    /// # Ok(cancelled)
    /// # }
    /// # assert!(stop().await.unwrap().is_timeout());
    /// # }
    /// ```
    pub fn into_cancelled(self) -> Result<Cancelled, Self> {
        match self {
            Self::Cancelled(cancelled) => Ok(cancelled),
            other => Err(other),
        }
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled(cancelled) => write!(f, "{cancelled}"),
            Self::Failed(cause) => write!(f, "{cause}"),
            Self::Exited => f.write_str("the task has exited"),
            Self::Aborted => f.write_str("the task was aborted"),
            Self::Panicked(panic) => write!(f, "{panic}"),
        }
    }
}

impl Error for JoinError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Cancelled(cancelled) => cancelled.source(),
            Self::Failed(cause) => cause.source(),
            Self::Exited | Self::Aborted | Self::Panicked(_) => None,
        }
    }
}

/// The panic of a task.
///
/// # Examples
///
/// ```
/// use cancel_context::Context;
/// use cancel_context::task::JoinError;
/// use std::panic::{AssertUnwindSafe, catch_unwind};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let task = Context::background().spawn(async { panic!("on purpose") });
/// let Err(JoinError::Panicked(panic)) = task.await else { unreachable!("it panics") };
/// assert!(panic.to_string().contains("on purpose"));
/// let again = catch_unwind(AssertUnwindSafe(|| panic.resume())).unwrap_err();
/// assert_eq!(again.downcast_ref(), Some(&"on purpose"));
/// # }
/// ```
pub struct Panic {
    payload: Mutex<Box<dyn Any + Send>>,
    text: Option<String>,
}

impl Panic {
    pub(super) fn new(payload: Box<dyn Any + Send>) -> Self {
        let text = payload
            .downcast_ref()
            .map(|text: &&str| String::from(*text));
        let text = text.or_else(|| payload.downcast_ref().cloned());
        Self {
            payload: Mutex::new(payload),
            text,
        }
    }

    /// Goes on panicking, on this thread; the panic is not reported a second time.
    pub fn resume(self) -> ! {
        std::panic::resume_unwind(self.payload.into_inner())
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.text {
            Some(text) => write!(f, "a task panicked: {text}"),
            None => f.write_str("a task panicked"),
        }
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Panic({self})")
    }
}

impl From<Cancelled> for JoinError {
    fn from(cancelled: Cancelled) -> Self {
        Self::Cancelled(cancelled)
    }
}

impl From<Ended> for JoinError {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Cancelled(cancelled) => Self::Cancelled(cancelled),
            Ended::Exited => Self::Exited,
        }
    }
}

impl From<task::JoinError> for JoinError {
    fn from(error: task::JoinError) -> Self {
        match error.try_into_panic() {
            Ok(payload) => Self::Panicked(Panic::new(payload)),
            Err(_) => Self::Aborted,
        }
    }
}
