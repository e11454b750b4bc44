//! What the attribute's output names, and nothing else. No part of the public interface.

use std::convert::Infallible;
use std::time::Duration;

pub use crate::exits::{Leave, Returns};
pub use crate::guard::{Guard, Hold, Kept};
pub use crate::implicit::{Await, Left, Over, Parked, Returning};
pub use crate::shield::Shield;
pub use crate::site::{At, Noted, Site};

#[cfg(feature = "tokio")]
pub use crate::spawned::Spawned;

use crate::as_context::AsContext;
use crate::cancelled::Cancelled;
use crate::canceller::Canceller;
use crate::context::Context;
use crate::exits::Unwound;
use crate::tree::Node;

/// The context behind a variable; an error at that variable if it is none.
#[inline]
pub fn context<C: AsContext + ?Sized>(context: &C) -> &Context {
    context.as_context()
}

/// Borrows a variable; of a reference, it copies that, so that the variable need not live on.
pub trait Reborrow {
    /// The variable, or what it refers to.
    #[inline]
    fn __reborrow(&self) -> &Self {
        self
    }
}

impl<T: ?Sized> Reborrow for T {}

/// The check as an await begins, before its operand is evaluated.
#[inline]
pub fn has_ended<C: AsContext + ?Sized>(context: &C, site: &'static Site) -> bool {
    let context = context.as_context();
    (cfg!(feature = "testing") || !context.is_live()) && look_before(context, site)
}

#[cold]
#[inline(never)]
fn look_before(context: &Context, site: &'static Site) -> bool {
    #[cfg(feature = "testing")]
    crate::testing::on_await(Some(context), site);
    #[cfg(not(feature = "testing"))]
    let _ = site;
    crate::scope::has_ended(context)
}

/// The error of a function that is left as its await begins.
///
/// # Panics
///
/// Panics if the context has not ended.
#[cold]
#[inline(never)]
pub fn ended<C: AsContext + ?Sized>(context: &C, site: &'static Site) -> Cancelled {
    let cancelled = context.as_context().leave_at(site);
    cancelled.expect("a function is left where its context has ended")
}

/// The context of an await whose operand moves the variable.
#[inline]
pub fn hold<C: AsContext>(context: &C) -> C::Held {
    context.hold()
}

/// The future around an await; gives back what the next one is to be given.
#[inline]
pub fn guard<C: Hold, F: Future, S: At>(
    context: C,
    future: F,
    kept: Kept,
    site: S,
) -> Guard<C::Word, F, S> {
    Guard::new(context, future, kept, site)
}

/// The error of a function that is left at `site`, unless an await below has been.
#[cold]
#[inline(never)]
#[must_use]
pub fn left(cancelled: Cancelled, site: &'static Site) -> Cancelled {
    cancelled.left_at(crate::cancelled::Left::Site(site))
}

/// The check as an await begins whose context is the current one, in code without a value to leave
/// with; before its operand is evaluated.
#[inline]
#[must_use]
pub fn is_over(site: &'static Site) -> bool {
    crate::implicit::is_over::<Unwound>(site)
}

/// The future around that await.
#[inline]
pub const fn around<F, S: At>((): (), future: F, site: S) -> Await<F, Unwound, S> {
    Await::new(future, site)
}

/// The future around an await that only says where it is pending.
#[inline]
pub const fn at<F, S: At>(future: F, site: S) -> Noted<F, S> {
    Noted::new(future, site)
}

/// What follows such code that was left.
pub fn unwind(left: Left) -> Parked<Infallible> {
    Parked::new(left)
}

/// The context inside of `#[shield]`.
#[track_caller]
pub fn shield_context<C: AsContext + ?Sized>(context: &C) -> Context {
    context.as_context().without_cancel()
}

/// The context inside of `#[shield(timeout = …)]`.
#[track_caller]
pub fn shield_context_timeout<C: AsContext + ?Sized>(context: &C, timeout: Duration) -> Context {
    shield_context(context).with_timeout(timeout)
}

/// The future of an await inside of `#[shield]`, whose context is `context`.
pub fn shielded<F: Future>(future: F, context: &Context) -> Shield<F> {
    Shield::new(context.clone(), future)
}

/// The root of a `main` or a test.
#[derive(Debug)]
pub struct Root {
    context: Context,
    // Cancels at the end of the test.
    _canceller: Option<Canceller>,
}

impl Root {
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }
}

/// The root of an annotated `main`, which signals cancel.
///
/// # Panics
///
/// Panics if the process cannot listen for signals.
#[cfg(feature = "tokio")]
#[must_use]
pub fn main_root() -> Root {
    let context = crate::signal::context().expect("the process can listen for signals");
    Root {
        context,
        _canceller: None,
    }
}

/// The root of an annotated `main`.
#[cfg(not(feature = "tokio"))]
#[must_use]
pub fn main_root() -> Root {
    Root {
        context: Context::background(),
        _canceller: None,
    }
}

/// The root of an annotated test, cancelled when the test ends.
#[must_use]
#[track_caller]
pub fn test_root() -> Root {
    let (context, canceller) = Context::background().with_cancel();
    Root {
        context,
        _canceller: Some(canceller),
    }
}

/// How many wakers and callbacks wait for this context itself.
#[must_use]
pub fn waiting(context: &Context) -> usize {
    context
        .anchor()
        .and_then(Context::node)
        .map_or(0, Node::waiting)
}

/// How many contexts derived from this one somebody waits for.
#[must_use]
pub fn children(context: &Context) -> usize {
    context
        .anchor()
        .and_then(Context::node)
        .map_or(0, Node::children)
}
