//! Why a context ended: the kind, the cause, and both ends of the story: where it was ended, and
//! the await that was left because of it.
//!
//! Invariants:
//! 1. An [`End`] never changes. All contexts of a subtree that ended together share one.
//! 2. A [`Cancelled`] is built only when somebody asks why; cancelling builds none.

use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::{io, iter};

use crate::line;
use crate::origin::Origin;
use crate::site::Site;
use crate::sync::{AtomicU64, Ordering};
use crate::tick::Tick;
use crate::timeline::When;

/// A shared error that says why a context ended; it can be downcast.
pub type Cause = Arc<dyn Error + Send + Sync + 'static>;

/// The two ways in which a context ends; the texts are those of Go's `context` package.
///
/// # Examples
///
/// ```
/// use cancel_context::Kind;
///
/// assert_eq!(Kind::Cancelled.to_string(), "context canceled");
/// assert_eq!(Kind::DeadlineExceeded.to_string(), "context deadline exceeded");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Somebody cancelled it.
    Cancelled,
    /// Its deadline passed.
    DeadlineExceeded,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "context canceled",
            Self::DeadlineExceeded => "context deadline exceeded",
        })
    }
}

impl Error for Kind {}

/// One end, shared by all contexts that it ended.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) kind: Kind,
    /// `None` stands for the kind's own error.
    pub(crate) cause: Option<Cause>,
    pub(crate) origin: Origin,
    /// When it happened, for the order of two ends that are observed together. A deadline's end
    /// happened at the deadline, however late it was seen.
    pub(crate) when: When,
    /// Breaks ties of `when`: a paused clock gives many ends one instant.
    sequence: u64,
}

/// The number of the next end. A plain counter; ends that race have no order to keep.
static NEXT: AtomicU64 = AtomicU64::new(0);

impl End {
    pub(crate) fn new(kind: Kind, cause: Option<Cause>, origin: Origin, when: When) -> Arc<Self> {
        Arc::new(Self {
            kind,
            cause,
            origin,
            when,
            // Relaxed: see there.
            sequence: NEXT.fetch_add(1, Ordering::Relaxed),
        })
    }

    /// Of a cancel without a cause, which happened when its stamp was made.
    pub(crate) fn of_stamp(origin: Origin, (at, number): (Tick, u32)) -> Arc<Self> {
        Arc::new(Self {
            kind: Kind::Cancelled,
            cause: None,
            origin,
            when: When::at(at),
            sequence: last_ending_in(number),
        })
    }

    /// What a stamp is made of, but for the time.
    pub(crate) fn next_number() -> u32 {
        // Relaxed: as in `new`.
        low_half(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn order(&self) -> (Tick, u64) {
        (self.when.at, self.sequence)
    }

    pub(crate) fn cause(&self) -> Cause {
        self.cause.clone().unwrap_or_else(|| Arc::new(self.kind))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the other half is left out"
)]
fn low_half(number: u64) -> u32 {
    number as u32
}

/// The last number given so far that ends in `low`: that of less than 2^32 ends ago.
fn last_ending_in(low: u32) -> u64 {
    // Relaxed: as in `End::new`.
    let next = NEXT.load(Ordering::Relaxed);
    next.wrapping_sub(u64::from(low_half(next).wrapping_sub(low)))
}

/// Makes a shared cause; one that is a shared error already is not wrapped again.
pub(crate) fn into_cause(error: impl Into<Box<dyn Error + Send + Sync>>) -> Cause {
    match error.into().downcast::<Cause>() {
        Ok(shared) => *shared,
        Err(error) => Arc::from(error),
    }
}

/// The place in the code that a cancellation was left from.
#[derive(Clone, Copy)]
pub(crate) enum Left {
    Site(&'static Site),
    Place(&'static Location<'static>),
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Site(site) => site.fmt(f),
            Self::Place(place) => place.fmt(f),
        }
    }
}

struct Report {
    end: Arc<End>,
    left: Option<Left>,
    path: String,
}

/// Says that a context ended, why, where that began, and which await was left because of it.
///
/// `Display` is one line with both ends:
/// ``context deadline exceeded: left src/db.rs:41:18 `pool.acquire()`; set at src/api.rs:88:9; in gateway/request 7/db``.
///
/// It is one pointer wide, and cheap to clone.
///
/// # Examples
///
/// ```
/// use cancel_context::{Context, Kind};
///
/// let (ctx, canceller) = Context::background().with_name("request 7").with_cancel();
/// assert!(ctx.check().is_ok());
/// canceller.cancel_with("the user hung up");
/// let cancelled = ctx.check().unwrap_err();
/// assert_eq!(cancelled.kind(), Kind::Cancelled);
/// assert_eq!(cancelled.cause().to_string(), "the user hung up");
/// assert_eq!(cancelled.path(), "request 7");
/// ```
#[derive(Clone)]
pub struct Cancelled(Arc<Report>);

impl Cancelled {
    pub(crate) fn new(end: Arc<End>, left: Option<Left>, path: String) -> Self {
        Self(Arc::new(Report { end, left, path }))
    }

