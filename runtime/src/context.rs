//! [`Context`], the public handle: short methods over the tree.

use std::any::Any;
use std::borrow::{Borrow, Cow};
use std::error::Error;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::callbacks::{AfterCancel, InterruptGuard};
use crate::cancelled::{Cancelled, Cause, Kind, Left, into_cause};
use crate::canceller::{Canceller, DeadlineMover};
use crate::completion::Completion;
use crate::deadline::{Deadline, Timeline};
use crate::raw::{Handle, Target};
use crate::scope;
use crate::site::Site;
use crate::tree::{Cancellers, Node, Role};

/// Carries cancellation, a deadline and values through a call tree, as Go's `context.Context` does.
///
/// A context is derived from another one, and ends when that one ends. Who holds only a `Context`
/// cannot cancel it; that takes the [`Canceller`] which came with it. Once ended it stays so, and
/// its [`err`](Self::err) and [`cause`](Self::cause) never change.
///
/// It is one pointer wide, cheap to clone, and needs no async runtime. Two contexts are equal when
/// they are clones of each other.
///
/// # Examples
///
/// ```
/// use cancel_context::Context;
/// use std::time::Duration;
///
/// let (request, canceller) = Context::background().with_name("request 7").with_cancel();
/// let query = request.with_timeout(Duration::from_secs(3));
/// assert!(!query.is_cancelled());
///
/// canceller.cancel();
/// assert!(request.is_cancelled() && query.is_cancelled());
/// ```
#[derive(Clone)]
pub struct Context(Handle<Node>);

/// Identity, reading and waiting.
impl Context {
    /// Returns the root that never ends: for `main`, for tests, and where a request begins.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// static ROOT: Context = Context::background();
    /// assert!(!ROOT.is_cancelled());
    /// ```
    #[must_use]
    pub const fn background() -> Self {
        Self(Handle::background())
    }

    /// Returns a root that never ends, to mark a place where the right context is not known yet.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// assert_eq!(format!("{:?}", Context::todo()), "todo");
    /// assert_ne!(Context::todo(), Context::background());
    /// ```
    #[must_use]
    pub const fn todo() -> Self {
        Self(Handle::todo())
    }

    /// Returns the context in whose scope this is polled; `background` where there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let ctx = Context::background().with_name("job");
    /// let inside = ctx.run(async { Context::current() }).await.unwrap();
    /// assert_eq!(inside, ctx);
    /// assert_eq!(Context::current(), Context::background());
    /// # }
    /// ```
    #[must_use]
    pub fn current() -> Self {
        scope::current()
    }

    /// Returns how the context ended, or `None` while it has not.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::{Context, Kind};
    /// use std::time::Duration;
    ///
    /// let ctx = Context::background().with_timeout(Duration::ZERO);
    /// assert_eq!(ctx.err(), Some(Kind::DeadlineExceeded));
    /// ```
    #[must_use]
    pub fn err(&self) -> Option<Kind> {
        Some(self.node()?.end()?.kind)
    }

