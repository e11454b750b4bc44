//! The tokens that are put in the place of an await.
//!
//! 1. All paths are absolute, so that a shadowed `Result` or `std` does not matter.
//! 2. Names are those of the macro (`mixed_site`), except the context, which is looked up where the
//!    user wrote the await, so that shadowing it narrows.
//! 3. What can fail to compile because of the user's types has the span of the user's tokens.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Expr, ExprAwait, ExprMatch, Type};

use crate::options::{Options, runtime_path};
use crate::signature::ends;

/// How to name things in one function, and how to leave it.
pub(crate) struct Emitter<'a> {
    options: &'a Options,
    context: Ident,
    /// What a cancelled call returns; shown in errors about leaving.
    output: Option<Type>,
}

/// The parts of one guarded await.
pub(crate) struct Guarded {
    /// The tokens `.await`, or where they would be.
    pub(crate) at: Span,
    pub(crate) site: usize,
    /// The operand may move the context, so the check must not borrow it.
    pub(crate) owned: bool,
    pub(crate) shielded: bool,
}

impl<'a> Emitter<'a> {
    pub(crate) fn new(options: &'a Options, context: &Ident, output: Option<Type>) -> Self {
        Self {
            options,
            context: context.clone(),
            output,
        }
    }

    /// The identifier of the context, located at `span`.
    pub(crate) fn context(&self, span: Span) -> Ident {
        let mut context = self.context.clone();
        context.set_span(context.span().located_at(span));
        context
    }

    /// The identifier of the context as the user wrote it.
    pub(crate) fn context_name(&self) -> &Ident {
        &self.context
    }

