//! What a cancelled call returns.

use crate::cancelled::{Cancelled, Kind};

/// `TimedOut` for a deadline and `Other` for a cancel, never `Interrupted`, which callers retry;
/// [`std::io::Error::downcast`] and `get_ref` find the [`Cancelled`] again.
impl From<Cancelled> for std::io::Error {
    fn from(cancelled: Cancelled) -> Self {
        let kind = match cancelled.kind() {
            Kind::DeadlineExceeded => std::io::ErrorKind::TimedOut,
            Kind::Cancelled => std::io::ErrorKind::Other,
        };
        Self::new(kind, cancelled)
    }
}

/// The one-line text.
impl From<Cancelled> for String {
    fn from(cancelled: Cancelled) -> Self {
        cancelled.to_string()
    }
}

/// For functions whose error says nothing.
impl From<Cancelled> for () {
    fn from(_: Cancelled) -> Self {}
}

/// What a cancelled call returns in place of its value.
///
/// Implemented for every `Result` whose error is `From<Cancelled>`; a value is never made up.
/// Implement it for a return type of your own that can say "cancelled".
///
/// # Examples
///
/// ```
/// use cancel_context::{Cancelled, FromCancelled};
///
/// enum Reply {
///     Text(String),
///     Gone(Cancelled),
/// }
///
/// impl FromCancelled for Reply {
///     fn from_cancelled(cancelled: Cancelled) -> Self {
///         Reply::Gone(cancelled)
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a cancelled call cannot return `{Self}`",
    label = "cannot say that the call was cancelled",
    note = "return a `Result` whose error is `From<Cancelled>`, or write `#[cancellable(on_cancel = expr)]`"
)]
pub trait FromCancelled {
    /// Builds what the cancelled call returns.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::{Cancelled, Context, FromCancelled};
    ///
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// canceller.cancel();
    /// let cancelled = ctx.check().unwrap_err();
    /// let result = Result::<u8, Cancelled>::from_cancelled(cancelled);
    /// assert!(result.is_err());
    /// ```
    fn from_cancelled(cancelled: Cancelled) -> Self;
}

impl<T, E: From<Cancelled>> FromCancelled for Result<T, E> {
    fn from_cancelled(cancelled: Cancelled) -> Self {
        Err(E::from(cancelled))
    }
}
