//! `#[instrument]` of tracing below our attribute: it records every parameter, and would ask the
//! injected one to be `Debug`, so that one is skipped.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::quote_spanned;
use syn::{Attribute, Meta};

/// Adds the injected parameter to what `#[instrument]` skips.
pub(crate) fn skip_injected(attributes: &mut [Attribute]) {
    for attribute in attributes {
        let last = attribute.path().segments.last();
        if last.is_some_and(|last| last.ident == "instrument") {
            skip(attribute);
        }
    }
}

/// Input: `#[instrument]`, `#[instrument(level = "debug")]`, `#[instrument(skip(x))]`
///
/// Output: `#[instrument(skip(__ctx))]`, `#[instrument(skip(__ctx), level = "debug")]`,
/// `#[instrument(skip(__ctx, x))]`
fn skip(attribute: &mut Attribute) {
    let parameter = Ident::new("__ctx", Span::mixed_site());
    let span = Span::mixed_site();
    match &mut attribute.meta {
        Meta::Path(path) => {
            let list: syn::MetaList = syn::parse_quote_spanned!(span=> #path(skip(#parameter)));
            attribute.meta = Meta::List(list);
        }
        Meta::List(list) => {
            let mentions = |name: &str| {
                let mut tokens = list.tokens.clone().into_iter();
                tokens.any(|token| matches!(token, TokenTree::Ident(ident) if ident == name))
            };
            if mentions("skip_all") {
                return;
            }
            list.tokens = if mentions("skip") {
                extend_skip(list.tokens.clone(), &parameter)
            } else {
                let tokens = &list.tokens;
                quote_spanned!(span=> skip(#parameter), #tokens)
            };
        }
        Meta::NameValue(_) => {}
    }
}

fn extend_skip(tokens: TokenStream, parameter: &Ident) -> TokenStream {
    let mut after_skip = false;
    tokens
        .into_iter()
        .map(|token| {
            let is_list = std::mem::take(&mut after_skip);
            match token {
                TokenTree::Group(group) if is_list => {
                    let names = group.stream();
                    let names = quote_spanned!(parameter.span()=> #parameter, #names);
                    TokenTree::Group(Group::new(Delimiter::Parenthesis, names))
                }
                token => {
                    after_skip = matches!(&token, TokenTree::Ident(ident) if ident == "skip");
                    token
                }
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use quote::{ToTokens, quote};
    use syn::parse_quote;

    use super::*;

    #[test]
    fn the_injected_parameter_is_skipped_once() {
        for (written, expected) in [
            (
                parse_quote!(#[instrument]),
                quote!(#[instrument(skip(__ctx))]),
            ),
            (
                parse_quote!(#[tracing::instrument(level = "debug")]),
                quote!(#[tracing::instrument(skip(__ctx), level = "debug")]),
            ),
            (
                parse_quote!(#[instrument(err, skip(a, b))]),
                quote!(#[instrument(err, skip(__ctx, a, b))]),
            ),
            (
                parse_quote!(#[instrument(skip_all)]),
                quote!(#[instrument(skip_all)]),
            ),
            (parse_quote!(#[inline]), quote!(#[inline])),
        ] {
            let mut attributes: [Attribute; 1] = [written];
            skip_injected(&mut attributes);
            assert_eq!(
                attributes[0].to_token_stream().to_string(),
                expected.to_string()
            );
        }
    }
}