    /// `::cancel_context::private::name`
    pub(crate) fn private(&self, name: &str, span: Span) -> TokenStream {
        let runtime = runtime_path(self.options, span);
        let name = Ident::new(name, span);
        quote_spanned!(span=> #runtime::private::#name)
    }

    /// Input: `pool.acquire().await`, of which `operand` is `pool.acquire()`
    ///
    /// Output:
    /// ```text
    /// match ::cancel_context::private::guard(
    ///     match ::cancel_context::private::enter(&ctx, &__SITES[0]) {
    ///         ::core::result::Result::Ok(__context) => __context,
    ///         ::core::result::Result::Err(__cancelled) => return …,
    ///     },
    ///     ::core::future::IntoFuture::into_future(pool.acquire()),
    ///     &mut __waiter,
    ///     &__SITES[0],
    /// )
    /// .await
    /// {
    ///     __output => match __output {
    ///         ::core::result::Result::Ok(__value) => __value,
    ///         ::core::result::Result::Err(__cancelled) => return …,
    ///     },
    /// }
    /// ```
    ///
    /// The outer `match` moves the whole result, so that no half of it is held, as far as `Send`
    /// is concerned, across a later await of the same statement.
    pub(crate) fn guarded(&self, guarded: &Guarded, awaited: ExprAwait) -> Expr {
        let span = mixed(guarded.at);
        let enter = self.enter(guarded);
        let operand = unparenthesised(*awaited.base);
        let mut future = quote_spanned!(span=> ::core::future::IntoFuture::into_future(#operand));
        if guarded.shielded {
            let shielded = self.private("shielded", span);
            let context = self.context(guarded.at);
            future = quote_spanned!(span=> #shielded(#future, &#context));
        }
        let call = self.guard_call(guarded, &enter, &future);
        let (dot, keyword) = (awaited.dot_token, awaited.await_token);
        self.settle(guarded.at, awaited.attrs, quote!(#call #dot #keyword))
    }

    /// `guard(CHECK, FUTURE, &mut __waiter, &__SITES[0])`
    pub(crate) fn guard_call(
        &self,
        guarded: &Guarded,
        check: &TokenStream,
        future: &TokenStream,
    ) -> TokenStream {
        let span = mixed(guarded.at);
        let guard = self.private("guard", span);
        let site = site(guarded.site, span);
        quote_spanned!(span=> #guard(#check, #future, &mut __waiter, #site))
    }

    /// `match RESULT { … }`: the value of a guarded await, or leaves.
    pub(crate) fn settle(&self, at: Span, attrs: Vec<syn::Attribute>, result: TokenStream) -> Expr {
        let span = mixed(at);
        let leave = self.leave(at);
        let arm = quote_spanned! {span=>
            __output => match __output {
                ::core::result::Result::Ok(__value) => __value,
                #leave
            },
        };
        Expr::Match(ExprMatch {
            attrs,
            match_token: syn::Token![match](span),
            expr: Box::new(Expr::Verbatim(result)),
            brace_token: syn::token::Brace(span),
            arms: vec![verbatim_arm(arm)],
        })
    }

    /// The check before the operand; its value is the context for the guard.
    pub(crate) fn enter(&self, guarded: &Guarded) -> TokenStream {
        let span = mixed(guarded.at);
        let enter = self.private(
            if guarded.owned {
                "enter_owned"
            } else {
                "enter"
            },
            span,
        );
        let context = self.context(guarded.at);
        let site = site(guarded.site, span);
        let leave = self.leave(guarded.at);
        quote_spanned! {span=>
            match #enter(&#context, #site) {
                ::core::result::Result::Ok(__context) => __context,
                #leave
            }
        }
    }

    /// The arm that leaves the function; `on_cancel = panic!(…)` would make its `return` unreachable.
    fn leave(&self, at: Span) -> TokenStream {
        let span = mixed(at);
        if let Some(on_cancel) = &self.options.on_cancel {
            let value = &on_cancel.value;
            let cancelled = Ident::new("cancelled", Span::call_site());
            return quote_spanned! {span=>
                #[allow(unreachable_code)]
                ::core::result::Result::Err(#cancelled) => {
                    let _ = &#cancelled;
                    return #value;
                }
            };
        }
        let from_cancelled = match &self.output {
            Some(output) => {
                let (first, last) = ends(output);
                let (first, last) = (mixed(first), mixed(last));
                let runtime = runtime_path(self.options, first);
                let name = quote_spanned!(last=> from_cancelled);
                quote_spanned!(first=> #runtime::FromCancelled::#name)
            }
            None => {
                let runtime = runtime_path(self.options, span);
                quote_spanned!(span=> #runtime::FromCancelled::from_cancelled)
            }
        };
        quote_spanned! {span=>
            ::core::result::Result::Err(__cancelled) => return #from_cancelled(__cancelled),
        }
    }

    /// `static __SITES: [Site; N] = […];`
    ///
    /// The tokens of each `Site::new` call keep the very span of the await, since
    /// `Location::caller` looks for the place outside of all macro expansions.
    pub(crate) fn statics(&self, function: &Ident, sites: &[(Span, String)]) -> TokenStream {
        let span = Span::mixed_site();
        let site_type = self.private("Site", span);
        let count = proc_macro2::Literal::usize_unsuffixed(sites.len());
        let elements = sites.iter().map(|(at, text)| {
            let at = *at;
            let site_type = self.private("Site", at);
            let name = function.to_string();
            quote_spanned! {at=>
                #site_type::new(
                    #text,
                    ::core::concat!(::core::module_path!(), "::", #name),
                )
            }
        });
        quote_spanned! {span=>
            static __SITES: [#site_type; #count] = [#(#elements),*];
        }
    }

    /// `let mut __waiter = Waiter::new();`
    pub(crate) fn waiter(&self) -> TokenStream {
        let span = Span::mixed_site();
        let waiter = self.private("Waiter", span);
        quote_spanned!(span=> let mut __waiter = #waiter::new();)
    }
}

/// The macro's own hygiene, shown at `span`.
pub(crate) fn mixed(span: Span) -> Span {
    Span::mixed_site().located_at(span)
}

fn site(index: usize, span: Span) -> TokenStream {
    let index = proc_macro2::Literal::usize_unsuffixed(index);
    quote_spanned!(span=> &__SITES[#index])
}

/// An arm given as tokens; syn prints it as it is.
fn verbatim_arm(tokens: TokenStream) -> syn::Arm {
    syn::parse2(tokens).expect("emitted arms parse")
}

/// Parentheses around an argument would be a lint.
fn unparenthesised(expression: Expr) -> TokenStream {
    match expression {
        Expr::Paren(paren) if paren.attrs.is_empty() => unparenthesised(*paren.expr),
        other => other.into_token_stream(),
    }
}
