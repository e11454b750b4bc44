//! The current context of a frame: one that is there, or one that is made when somebody asks for it (see [`Lazy`]).

use crate::context::Context;

/// What is the current context in a frame.
#[derive(Clone, Copy)]
pub(crate) struct Current<'a> {
    /// Of one that is not made yet, what it will be derived from.
    context: &'a Context,
    #[cfg(feature = "tower")]
    lazy: Option<&'a dyn Lazy>,
}

/// A context that is made when somebody asks for it: as that of a request, which most of what is polled never does.
///
/// Invariants:
/// 1. Until it is made, it ends as that one does which it will be derived from, and in no other way: so whoever asks
///    for no more than the end looks at that one.
/// 2. Made once, it stays. Frames that were there before have it as their context from then on.
#[cfg(feature = "tower")]
pub(crate) trait Lazy: Sync {
    /// That which was made, or else that from which it will be derived.
    fn context(&self) -> &Context;

    /// Makes it, unless it was made.
    fn make(&self) -> &Context;
}

impl<'a> Current<'a> {
    pub(crate) const fn of(context: &'a Context) -> Self {
        Self {
            context,
            #[cfg(feature = "tower")]
            lazy: None,
        }
    }

    /// One that will be derived from `above`.
    #[cfg(feature = "tower")]
    pub(crate) const fn lazy(above: &'a Context, lazy: &'a dyn Lazy) -> Self {
        Self {
            context: above,
            lazy: Some(lazy),
        }
    }

    /// A context that ends as it does: itself, if it was made when this was.
    #[inline]
    pub(crate) const fn known(self) -> &'a Context {
        self.context
    }

    /// A context that ends as it does: itself, if it was made.
    #[inline]
    pub(crate) fn context(self) -> &'a Context {
        #[cfg(feature = "tower")]
        if let Some(lazy) = self.lazy {
            return lazy.context();
        }
        self.context
    }

    /// The context itself, which is made if it was not.
    #[inline]
    pub(crate) fn make(self) -> &'a Context {
        #[cfg(feature = "tower")]
        if let Some(lazy) = self.lazy {
            return lazy.make();
        }
        self.context
    }
}

impl<'a> From<&'a Context> for Current<'a> {
    fn from(context: &'a Context) -> Self {
        Self::of(context)
    }
}
