//! Options, checks and rewriting behind the attribute `#[cancellable]` of `cancel-context`.
//!
//! The stages, each a module: options, signature, validate, rewrite, expand. Nothing here depends
//! on the compiler's own `proc_macro`, so that every stage is tested as a library, and the audit
//! tool reads sites with the code that rewrites them.

#![forbid(unsafe_code)]

mod assertion_text;
mod attributes;
mod blocks;
mod diagnostics;
mod emit;
mod expand;
mod finding;
mod function;
mod inherit;
pub mod inspect;
mod instrument;
mod join;
mod layout;
mod leave;
mod lints;
mod options;
mod printed;
mod rewrite;
mod select;
mod shield;
mod signature;
mod site;
mod source_text;
mod spawns;
mod text;
mod tokens;
mod usage;
mod validate;

use proc_macro2::TokenStream;

pub use crate::finding::Finding;
pub use crate::site::{Site, SiteKind};

/// Expands `#[cancellable(args)] item`.
///
/// Never panics. Where something is wrong, the result has every error and the item as it was
/// written, so that callers and editors have no errors of their own.
#[must_use]
#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape of a procedural macro"
)]
pub fn cancellable(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(args, &item).tokens
}

/// Lists the await sites of an annotated function, in source order.
///
/// Empty where the function cannot be annotated.
#[must_use]
pub fn sites(args: TokenStream, item: &TokenStream) -> Vec<Site> {
    expand::expand(args, item).sites
}
