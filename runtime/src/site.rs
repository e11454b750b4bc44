//! An await in annotated code: where it is, and what it waits for.
//!
//! The attribute emits one `static` per await, so a site has an identity for the whole process:
//! its address, and across runs its place.
//!
//! Each await that is pending says so to its thread; the first to do so in a poll is the innermost one. Who polls
//! a task asks for it afterwards, and so can say where the task is.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as Task, Poll};

use pin_project_lite::pin_project;

use crate::scope;

/// An await of an annotated function: its place, its text and the function it is in.
///
/// Two sites are equal when they are the same await: same file, line and column, in the same
/// function. `Display` is ``src/db.rs:41:18 `pool.acquire()` ``.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "macros")]
/// # mod example {
/// use cancel_context::{Cancelled, Context, cancellable};
///
/// #[cancellable]
/// async fn wait() -> Result<(), Cancelled> {
///     std::future::pending::<()>().await;
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # pub async fn main() {
/// let ctx = Context::background().with_timeout(std::time::Duration::ZERO);
/// let cancelled = wait(&ctx).await.unwrap_err();
/// let site = cancelled.site().unwrap();
/// assert_eq!(site.expression(), "std::future::pending::<()>()");
/// assert!(site.function().ends_with("::wait"));
/// # }
/// # }
/// # fn main() {
/// #     #[cfg(feature = "macros")]
/// #     example::main();
/// # }
/// ```
pub struct Site {
    place: &'static Location<'static>,
    expression: &'static str,
    function: &'static str,
}

impl Site {
    /// For the attribute: a site at the place of the caller.
    #[doc(hidden)]
    #[must_use]
    #[track_caller]
    pub const fn new(expression: &'static str, function: &'static str) -> Self {
        Self {
            place: Location::caller(),
            expression,
            function,
        }
    }

    /// Returns the source file, as the compiler was given it.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Site;
    ///
    /// static SITE: Site = Site::new("pool.acquire()", "db::user");
    /// assert!(SITE.file().ends_with(".rs"));
    /// ```
    #[must_use]
    pub fn file(&self) -> &'static str {
        self.place.file()
    }

    /// Returns the line of the `await`, counted from 1.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Site;
    ///
    /// static SITE: Site = Site::new("pool.acquire()", "db::user");
    /// assert!(SITE.line() >= 1);
    /// ```
    #[must_use]
    pub fn line(&self) -> u32 {
        self.place.line()
    }

    /// Returns the column of the `await`, counted from 1.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Site;
    ///
    /// static SITE: Site = Site::new("pool.acquire()", "db::user");
    /// assert!(SITE.column() >= 1);
    /// ```
    #[must_use]
    pub fn column(&self) -> u32 {
        self.place.column()
    }

    /// Returns the awaited expression as the source has it, cut where it is long.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Site;
    ///
    /// static SITE: Site = Site::new("pool.acquire()", "db::user");
    /// assert_eq!(SITE.expression(), "pool.acquire()");
    /// ```
    #[must_use]
    pub fn expression(&self) -> &'static str {
        self.expression
    }

    /// Returns the path of the function the await is in.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Site;
    ///
    /// static SITE: Site = Site::new("pool.acquire()", "db::user");
    /// assert_eq!(SITE.function(), "db::user");
    /// ```
    #[must_use]
    pub fn function(&self) -> &'static str {
        self.function
    }

    fn identity(&self) -> (&'static str, u32, u32, &'static str) {
        (self.file(), self.line(), self.column(), self.function)
    }
}

/// Where an await is. A function, since that takes no room in the await's future.
pub trait At: Fn() -> &'static Site + Copy {}

impl<S: Fn() -> &'static Site + Copy> At for S {}

/// Runs the poll of a task, and gives the innermost await that was pending in it.
#[cfg(feature = "tokio")]
pub(crate) fn noted<R>(poll: impl FnOnce() -> R) -> (R, Option<&'static Site>) {
    let above = Above(scope::with(|scope| scope.pending.take()));
    let polled = poll();
    let pending = scope::with(|scope| scope.pending.get());
    drop(above);
    (polled, pending)
}

/// What was noted in the poll around this one; restored also when this one panics.
#[cfg(feature = "tokio")]
struct Above(Option<&'static Site>);

#[cfg(feature = "tokio")]
impl Drop for Above {
    fn drop(&mut self) {
        scope::with(|scope| scope.pending.set(self.0));
    }
}

pin_project! {
    /// An await that only says where it is pending; made by the attribute.
    #[must_use = "futures do nothing unless polled"]
    pub struct Noted<F, S> {
        #[pin]
        future: F,
        site: S,
    }
}

impl<F, S> Noted<F, S> {
    #[inline]
    pub(crate) const fn new(future: F, site: S) -> Self {
        Self { future, site }
    }
}

impl<F: Future, S: At> Future for Noted<F, S> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<F::Output> {
        let this = self.project();
        let polled = this.future.poll(task);
        if polled.is_pending() {
            scope::with(|scope| scope.note(*this.site));
        }
        polled
    }
}

impl<F, S> fmt::Debug for Noted<F, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Noted")
    }
}

impl PartialEq for Site {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Site {}

impl Hash for Site {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.place, self.expression)
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Site({self} in {})", self.function)
    }
}