    /// Returns why the context ended: the cause it was given, or else the kind's own error. It is
    /// `None` exactly while [`err`](Self::err) is.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::{Context, Kind};
    ///
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// assert!(ctx.cause().is_none());
    /// canceller.cancel();
    /// assert!(ctx.cause().unwrap().downcast_ref::<Kind>().is_some());
    /// ```
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        Some(self.node()?.end()?.cause())
    }

    /// Returns whether the context has ended; consults the clock if it has a deadline.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// assert!(!Context::background().is_cancelled());
    /// ```
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.node().is_some_and(|node| node.end().is_some())
    }

    /// Gives the context's end as an error: for loops that burn CPU, and for blocking code.
    ///
    /// # Errors
    ///
    /// Returns the [`Cancelled`] if the context has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::{Cancelled, Context};
    ///
    /// fn sum(ctx: &Context, numbers: &[u64]) -> Result<u64, Cancelled> {
    ///     let mut sum = 0;
    ///     for chunk in numbers.chunks(1024) {
    ///         ctx.check()?;
    ///         sum += chunk.iter().sum::<u64>();
    ///     }
    ///     Ok(sum)
    /// }
    /// assert_eq!(sum(&Context::background(), &[1, 2, 3]).unwrap(), 6);
    /// ```
    #[track_caller]
    pub fn check(&self) -> Result<(), Cancelled> {
        self.cancelled_at(Some(Left::Place(Location::caller())))
            .map_or(Ok(()), Err)
    }

    /// Returns the earliest deadline that counts for this context, by the clock it was set on.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::time::{Duration, Instant};
    ///
    /// let at = Instant::now() + Duration::from_secs(9);
    /// let ctx = Context::background().with_deadline(at);
    /// assert_eq!(ctx.with_timeout(Duration::from_secs(60)).deadline(), Some(at));
    /// ```
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.node()?.deadline().map(|(at, _)| at)
    }

    /// Returns the time left until the deadline, zero once the context has ended; `None` without a
    /// deadline.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::time::Duration;
    ///
    /// let ctx = Context::background().with_timeout(Duration::from_secs(9));
    /// assert!(ctx.remaining().unwrap() <= Duration::from_secs(9));
    /// assert_eq!(Context::background().remaining(), None);
    /// ```
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        let node = self.node()?;
        let (at, deadline) = node.deadline()?;
        Some(if node.end().is_some() {
            Duration::ZERO
        } else {
            deadline.until(at)
        })
    }

    /// Returns the names given on the way here, joined by `/`.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// let ctx = Context::background().with_name("gateway").with_name("request 7");
    /// assert_eq!(ctx.path(), "gateway/request 7");
    /// ```
    #[must_use]
    pub fn path(&self) -> String {
        self.node().map(Node::path).unwrap_or_default()
    }

    /// Returns how many handles, cancellers and derived contexts keep this context in memory, this
    /// handle included; 0 for a root without memory. For tests and reports of what is left over.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// let root = Context::background().with_name("service");
    /// let request = root.with_name("request");
    /// assert_eq!(root.handle_count(), 2);
    /// drop(request);
    /// assert_eq!(root.handle_count(), 1);
    /// ```
    #[must_use]
    pub fn handle_count(&self) -> usize {
        self.0.strong_count()
    }
}

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
        let context = self.derive(Role::Cancel(Cancellers::one()));
        (context.clone(), Canceller::new(context))
    }

    /// Derives a context that ends after `timeout` at the latest.
    ///
    /// Zero ends it before this returns; [`Duration::MAX`] means no deadline. Nothing has to be
    /// released afterwards.
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
        self.derive_timeout(timeout, None)
    }

    /// Derives a context that ends at `deadline` at the latest; one in the past ends it at once.
    ///
    /// `deadline` is a [`std::time::Instant`] or a `tokio::time::Instant`.
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
        self.derive_timeout(timeout, Some(into_cause(cause)))
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
    #[track_caller]
    pub fn with_value<T: Any + Send + Sync>(&self, value: T) -> Self {
        self.derive(Role::Value(Box::new(value), std::any::type_name::<T>()))
    }

    /// Returns the nearest value of type `T` on the way to the root.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// let ctx = Context::background().with_value(1_u8).with_value("text").with_value(2_u8);
    /// assert_eq!(ctx.value::<u8>(), Some(&2));
    /// assert_eq!(ctx.value::<u16>(), None);
    /// ```
    #[must_use]
    pub fn value<T: Any>(&self) -> Option<&T> {
        let mut next = self.node();
        while let Some(node) = next {
            if let Role::Value(value, _) = &node.role
                && let Some(value) = value.downcast_ref()
            {
                return Some(value);
            }
            next = node.lineage().node();
        }
        None
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
    #[track_caller]
    pub fn with_name(&self, name: impl Into<Cow<'static, str>>) -> Self {
        self.derive(Role::Name(name.into()))
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
    #[track_caller]
    pub fn without_cancel(&self) -> Self {
        self.derive(Role::WithoutCancel)
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
    #[track_caller]
    pub fn any(sources: impl IntoIterator<Item = Self>) -> Self {
        Self::merge(sources.into_iter().collect(), Role::Any)
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
    #[track_caller]
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
        let completion = Completion::new(async { into_cause(future.await) });
        let context = self.derive(Role::Completion(Arc::clone(&completion)));
        if let Some(node) = context.arc() {
            completion.attach(&node);
        }
        context
    }

    #[track_caller]
    fn derive(&self, role: Role) -> Self {
        Self(Handle::shared(Node::new(
            self.clone(),
            role,
            Location::caller(),
        )))
    }

    #[track_caller]
    fn derive_timeout(&self, timeout: Duration, cause: Option<Cause>) -> Self {
        match Timeline::here().now().checked_add(timeout) {
            Some(at) if timeout < Duration::MAX => self.derive_deadline(at, false, cause),
            _ => self.clone(),
        }
    }

    #[track_caller]
    fn derive_deadline(&self, at: Instant, movable: bool, cause: Option<Cause>) -> Self {
        let place = Location::caller();
        self.derive(Role::Deadline(Deadline::new(
            at,
            movable,
            Timeline::here(),
            cause,
            place,
        )))
    }

    #[track_caller]
    fn merge(sources: Box<[Self]>, role: impl FnOnce(Box<[Self]>) -> Role) -> Self {
        let first = sources.first().cloned().unwrap_or(Self::background());
        first.derive(role(sources))
    }
}

/// When it ends.
impl Context {
    /// Runs `action` once when the context ends, as Go's `AfterFunc` does.
    ///
    /// It runs as a task of its own on the runtime in which this was called; outside of one, or when
    /// that runtime is gone, on the thread that cancels. If the context has ended already, it is
    /// started before this returns. It is freed when nothing can end the context any more.
    ///
    /// # Panics
    ///
    /// A panic of `action` reaches nobody but the panic hook.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::sync::mpsc::channel;
    ///
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// let (sender, receiver) = channel();
    /// ctx.after_cancel(move || sender.send("cleaned up").unwrap());
    /// canceller.cancel();
    /// assert_eq!(receiver.recv().unwrap(), "cleaned up");
    /// ```
    pub fn after_cancel(&self, action: impl FnOnce() + Send + 'static) -> AfterCancel {
        AfterCancel::register(self, action)
    }

    /// Attaches a library's own interrupt: `action` runs on the thread that ends the context, at
    /// most once, and never after the guard was dropped.
    ///
    /// If the context has ended already, it runs before this returns. Keep `action` short: a
    /// deadline runs it on the runtime's timer task.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::sync::atomic::{AtomicBool, Ordering};
    ///
    /// static STOP: AtomicBool = AtomicBool::new(false);
    ///
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// let guard = ctx.interrupt_with(|| STOP.store(true, Ordering::Relaxed));
    /// canceller.cancel();
    /// assert!(STOP.load(Ordering::Relaxed));
    /// drop(guard);
    /// ```
    pub fn interrupt_with(&self, action: impl FnOnce() + Send + 'static) -> InterruptGuard {
        InterruptGuard::register(self, action)
    }
}

/// For the crate.
impl Context {
    pub(crate) fn node(&self) -> Option<&Node> {
        match self.0.target() {
            Target::Shared(node) => Some(node),
            Target::Background | Target::Todo => None,
        }
    }

    pub(crate) fn arc(&self) -> Option<Arc<Node>> {
        self.0.to_arc()
    }

    pub(crate) fn into_arc(self) -> Option<Arc<Node>> {
        self.0.into_arc()
    }

    pub(crate) fn address(&self) -> usize {
        self.0.address()
    }

    /// The nearest context on the way to the root that does not just end with its parent; `None` if
    /// that is one which never ends.
    pub(crate) fn anchor(&self) -> Option<&Self> {
        let mut context = self;
        loop {
            let node = context.node()?;
            match node.role {
                Role::WithoutCancel => return None,
                _ if node.is_transparent() => context = node.lineage(),
                _ => return Some(context),
            }
        }
    }

    pub(crate) fn anchor_arc(&self) -> Option<Arc<Node>> {
        self.anchor().and_then(Self::arc)
    }

    /// Why it has ended, if it has, for somebody who leaves at `left`.
    pub(crate) fn cancelled_at(&self, left: Option<Left>) -> Option<Cancelled> {
        let node = self.node()?;
        let end = node.end()?;
        Some(Cancelled::new(Arc::clone(end), left, node.path()))
    }

    pub(crate) fn left_at(&self, site: &'static Site) -> Option<Cancelled> {
        self.cancelled_at(Some(Left::Site(site)))
    }
}

impl PartialEq for Context {
    fn eq(&self, other: &Self) -> bool {
        self.address() == other.address()
    }
}

impl Eq for Context {}

impl Hash for Context {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.address().hash(state);
    }
}

// What a panic may leave behind half changed is never visible through a context: its nodes change
// under locks that no foreign code runs under, and values are shared immutably.
impl UnwindSafe for Context {}
impl RefUnwindSafe for Context {}

impl fmt::Debug for Context {
    /// The derivation, root first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.target() {
            Target::Background => f.write_str("background"),
            Target::Todo => f.write_str("todo"),
            Target::Shared(node) => node.fmt(f),
        }
    }
}

