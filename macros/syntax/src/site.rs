//! Await sites: where, what, how each is treated.
//!
//! The rewriter fills a list of them as it goes; the sites it guards become the statics of the
//! emitted function, in the order of the list.

use proc_macro2::Span;

/// How an await is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SiteKind {
    /// Checked before its operand is evaluated, and while it is pending.
    Checked,
    /// Runs to completion although the context is cancelled.
    Shielded,
    /// Inside a nested `async` block or closure: checked only where it is polled within a scope.
    Nested,
    /// In the tokens of a macro that cannot be looked into.
    Opaque,
}

/// One await of a function.
#[derive(Clone, Debug)]
pub struct Site {
    /// How it is treated.
    pub kind: SiteKind,
    /// The `await` keyword, or the name of the macro that awaits.
    pub span: Span,
    /// The awaited expression, on one line, cut short.
    pub expression: String,
}
