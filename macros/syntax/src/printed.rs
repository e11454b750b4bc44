//! Macros that print their source: they get the text that they would have printed.

use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit_mut::VisitMut;
use syn::{BinOp, Expr, Macro, Token};

use crate::assertion_text;
use crate::emit::{Emitter, mixed};
use crate::rewrite::Rewriter;
use crate::source_text::stringify;
use crate::tokens::{Outcome, has_await};

impl Rewriter<'_> {
    /// Input: `assert!(ready.await)`
    ///
    /// Output: `assert!(…, "{}", "assertion failed: ready.await")`
    pub(crate) fn assert(&mut self, input: ParseStream<'_>) -> syn::Result<TokenStream> {
        let mut condition: Expr = input.parse()?;
        let printed = assertion_text::condition(&condition);
        self.visit_expr_mut(&mut condition);
        let comma: Option<Token![,]> = input.parse()?;
        if !input.is_empty() {
            let message = self.arguments(input)?;
            return Ok(quote!(#condition #comma #message));
        }
        let message = Literal::string(&format!("assertion failed: {printed}"));
        Ok(quote!(#condition, "{}", #message))
    }

    /// Input: `dbg!(x.await)`
    ///
    /// Output:
    /// ```text
    /// match … {
    ///     __value => {
    ///         ::std::eprintln!("[{}:{}:{}] {} = {:#?}",
    ///             ::core::file!(), ::core::line!(), ::core::column!(), "x.await", &__value);
    ///         __value
    ///     }
    /// }
    /// ```
    pub(crate) fn debug(&mut self, call: &Macro) -> Outcome {
        let parser = Punctuated::<Expr, Token![,]>::parse_terminated;
        let Ok(arguments) = parser.parse2(call.tokens.clone()) else {
            return Outcome::Unread;
        };
        let mut printed: Vec<Expr> = arguments
            .into_iter()
            .map(|argument| self.debug_argument(call, argument))
            .collect();
        if printed.len() == 1 {
            return printed
                .pop()
                .map_or(Outcome::Unread, |only| Outcome::Replaced(Box::new(only)));
        }
        let span = mixed(call.path.span());
        Outcome::Replaced(Box::new(Expr::Tuple(syn::ExprTuple {
            attrs: Vec::new(),
            paren_token: syn::token::Paren(span),
            elems: printed.into_iter().collect(),
        })))
    }

    fn debug_argument(&mut self, call: &Macro, mut argument: Expr) -> Expr {
        let source = argument.to_token_stream();
        if !has_await(source.clone()) {
            let path = &call.path;
            // The user's own span: the macro prints where it was called.
            return Expr::Verbatim(quote_spanned!(path.span()=> #path!(#source)));
        }
        let printed = Literal::string(&stringify(source));
        self.visit_expr_mut(&mut argument);
        // `line!` looks for the place outside of all expansions: the user's own span.
        let at = call.path.span();
        let place = quote_spanned!(at=> ::core::file!(), ::core::line!(), ::core::column!());
        let span = mixed(at);
        let body = Expr::Verbatim(quote_spanned! {span=>
            {
                ::std::eprintln!("[{}:{}:{}] {} = {:#?}", #place, #printed, &__value);
                __value
            }
        });
        Emitter::match_once(
            span,
            argument.into_token_stream(),
            quote_spanned!(span=> __value),
            body,
        )
    }

    /// Input: `ensure!(ready.await)`
    ///
    /// Output: `ensure!(…, "{}", "Condition failed: `ready.await`")`; a comparison without a message
    /// also shows its operands, see `ensure_comparison`.
    pub(crate) fn ensure(&mut self, call: &mut Macro) -> Outcome {
        let mut replacement = None;
        let parser = |input: ParseStream<'_>| {
            let mut condition: Expr = input.parse()?;
            let comma: Option<Token![,]> = input.parse()?;
            if !input.is_empty() {
                self.visit_expr_mut(&mut condition);
                let message = self.arguments(input)?;
                return Ok(quote!(#condition #comma #message));
            }
            if let Expr::Binary(comparison) = &condition
                && is_comparison(&comparison.op)
            {
                replacement = Some(self.ensure_comparison(call, comparison.clone()));
                return Ok(TokenStream::new());
            }
            let printed = stringify(condition.to_token_stream());
            self.visit_expr_mut(&mut condition);
            let message = Literal::string(&format!("Condition failed: `{printed}`"));
            Ok(quote!(#condition, "{}", #message))
        };
        let Ok(tokens) = parser.parse2(call.tokens.clone()) else {
            return Outcome::Unread;
        };
        if let Some(replacement) = replacement {
            return Outcome::Replaced(Box::new(replacement));
        }
        call.tokens = tokens;
        Outcome::InPlace
    }

    /// Input: `ensure!(a.await == b)`
    ///
    /// Output, where anyhow itself decides whether and how the operands are shown:
    /// ```text
    /// match (&…, &b) {
    ///     (__left, __right) => {
    ///         let __compare = || {
    ///             ensure!(__left == __right);
    ///             ::core::result::Result::Ok(())
    ///         };
    ///         if let ::core::result::Result::Err(__error) = __compare() {
    ///             let __text = ::std::string::ToString::to_string(&__error);
    ///             let __operands = __text.strip_prefix("Condition failed: `__left == __right`").unwrap_or_default();
    ///             ensure!(false, "{}{}", "Condition failed: `a.await == b`", __operands);
    ///         }
    ///     }
    /// }
    /// ```
    fn ensure_comparison(&mut self, call: &Macro, mut comparison: syn::ExprBinary) -> Expr {
        let operator = comparison.op;
        let message = Literal::string(&format!(
            "Condition failed: `{} {} {}`",
            stringify(comparison.left.to_token_stream()),
            stringify(operator.to_token_stream()),
            stringify(comparison.right.to_token_stream()),
        ));
        self.visit_expr_mut(&mut comparison.left);
        self.visit_expr_mut(&mut comparison.right);
        let (left, right) = (comparison.left, comparison.right);
        let (path, span) = (&call.path, mixed(call.path.span()));
        let own = "Condition failed: `__left == __right`"
            .replace("==", &operator.to_token_stream().to_string());
        let body = Expr::Verbatim(quote_spanned! {span=>
            {
                let __compare = || {
                    #path!(__left #operator __right);
                    ::core::result::Result::Ok(())
                };
                if let ::core::result::Result::Err(__error) = __compare() {
                    let __text = ::std::string::ToString::to_string(&__error);
                    let __operands = __text.strip_prefix(#own).unwrap_or_default();
                    #path!(false, "{}{}", #message, __operands);
                }
            }
        });
        Emitter::match_once(
            span,
            quote_spanned!(span=> (&(#left), &(#right))),
            quote_spanned!(span=> (__left, __right)),
            body,
        )
    }
}

fn is_comparison(operator: &BinOp) -> bool {
    matches!(
        operator,
        BinOp::Eq(_) | BinOp::Ne(_) | BinOp::Lt(_) | BinOp::Le(_) | BinOp::Gt(_) | BinOp::Ge(_)
    )
}
