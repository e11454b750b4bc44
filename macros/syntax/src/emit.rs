//! The tokens that are put in the place of an await.
//!
//! 1. All paths are absolute, so that a shadowed `Result` or `std` does not matter.
//! 2. Names are those of the macro (`mixed_site`), except the context, which is looked up where the
//!    user wrote the await, so that shadowing it narrows.
//! 3. What can fail to compile because of the user's types has the span of the user's tokens.

use proc_macro2::{Delimiter, Group, Ident, Literal, Span, TokenStream};
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
    /// The first and the last token of the whole expression: rustc underlines it where its type
    /// is wrong.
    pub(crate) ends: (Span, Span),
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
    ///         ::core::result::Result::Err(__cancelled) => return __leave(__cancelled),
    ///     },
    ///     ::core::future::IntoFuture::into_future(pool.acquire()),
    ///     &mut __waiter,
    ///     &__SITES[0],
    /// )
    /// .await
    /// {
    ///     __output => match __output {
    ///         #[allow(unreachable_code)]
    ///         ::core::result::Result::Ok(__value) => (__value,).0,
    ///         ::core::result::Result::Err(__cancelled) => return __leave(__cancelled),
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
        let future = quote_spanned!(span=> ::core::future::IntoFuture::into_future(#operand));
        let call = self.guard_call(guarded, &enter, &future);
        let (dot, keyword) = (awaited.dot_token, awaited.await_token);
        self.settle(guarded, awaited.attrs, quote!(#call #dot #keyword))
    }

    /// A macro that awaits: `hoisted` statements in the function's own body, then the guarded
    /// `future`.
    ///
    /// Output: `{ let __context = CHECK; HOISTED let __output = GUARD.await; match __output { … } }`
    pub(crate) fn guarded_block(
        &self,
        guarded: &Guarded,
        hoisted: &TokenStream,
        future: &TokenStream,
    ) -> Expr {
        let span = mixed(guarded.at);
        let enter = self.enter(guarded);
        let call = self.guard_call(guarded, &quote_spanned!(span=> __context), future);
        let settled = self.settle(guarded, Vec::new(), quote_spanned!(span=> __output));
        Expr::Verbatim(quote_spanned! {span=>
            {
                let __context = #enter;
                #hoisted
                let __output = #call.await;
                #settled
            }
        })
    }

    /// `match SCRUTINEE { PATTERN => BODY }`
    pub(crate) fn match_once(
        span: Span,
        scrutinee: TokenStream,
        pattern: TokenStream,
        body: Expr,
    ) -> Expr {
        Expr::Match(ExprMatch {
            attrs: Vec::new(),
            match_token: syn::Token![match](span),
            expr: Box::new(Expr::Verbatim(scrutinee)),
            brace_token: syn::token::Brace(span),
            arms: vec![syn::Arm {
                attrs: Vec::new(),
                pat: syn::Pat::Verbatim(pattern),
                fat_arrow_token: syn::Token![=>](span),
                body: Box::new(body),
                comma: Some(syn::Token![,](span)),
            }],
        })
    }

    /// `guard(CHECK, FUTURE, &mut __waiter, &__SITES[0])`
    ///
    /// Within a shield, enclosing awaits are told to wait for it: `shielded(guard(…), &ctx)`. The
    /// guard is inside, since it has to leave when the shield's own time is up.
    pub(crate) fn guard_call(
        &self,
        guarded: &Guarded,
        check: &TokenStream,
        future: &TokenStream,
    ) -> TokenStream {
        let span = mixed(guarded.at);
        let guard = self.private("guard", span);
        let site = site(guarded.site, span);
        let call = quote_spanned!(span=> #guard(#check, #future, &mut __waiter, #site));
        if !guarded.shielded {
            return call;
        }
        let shielded = self.private("shielded", span);
        let context = self.context(guarded.at);
        quote_spanned!(span=> #shielded(#call, &#context))
    }

    /// `match RESULT { … }`: the value of a guarded await, or leaves.
    ///
    /// The value is the field of a tuple only for its span: from the first to the last token of
    /// what the user wrote. A value of type `!` would make the tuple unreachable.
    pub(crate) fn settle(
        &self,
        guarded: &Guarded,
        attrs: Vec<syn::Attribute>,
        result: TokenStream,
    ) -> Expr {
        let span = mixed(guarded.at);
        let leave = self.leave(guarded.at);
        let value = seen_at(&quote_spanned!(span=> __value), guarded.ends);
        let value = quote_spanned! {span=>
            match __output {
                #[allow(unreachable_code)]
                ::core::result::Result::Ok(__value) => #value,
                #leave
            }
        };
        let pattern = quote_spanned!(span=> __output);
        let mut settled = Self::match_once(span, result, pattern, Expr::Verbatim(value));
        if let Expr::Match(settled) = &mut settled {
            settled.attrs = attrs;
        }
        settled
    }

    /// Input: the rewritten `save().await` of the statement `save().await;`
    ///
    /// Output: `(REWRITTEN,).0`, so that an unused result is reported where the user wrote it.
    pub(crate) fn discarded(expression: &Expr, ends: (Span, Span)) -> Expr {
        let value = seen_at(&expression.to_token_stream(), ends);
        Expr::Verbatim(quote_spanned!(mixed(ends.1)=> #[allow(unreachable_code)] #value))
    }

    /// Input: the rewritten `load().await` of `let value = load().await;`
    ///
    /// Output: `(REWRITTEN,).0`, so that an unused variable is one lint, as for a plain value.
    pub(crate) fn bound(expression: &Expr, ends: (Span, Span)) -> Expr {
        Expr::Verbatim(seen_at(&expression.to_token_stream(), ends))
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
            let value = returned(&on_cancel.value);
            let cancelled = Ident::new("cancelled", Span::call_site());
            return quote_spanned! {span=>
                #[allow(unreachable_code, clippy::diverging_sub_expression)]
                ::core::result::Result::Err(#cancelled) => {
                    let _ = &#cancelled;
                    return #value;
                }
            };
        }
        quote_spanned! {span=>
            ::core::result::Result::Err(__cancelled) => return __leave(__cancelled),
        }
    }

    /// `let __leave = ::cancel_context::FromCancelled::from_cancelled;`
    ///
    /// Named once, so that a return type that cannot be left with is one error, which underlines
    /// it, and not one per await.
    fn leaving(&self) -> TokenStream {
        if self.options.on_cancel.is_some() {
            return TokenStream::new();
        }
        let span = Span::mixed_site();
        let (first, last) = self.output.as_ref().map_or((span, span), |output| {
            let (first, last) = ends(output);
            (mixed(first), mixed(last))
        });
        let runtime = runtime_path(self.options, first);
        let name = quote_spanned!(last=> from_cancelled);
        let path = quote_spanned!(first=> #runtime::FromCancelled::#name);
        quote_spanned!(span=> let __leave = #path;)
    }

    /// `static __SITES: [Site; N] = […];`
    ///
    /// The tokens of each `Site::new` call keep the very span of the await, since
    /// `Location::caller` looks for the place outside of all macro expansions.
    pub(crate) fn statics(&self, function: &Ident, sites: &[(Span, String)]) -> TokenStream {
        let span = Span::mixed_site();
        let site_type = self.private("Site", span);
        let count = Literal::usize_unsuffixed(sites.len());
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

    /// What the guards of a body use, besides the statics.
    ///
    /// Output: `let __leave = …; let mut __waiter = ::cancel_context::private::Waiter::new();`
    pub(crate) fn locals(&self) -> TokenStream {
        let span = Span::mixed_site();
        let leaving = self.leaving();
        let waiter = self.private("Waiter", span);
        quote_spanned!(span=> #leaving let mut __waiter = #waiter::new();)
    }
}

/// `(VALUE,).0`: the value, with the span from the first to the last token of what the user wrote.
fn seen_at(value: &TokenStream, (first, last): (Span, Span)) -> TokenStream {
    let mut tuple = Group::new(
        Delimiter::Parenthesis,
        quote_spanned!(mixed(last)=> #value,),
    );
    tuple.set_span(first);
    let mut field = Literal::usize_unsuffixed(0);
    field.set_span(last);
    quote_spanned!(mixed(last)=> #tuple.#field)
}

/// The macro's own hygiene, shown at `span`.
pub(crate) fn mixed(span: Span) -> Span {
    Span::mixed_site().located_at(span)
}

fn site(index: usize, span: Span) -> TokenStream {
    let index = Literal::usize_unsuffixed(index);
    quote_spanned!(span=> &__SITES[#index])
}

/// What follows `return`: nothing for `()`, which would be a lint.
fn returned(value: &Expr) -> Option<&Expr> {
    match value {
        Expr::Tuple(tuple) if tuple.elems.is_empty() => None,
        other => Some(other),
    }
}

/// Parentheses around an argument would be a lint.
fn unparenthesised(expression: Expr) -> TokenStream {
    match expression {
        Expr::Paren(paren) if paren.attrs.is_empty() => unparenthesised(*paren.expr),
        other => other.into_token_stream(),
    }
}
