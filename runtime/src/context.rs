//! [`Context`], the public handle: reading, identity, and the way to its node.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[cfg(any(feature = "tower", feature = "tracing"))]
use crate::cancelled::End;
use crate::cancelled::{Cancelled, Cause, Kind, Left};
use crate::raw::{Borrowed, Handle};
use crate::scope;
use crate::state::{NEVER, State};
use crate::tree::{Node, Role};

/// Carries cancellation, a deadline and values through a call tree, as Go's `context.Context` does.
///
/// A context is derived from another one, and ends when that one ends. Who holds only a `Context`
/// cannot cancel it; that takes the [`Canceller`](crate::Canceller) which came with it. Once ended it stays so, and
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
    #[inline]
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.node().is_some_and(Node::has_ended)
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
        self.node()?.deadline().map(|(at, _)| at.instant())
    }

    /// Returns the time left until the deadline, and zero once the context has ended, with or without
    /// a deadline; `None` if it has not ended and has none.
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
        if node.end().is_some() {
            return Some(Duration::ZERO);
        }
        let (at, deadline) = node.deadline()?;
        Some(deadline.until(at))
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
            if let Some(value) = node.own_value() {
                return Some(value);
            }
            next = match node.up.next_two() {
                Some((first, second)) => {
                    if let Some(value) = first.own_value() {
                        return Some(value);
                    }
                    Some(second)
                }
                None => node.lineage().node(),
            };
        }
        None
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

/// For the crate.
impl Context {
    /// The address of `background`.
    pub(crate) const BACKGROUND_ADDRESS: usize = crate::raw::BACKGROUND;

    pub(crate) fn of(node: Arc<Node>) -> Self {
        Self(Handle::shared(node))
    }

    #[inline]
    pub(crate) fn node(&self) -> Option<&Node> {
        self.0.get()
    }

    pub(crate) fn arc(&self) -> Option<Arc<Node>> {
        self.0.to_arc()
    }

    pub(crate) fn into_arc(self) -> Option<Arc<Node>> {
        self.0.into_arc()
    }

    #[inline]
    pub(crate) fn address(&self) -> usize {
        self.0.address()
    }

    /// The nearest context on the way to the root that does not just end with its parent; `None` if
    /// that is one which never ends.
    #[inline]
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

    /// The node, without a count of its own.
    #[inline]
    pub(crate) fn shared(&self) -> Option<Borrowed<'_, Node>> {
        self.0.shared_value()
    }

    pub(crate) fn anchor_arc(&self) -> Option<Arc<Node>> {
        self.anchor().and_then(Self::arc)
    }

    /// Why it has ended, if it has, for somebody who leaves at `left`.
    pub(crate) fn cancelled_at(&self, left: Option<Left>) -> Option<Cancelled> {
        let node = self.node()?;
        Some(Cancelled::new(node.end_arc()?, left, node.path()))
    }

    /// Whether one load tells that it has not ended.
    #[inline]
    pub(crate) fn is_live(&self) -> bool {
        self.node().is_none_or(|node| node.state().is_live())
    }

    /// What it knows of its own end.
    #[inline]
    pub(crate) fn state(&self) -> &State {
        self.node().map_or(&NEVER, Node::state)
    }

    /// Whether a token was made of it, which is to be cancelled and does not keep it in memory.
    #[cfg(feature = "tower")]
    pub(crate) fn may_have_token(&self) -> bool {
        let node = self.anchor().and_then(Self::node);
        node.is_some_and(Node::has_callback)
    }

    /// Whether `source`, from which it was derived, has ended, and it because of that.
    #[cfg(feature = "tower")]
    pub(crate) fn has_end_of(&self, source: &Self) -> bool {
        let end = source.node().and_then(Node::end);
        end.is_some_and(|end| self.has_end(end))
    }

    #[cfg(any(feature = "tower", feature = "tracing"))]
    pub(crate) fn has_end(&self, end: &End) -> bool {
        let own = self.node().and_then(Node::end);
        own.is_some_and(|own| std::ptr::eq(own, end))
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
        match self.node() {
            Some(node) => node.fmt(f),
            None if self.0.is_todo() => f.write_str("todo"),
            None => f.write_str("background"),
        }
    }
}
