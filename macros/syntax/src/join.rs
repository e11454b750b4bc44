//! `join!` and `try_join!` of tokio and futures: each is one await.

use proc_macro2::TokenStream;
use quote::quote_spanned;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit_mut::VisitMut;
use syn::{Expr, Ident, Macro, Token};

use crate::emit::{Guarded, mixed};
use crate::rewrite::Rewriter;
use crate::signature::ends;
use crate::text;
use crate::usage;

impl Rewriter<'_> {
    /// Input: `tokio::join!(a(), b)`
    ///
    /// Output:
    /// ```text
    /// {
    ///     let __context = CHECK;
    ///     let __future0 = a();
    ///     let __future1 = b;
    ///     let __output = ::cancel_context::private::guard(
    ///         __context,
    ///         async move { tokio::join!(__future0, __future1) },
    ///         __kept,
    ///         || &__SITES[0],
    ///     )
    ///     .await;
    ///     match __output { … }
    /// }
    /// ```
    ///
    /// `None` if the tokens are not a list of expressions.
    pub(crate) fn join(&mut self, call: &mut Macro) -> Option<Expr> {
        let (biased, operands) = parse(call).ok()?;
        let at = call.path.span();
        let span = mixed(at);
        let text = text::macro_call(call);
        let name = self.emitter.context_name();
        let owned = operands
            .iter()
            .any(|operand| usage::may_move(operand, name));
        let mut hoisted = TokenStream::new();
        let mut names = Punctuated::<Ident, Token![,]>::new();
        for (index, mut operand) in operands.into_iter().enumerate() {
            self.visit_expr_mut(&mut operand);
            let name = Ident::new(&format!("__future{index}"), span);
            hoisted.extend(quote_spanned!(span=> let #name = #operand;));
            names.push(name);
        }
        let guarded = Guarded {
            at,
            ends: ends(call),
            site: self.guard_site(at, text),
            owned,
            shielded: self.shields > 0,
        };
        call.tokens = quote_spanned!(span=> #biased #names);
        let future = quote_spanned!(span=> async move { #call });
        Some(self.emitter.guarded_block(&guarded, &hoisted, &future))
    }
}

/// Whether the tokens of the call are those of a `join!`.
pub(crate) fn is_join(call: &Macro) -> bool {
    parse(call).is_ok()
}

/// `biased;`, and the futures.
fn parse(call: &Macro) -> syn::Result<(TokenStream, Punctuated<Expr, Token![,]>)> {
    let parser = |input: ParseStream<'_>| {
        let biased = biased(input)?;
        let operands = Punctuated::<Expr, Token![,]>::parse_terminated(input)?;
        Ok((biased, operands))
    };
    parser.parse2(call.tokens.clone())
}

/// `biased;` at the start of the tokens.
pub(crate) fn biased(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let fork = input.fork();
    if fork.parse::<Ident>().is_ok_and(|ident| ident == "biased") && fork.peek(Token![;]) {
        let ident: Ident = input.parse()?;
        let semicolon: Token![;] = input.parse()?;
        return Ok(quote::quote!(#ident #semicolon));
    }
    Ok(TokenStream::new())
}
