//! What annotated functions take as their context.

use crate::context::Context;
use crate::guard::Hold;

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
    type Held: Hold + Send + Sync;

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

    #[inline]
    fn as_context(&self) -> &Context {
        self
    }

    #[inline]
    fn hold(&self) -> Self {
        self.clone()
    }
}

impl<'a, T: AsContext + ?Sized> AsContext for &'a T {
    type Held = &'a Context;

    #[inline]
    fn as_context(&self) -> &Context {
        (**self).as_context()
    }

    #[inline]
    fn hold(&self) -> &'a Context {
        (*self).as_context()
    }
}

impl<T: AsContext + ?Sized> AsContext for &mut T {
    type Held = Context;

    #[inline]
    fn as_context(&self) -> &Context {
        (**self).as_context()
    }

    #[inline]
    fn hold(&self) -> Context {
        self.as_context().clone()
    }
}
