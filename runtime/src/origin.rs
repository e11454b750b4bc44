//! Where the end of a context began.

use std::fmt;
use std::panic::Location;

use crate::raw::Mark;

/// Where the end of a context began.
///
/// # Examples
///
/// ```
/// use cancel_context::{Context, Origin};
///
/// let (ctx, canceller) = Context::background().with_cancel();
/// canceller.cancel();
/// let cancelled = ctx.check().unwrap_err();
/// let Origin::Cancelled(place) = cancelled.origin() else { panic!("by a call") };
/// assert!(place.line() > 0);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Origin {
    /// The call that cancelled it.
    Cancelled(&'static Location<'static>),
    /// The last canceller was dropped; this is where it was made.
    Dropped(&'static Location<'static>),
    /// The call that set the deadline.
    Deadline(&'static Location<'static>),
    /// A future completed, or a cancellation token was cancelled; this is where it was attached.
    Completed(&'static Location<'static>),
    /// A signal arrived; this is its name.
    Signal(&'static str),
    /// The other side of a connection has said so.
    Peer,
}

impl Origin {
    /// As what stands for a whole end, if it was one without a cause.
    pub(crate) fn mark(&self) -> Option<Mark<Location<'static>>> {
        let (at, is_second) = match *self {
            Self::Cancelled(place) => (place, false),
            Self::Dropped(place) => (place, true),
            _ => return None,
        };
        Some(Mark { at, is_second })
    }

    /// What [`mark`](Self::mark) was made of.
    pub(crate) fn of_mark(Mark { at, is_second }: &Mark<Location<'static>>) -> Self {
        if *is_second {
            Self::Dropped(at)
        } else {
            Self::Cancelled(at)
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled(place) => write!(f, "cancelled at {place}"),
            Self::Dropped(place) => write!(f, "dropped, made at {place}"),
            Self::Deadline(place) => write!(f, "set at {place}"),
            Self::Completed(place) => write!(f, "completed, attached at {place}"),
            Self::Signal(name) => write!(f, "signal {name}"),
            Self::Peer => f.write_str("said by the peer"),
        }
    }
}
