//! Await sites: where, what, how each is treated.
//!
//! The rewriter fills a list of them as it goes; the sites it guards become the statics of the
//! emitted function, in the order of the list.

use proc_macro2::Span;

/// How an await is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SiteKind {
    /// Checked before its operand is evaluated, and while it is pending; in a nested `async` block or
    /// closure whenever that is polled within a scope.
    Checked,
    /// Runs to completion although the context is cancelled.
    Shielded,
    /// In tokens that cannot be read, so it is not checked.
    Opaque,
    /// In an `async` block that is handed to a task of its own, which is in no scope.
    Detached,
}

/// One await of a function.
#[derive(Clone, Debug)]
pub struct Site {
    /// How it is treated.
    pub kind: SiteKind,
    /// Whether it is detached on purpose, by `allow(detached)`.
    pub is_allowed: bool,
    /// The `await` keyword, or the name of the macro that awaits.
    pub span: Span,
    /// The awaited expression, on one line, cut short.
    pub expression: String,
}
