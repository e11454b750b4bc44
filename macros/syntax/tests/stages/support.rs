//! Runs the attribute on tokens.

#![expect(clippy::needless_pass_by_value, reason = "called with `quote!(…)`")]

use cancel_context_syntax::{Site, cancellable, sites};
use proc_macro2::TokenStream;
use quote::quote;

/// The output for `#[cancellable(args)] item`, as normalised text.
pub(crate) fn expanded(args: TokenStream, item: TokenStream) -> String {
    cancellable(args, item).to_string()
}

/// The output without options.
pub(crate) fn plain(item: TokenStream) -> String {
    expanded(TokenStream::new(), item)
}

/// The messages of all errors, in order.
pub(crate) fn messages(args: TokenStream, item: TokenStream) -> Vec<String> {
    let output: syn::File = syn::parse2(cancellable(args, item)).expect("the output is items");
    let errors = output.items.iter().filter_map(|item| match item {
        syn::Item::Macro(call) if call.mac.path.segments.last()?.ident == "compile_error" => {
            Some(call.mac.parse_body::<syn::LitStr>().ok()?.value())
        }
        _ => None,
    });
    errors.collect()
}

/// The sites of a function with this body.
pub(crate) fn body_sites(body: TokenStream) -> Vec<Site> {
    sites(
        TokenStream::new(),
        &quote!(async fn f() -> Result<(), E> { #body }),
    )
}

/// Tokens as the output prints them.
pub(crate) fn text(tokens: TokenStream) -> String {
    tokens.to_string()
}