    /// One that a peer has reported.
    #[cfg(feature = "tonic")]
    pub(crate) fn by_peer(kind: Kind, cause: Option<impl Error + Send + Sync + 'static>) -> Self {
        let cause = cause.map(|cause| Arc::new(cause) as Cause);
        let when = When::now();
        let end = End::new(kind, cause, Origin::Peer, when);
        Self::new(end, None, crate::Context::current().path())
    }

    /// Finds one in an error and its [sources](Error::source): that of a library that was told of it, say.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::{Cancelled, Context};
    /// use std::io;
    /// use std::time::Duration;
    ///
    /// let ctx = Context::background().with_timeout(Duration::ZERO);
    /// let error = io::Error::other(ctx.check().unwrap_err());
    /// let error: Box<dyn std::error::Error> = error.into();
    /// assert!(Cancelled::find_in(&*error).unwrap().is_timeout());
    /// assert!(Cancelled::find_in(&io::Error::other("disk full")).is_none());
    /// ```
    #[must_use]
    pub fn find_in<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Self> {
        iter::successors(Some(error), |error| below(*error)).find_map(|error| error.downcast_ref())
    }

    /// Says where it was left, unless that is known.
    pub(crate) fn left_at(mut self, left: Left) -> Self {
        if let Some(report) = Arc::get_mut(&mut self.0) {
            report.left.get_or_insert(left);
        }
        self
    }

    /// The end itself, and where it was left.
    #[cfg(feature = "tracing")]
    pub(crate) fn parts(&self) -> (&End, Option<Left>) {
        (&self.0.end, self.0.left)
    }

    /// Returns how the context ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::{Context, Kind};
    /// use std::time::Duration;
    ///
    /// let ctx = Context::background().with_name("job").with_timeout(Duration::ZERO);
    /// let cancelled = ctx.check().unwrap_err();
    /// assert_eq!(cancelled.kind(), Kind::DeadlineExceeded);
    /// ```
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.end.kind
    }

    /// Returns whether a deadline ended it.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::time::Duration;
    ///
    /// let ctx = Context::background().with_name("job").with_timeout(Duration::ZERO);
    /// let cancelled = ctx.check().unwrap_err();
    /// assert!(cancelled.is_timeout());
    /// ```
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.kind() == Kind::DeadlineExceeded
    }

    /// Returns the cause that was given, or the kind's own error.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::io;
    ///
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// canceller.cancel_with(io::Error::other("disk full"));
    /// let cause = ctx.check().unwrap_err().cause();
    /// assert_eq!(cause.downcast_ref::<io::Error>().unwrap().to_string(), "disk full");
    /// ```
    #[must_use]
    pub fn cause(&self) -> Cause {
        self.0.end.cause()
    }

    /// The cause on one line.
    #[cfg(feature = "tower")]
    pub(crate) fn cause_text(&self) -> String {
        line::of_foreign(&self.cause())
    }

    /// Returns where the end began: the call, the deadline, the signal.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::time::Duration;
    ///
    /// let ctx = Context::background().with_name("job").with_timeout(Duration::ZERO);
    /// let cancelled = ctx.check().unwrap_err();
    /// assert!(cancelled.origin().to_string().starts_with("set at "));
    /// ```
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.0.end.origin
    }

    /// Returns the await that was left, if it was one of an annotated function.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::time::Duration;
    ///
    /// let ctx = Context::background().with_name("job").with_timeout(Duration::ZERO);
    /// let cancelled = ctx.check().unwrap_err();
    /// assert!(cancelled.site().is_none(), "`check` is no await");
    /// ```
    #[must_use]
    pub fn site(&self) -> Option<&'static Site> {
        match self.0.left {
            Some(Left::Site(site)) => Some(site),
            _ => None,
        }
    }

    /// Returns the names on the way from the root to the context, joined by `/`; empty without any.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::time::Duration;
    ///
    /// let ctx = Context::background().with_name("job").with_timeout(Duration::ZERO);
    /// let cancelled = ctx.check().unwrap_err();
    /// assert_eq!(cancelled.path(), "job");
    /// ```
    #[must_use]
    pub fn path(&self) -> &str {
        &self.0.path
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind())?;
        if let Some(cause) = &self.0.end.cause {
            write!(f, " ({})", line::of_foreign(cause))?;
        }
        let mut separator = ": ";
        if let Some(left) = self.0.left {
            write!(f, "{separator}left {left}")?;
            separator = "; ";
        }
        write!(f, "{separator}{}", self.origin())?;
        if !self.path().is_empty() {
            write!(f, "; in {}", line::of(self.path()))?;
        }
        Ok(())
    }
}

/// The source of an error; that of an [`io::Error`] that wraps one is the wrapped one's, which would be skipped.
fn below<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    let wrapped = error.downcast_ref().and_then(io::Error::get_ref);
    wrapped.map_or_else(|| error.source(), |wrapped| Some(wrapped))
}

impl fmt::Debug for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cancelled({self})")
    }
}

impl Error for Cancelled {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0
            .end
            .cause
            .as_deref()
            .map(|cause| cause as &(dyn Error + 'static))
    }
}