/// What can be handed to an annotated function as its context: a `Context`, or a reference to one.
///
/// Annotated functions take `impl AsContext`: pass `&ctx`, or an owned `Context` where the future
/// has to be `'static`.
///
/// # Examples
///
/// ```
/// use cancel_context::{AsContext, Context};
///
/// fn path(ctx: impl AsContext) -> String {
///     ctx.as_context().path()
/// }
/// let ctx = Context::background().with_name("job");
/// assert_eq!(path(&ctx), "job");
/// assert_eq!(path(ctx), "job");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no `cancel_context::Context`",
    label = "not a context",
    note = "pass `&ctx` or an owned `Context`; where a parameter of another kind is named `ctx`, write `#[cancellable(ctx = name)]` or `#[cancellable(inject = name)]`"
)]
pub trait AsContext: Send + Sync {
    /// The context, kept for the time of one await without borrowing the variable it is in.
    #[doc(hidden)]
    type Held: Borrow<Context> + Send + Sync;

    /// Borrows the context.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::{AsContext, Context};
    ///
    /// let ctx = Context::background().with_name("job");
    /// assert_eq!((&ctx).as_context().path(), "job");
    /// ```
    fn as_context(&self) -> &Context;

    #[doc(hidden)]
    fn hold(&self) -> Self::Held;
}

impl AsContext for Context {
    type Held = Self;

    fn as_context(&self) -> &Context {
        self
    }

    fn hold(&self) -> Self {
        self.clone()
    }
}

impl<'a, T: AsContext + ?Sized> AsContext for &'a T {
    type Held = &'a Context;

    fn as_context(&self) -> &Context {
        (**self).as_context()
    }

    fn hold(&self) -> &'a Context {
        (*self).as_context()
    }
}

impl<T: AsContext + ?Sized> AsContext for &mut T {
    type Held = Context;

    fn as_context(&self) -> &Context {
        (**self).as_context()
    }

    fn hold(&self) -> Context {
        self.as_context().clone()
    }
}
