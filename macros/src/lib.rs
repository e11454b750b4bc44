//! The attribute `#[cancellable]` of `cancel-context`, which re-exports it; nothing depends on
//! this crate directly.

#![forbid(unsafe_code)]

use proc_macro::TokenStream;

/// Makes an async function cancellable: every `.await` in it checks a context.
#[proc_macro_attribute]
pub fn cancellable(args: TokenStream, item: TokenStream) -> TokenStream {
    cancel_context_syntax::cancellable(args.into(), item.into()).into()
}
