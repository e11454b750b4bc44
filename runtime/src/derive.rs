//! Deriving contexts: what each constructor adds to its parent.

use std::any::Any;
use std::borrow::Cow;
use std::error::Error;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cancelled::{Cause, into_cause};
use crate::canceller::{Canceller, Cancellers, DeadlineMover};
use crate::completion::Completion;
use crate::context::Context;
use crate::deadline::Deadline;
#[cfg(feature = "tower")]
use crate::named::{Name, Named};
use crate::state::Unlisted;
use crate::tick::Tick;
use crate::timeline::Clock;
use crate::tree::{Node, Role};
use crate::value::Value;

/// Deriving.
impl Context {
    /// Derives a context together with what cancels it.
    ///
    /// Dropping the last clone of the [`Canceller`] cancels, like Go's `defer cancel()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// drop(canceller);
    /// assert!(ctx.is_cancelled());
    /// ```
    #[must_use = "dropping the canceller cancels at once"]
    #[track_caller]
    pub fn with_cancel(&self) -> (Self, Canceller) {
        let context = self.derive(Role::Cancel(Cancellers::one(Location::caller())));
        (context.clone(), Canceller::new(context))
    }

    /// Derives a context that ends after `timeout` at the latest.
    ///
    /// Zero ends it before this returns; [`Duration::MAX`] means no deadline, as does all that is more than
    /// 292 years away. Nothing has to be released afterwards.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::time::Duration;
    ///
    /// let ctx = Context::background().with_timeout(Duration::MAX);
    /// assert_eq!(ctx.deadline(), None);
    /// assert!(Context::background().with_timeout(Duration::ZERO).is_cancelled());
    /// ```
    #[must_use]
    #[track_caller]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        self.derive_timeout(timeout, None, Location::caller())
    }

    /// Derives a context that ends at `deadline` at the latest; one in the past ends it at once.
    ///
    /// `deadline` is a [`std::time::Instant`] or a `tokio::time::Instant`; one that is more than 292 years
    /// away is none.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::time::Instant;
    ///
    /// assert!(Context::background().with_deadline(Instant::now()).is_cancelled());
    /// ```
    #[must_use]
    #[track_caller]
    pub fn with_deadline(&self, deadline: impl Into<Instant>) -> Self {
        self.derive_deadline(deadline.into(), false, None)
    }

    /// Like [`with_timeout`](Self::with_timeout), with a cause of its own for when time is up. An
    /// explicit cancel above does not use it.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::time::Duration;
    ///
    /// let ctx = Context::background().with_timeout_cause(Duration::ZERO, "route budget is spent");
    /// assert_eq!(ctx.cause().unwrap().to_string(), "route budget is spent");
    /// ```
    #[must_use]
    #[track_caller]
    pub fn with_timeout_cause(
        &self,
        timeout: Duration,
        cause: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        self.derive_timeout(timeout, Some(into_cause(cause)), Location::caller())
    }

    /// Like [`with_deadline`](Self::with_deadline), with a cause of its own.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::time::Instant;
    ///
    /// let ctx = Context::background().with_deadline_cause(Instant::now(), "the market has closed");
    /// assert_eq!(ctx.cause().unwrap().to_string(), "the market has closed");
    /// ```
    #[must_use]
    #[track_caller]
    pub fn with_deadline_cause(
        &self,
        deadline: impl Into<Instant>,
        cause: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        self.derive_deadline(deadline.into(), false, Some(into_cause(cause)))
    }

    /// Derives a context whose deadline can be moved, by the returned owner only, until it passes:
    /// for heartbeats.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::time::{Duration, Instant};
    ///
    /// let start = Instant::now();
    /// let (ctx, mover) = Context::background().with_movable_deadline(start + Duration::from_secs(5));
    /// assert!(mover.move_to(start + Duration::from_secs(60)));
    /// assert_eq!(ctx.deadline(), Some(start + Duration::from_secs(60)));
    /// ```
    #[must_use = "without its owner the deadline cannot be moved"]
    #[track_caller]
    pub fn with_movable_deadline(&self, deadline: impl Into<Instant>) -> (Self, DeadlineMover) {
        let context = self.derive_deadline(deadline.into(), true, None);
        (context.clone(), DeadlineMover::new(context))
    }

    /// Derives a context that carries `value`, found by its type; a newtype serves as a key of
    /// one's own.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// #[derive(Debug, PartialEq)]
    /// struct UserId(u64);
    ///
    /// let ctx = Context::background().with_value(UserId(7));
    /// assert_eq!(ctx.value::<UserId>(), Some(&UserId(7)));
    /// ```
    #[must_use]
    pub fn with_value<T: Any + Send + Sync>(&self, value: T) -> Self {
        self.derive(Role::Value(Value::new(value)))
    }

    /// Derives a context with a name, for the [`path`](Self::path) in errors and reports.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// let ctx = Context::background().with_name(format!("request {}", 7));
    /// assert_eq!(ctx.path(), "request 7");
    /// ```
    #[must_use]
    pub fn with_name(&self, name: impl Into<Cow<'static, str>>) -> Self {
        self.derive(match name.into() {
            Cow::Borrowed(name) => Role::Name(name),
            Cow::Owned(name) => Role::OwnName(name.into()),
        })
    }

    /// Derives a context that does not end with this one, and has no deadline, but the same values.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// let (ctx, canceller) = Context::background().with_value(7_u8).with_cancel();
    /// let audit = ctx.without_cancel();
    /// canceller.cancel();
    /// assert!(!audit.is_cancelled());
    /// assert_eq!(audit.value::<u8>(), Some(&7));
    /// ```
    #[must_use]
    pub fn without_cancel(&self) -> Self {
        self.derive_as(Role::WithoutCancel, Unlisted::Alone)
    }

    /// Makes a context that ends with the first of `sources`, with its kind and cause.
    ///
    /// Of several that have ended already, the first in the list counts. The earliest deadline
    /// counts; values are those of the first source. Without sources it never ends.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// let (user, _user_canceller) = Context::background().with_cancel();
    /// let (server, server_canceller) = Context::background().with_cancel();
    /// let request = Context::any([user, server]);
    /// server_canceller.cancel_with("shutting down");
    /// assert_eq!(request.cause().unwrap().to_string(), "shutting down");
    /// ```
    #[must_use]
    pub fn any(sources: impl IntoIterator<Item = Self>) -> Self {
        let context = Self::merge(sources.into_iter().collect(), Role::Any);
        if let Some(node) = context.node() {
            node.adopt_present_end();
        }
        context
    }

    /// Makes a context that ends with the last of `sources`, with its kind and cause.
    ///
    /// It has a deadline, the latest one, only if all sources have one. Values are those of the
    /// first source. Without sources it never ends.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// let (first, first_canceller) = Context::background().with_cancel();
    /// let (second, second_canceller) = Context::background().with_cancel();
    /// let shared = Context::all([first, second]);
    /// first_canceller.cancel();
    /// assert!(!shared.is_cancelled());
    /// second_canceller.cancel_with("nobody is interested any more");
    /// assert_eq!(shared.cause().unwrap().to_string(), "nobody is interested any more");
    /// ```
    #[must_use]
    pub fn all(sources: impl IntoIterator<Item = Self>) -> Self {
        Self::merge(sources.into_iter().collect(), Role::All)
    }

    /// Derives a context that is cancelled when `future` completes; its output is the cause.
    ///
    /// The future is polled before this returns, and then whenever it wakes, as a task on the
    /// runtime this was called in, or else by whoever wakes it. It is dropped with the context. If
    /// it panics, the context lives on.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// let ctx = Context::background().with_future(async { "the other side has closed" });
    /// assert_eq!(ctx.cause().unwrap().to_string(), "the other side has closed");
    /// ```
    #[must_use]
    #[track_caller]
    pub fn with_future<F>(&self, future: F) -> Self
    where
        F: Future<Output: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        self.derive_completion(&Completion::of_future(future))
    }

    pub(crate) fn derive_completion(&self, completion: &Arc<Completion>) -> Self {
        let context = self.derive(Role::Completion(Arc::clone(completion)));
        if let Some(node) = context.arc() {
            completion.attach(&node);
        }
        context
    }

    /// Derives what ends by a cancel, or with this one.
    #[inline]
    /// As [`with_name`](Self::with_name) and [`with_cancel`](Self::with_cancel), in one node.
    #[cfg(feature = "tower")]
    pub(crate) fn with_named_cancel(
        &self,
        name: Name,
        place: &'static Location<'static>,
    ) -> (Self, Canceller) {
        let named = Named {
            name,
            cancellers: Cancellers::one(place),
        };
        let context = self.derive(Role::NamedCancel(Box::new(named)));
        (context.clone(), Canceller::new(context))
    }

    fn derive(&self, role: Role) -> Self {
        self.derive_as(role, Unlisted::below(self))
    }

    #[inline]
    fn derive_as(&self, role: Role, unlisted: Unlisted) -> Self {
        Self::of(Node::new(self.clone(), role, unlisted))
    }

    pub(crate) fn derive_timeout(
        &self,
        timeout: Duration,
        cause: Option<Cause>,
        place: &'static Location<'static>,
    ) -> Self {
        let (clock, now) = Clock::here_and_now();
        let Some(at) = now.checked_add(timeout) else {
            return self.clone();
        };
        self.derive_until(at, now, false, clock, (cause, place))
    }

    #[track_caller]
    fn derive_deadline(&self, at: Instant, is_movable: bool, cause: Option<Cause>) -> Self {
        let (clock, now) = Clock::here_and_now();
        self.derive_until(at, now, is_movable, clock, (cause, Location::caller()))
    }

    fn derive_until(
        &self,
        at: Instant,
        now: Instant,
        is_movable: bool,
        clock: Clock,
        (cause, place): (Option<Cause>, &'static Location<'static>),
    ) -> Self {
        if Tick::is_never(at) && !is_movable {
            return self.clone();
        }
        let deadline = Deadline::new((at, now), is_movable, clock, cause, place);
        let context = self.derive_as(Role::Deadline(deadline), Unlisted::Other);
        if at <= now
            && let Some(node) = context.node()
        {
            node.end_at_birth(Tick::of(now));
        }
        context
    }

    fn merge(sources: Box<[Self]>, role: impl FnOnce(Box<[Self]>) -> Role) -> Self {
        let first = sources.first().cloned().unwrap_or(Self::background());
        let unlisted = Unlisted::of_merge(&sources);
        first.derive_as(role(sources), unlisted)
    }
}
