//! Why the context of a request has ended.

use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use super::cause::RemoteCause;
use crate::cancelled::Cause;
use crate::context::Context;

/// How the context of a request has ended: the cause of all that ends because of it.
///
/// # Examples
///
/// ```
/// use cancel_context::Context;
/// use cancel_context::tower::RequestEnd;
///
/// fn log(ctx: &Context) {
///     match RequestEnd::of(ctx) {
///         Some(RequestEnd::Disconnected) => println!("nobody waits for the answer"),
///         Some(RequestEnd::TimedOut { .. }) => println!("too slow"),
///         _ => {}
///     }
/// }
/// # log(&Context::background());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestEnd {
    /// The client has gone before the answer was there, or before all of it was sent.
    Disconnected,
    /// The caller has cancelled it, and says why; see [`ContextLayer::share_causes`](super::ContextLayer::share_causes).
    CancelledByCaller(RemoteCause),
    /// The handler has returned, and the body is sent.
    Answered,
    /// The handler, or the body of its answer, has failed or panicked.
    Failed,
    /// Its time was over.
    TimedOut {
        /// Whose limit it was.
        by: LimitedBy,
        /// The limit.
        after: Duration,
    },
    /// The context of the server has ended.
    ShutDown,
}

/// Who has limited the time of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitedBy {
    /// The caller, by a header.
    Caller,
    /// A [`TimeoutLayer`](super::TimeoutLayer).
    Route,
    /// The [`ContextLayer`](super::ContextLayer) of the server.
    Server,
}

/// The context of the server, as a value of its requests.
pub(super) struct Server(pub(super) Context);

impl RequestEnd {
    /// Returns how the request of `context` has ended, if that is why `context` has.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use cancel_context::tower::RequestEnd;
    ///
    /// assert_eq!(RequestEnd::of(&Context::background()), None);
    /// ```
    #[must_use]
    pub fn of(context: &Context) -> Option<Self> {
        if let Some(end) = context.cause()?.downcast_ref::<Self>() {
            return Some(end.clone());
        }
        let Server(server) = context.value()?;
        context.has_end_of(server).then_some(Self::ShutDown)
    }

    /// Derives a context that ends as timed out, with a limit that was set at `place`.
    pub(super) fn after(
        after: Duration,
        by: LimitedBy,
        context: &Context,
        place: &'static Location<'static>,
    ) -> Context {
        let cause: Cause = Arc::new(Self::TimedOut { by, after });
        context.derive_timeout(after, Some(cause), place)
    }
}

impl fmt::Display for RequestEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnected => f.write_str("client disconnected"),
            Self::CancelledByCaller(cause) => write!(f, "caller cancelled: {cause}"),
            Self::Answered => f.write_str("request answered"),
            Self::Failed => f.write_str("handler failed"),
            Self::TimedOut { by, after } => {
                // The unit stands apart, as that of any quantity.
                let text = format!("{after:?}");
                let (number, unit) =
                    text.split_at(text.find(char::is_alphabetic).unwrap_or(text.len()));
                write!(f, "{by} timeout of {number} {unit}")
            }
            Self::ShutDown => f.write_str("server shut down"),
        }
    }
}

impl fmt::Display for LimitedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Caller => "caller's",
            Self::Route => "route",
            Self::Server => "server",
        })
    }
}

impl Error for RequestEnd {}
