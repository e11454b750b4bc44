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

/// Where the awaits find their context, and how they leave.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// In a variable; leaves with a value.
    Explicit,
    /// It is the current one; leaves with a value where the return type can say "cancelled", and is
    /// unwound by drop otherwise, as rustc finds out.
    Returning,
    /// It is the current one; always unwound by drop.
    Unwinding,
    /// Inside of a shield without an end, in code that has no context at hand: nothing to leave for.
    Shielded,
}

/// How to name things in one function, and how to leave it.
pub(crate) struct Emitter<'a> {
    pub(crate) options: &'a Options,
    pub(crate) mode: Mode,
    context: Ident,
    /// Every variable of that name is a reference, so that nothing moves it.
    pub(crate) is_reference: bool,
    /// What a cancelled call returns; shown in errors about leaving.
    pub(crate) output: Option<Type>,
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
    pub(crate) fn new(
        options: &'a Options,
        mode: Mode,
        context: &Ident,
        output: Option<Type>,
    ) -> Self {
        Self {
            options,
            mode,
            context: context.clone(),
            is_reference: false,
            output,
        }
    }

    /// Takes other modes and names until [`restore`](Self::restore).
    pub(crate) fn switch(&mut self, mode: Mode, context: Ident) -> (Mode, Ident) {
        (
            std::mem::replace(&mut self.mode, mode),
            std::mem::replace(&mut self.context, context),
        )
    }

    pub(crate) fn restore(&mut self, (mode, context): (Mode, Ident)) {
        self.mode = mode;
        self.context = context;
    }

    /// The name of a context of ours, inside of a shield in code that has none at hand.
    pub(crate) fn shield_name() -> Ident {
        Ident::new("__shield", Span::mixed_site())
    }

    /// What `#[shield]` derives its context from.
    pub(crate) fn shield_parent(&self, at: Span) -> TokenStream {
        if self.mode == Mode::Explicit {
            return self.context(at).into_token_stream();
        }
        let span = mixed(at);
        let runtime = runtime_path(self.options, span);
        quote_spanned!(span=> #runtime::Context::current())
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
    ///     CHECK,
    ///     ::core::future::IntoFuture::into_future(pool.acquire()),
    ///     __kept,
    ///     || &__SITES[0],
    /// )
    /// .await
    /// {
    ///     __output => match __output {
    ///         #[allow(unreachable_code)]
    ///         ::core::result::Result::Ok((__value, __back)) => {
    ///             __kept = __back;
    ///             (__value,).0
    ///         }
    ///         ::core::result::Result::Err(__cancelled) => {
    ///             return __leave(::cancel_context::private::left(__cancelled, &__SITES[0]))
    ///         }
    ///     },
    /// }
    /// ```
    ///
    /// where `CHECK` is that of [`enter`](Self::enter). The outer `match` moves the whole result, so that no half of it is held, as far as `Send`
    /// is concerned, across a later await of the same statement. What is kept for the next await is moved
    /// to and fro, since a borrow of it would take a second place in the future.
    ///
    /// Where the context is the current one, the function leaves its body first (see
    /// [`left`](Self::left)):
    /// ```text
    /// match __leave
    ///     .guard(
    ///         if __leave.is_over(&__SITES[0]) {
    ///             break '__left ::cancel_context::private::Over::here().at(&__SITES[0]);
    ///         },
    ///         ::core::future::IntoFuture::into_future(pool.acquire()),
    ///         || &__SITES[0],
    ///     )
    ///     .await
    /// {
    ///     __output => match __output {
    ///         #[allow(unreachable_code)]
    ///         ::core::result::Result::Ok(__value) => (__value,).0,
    ///         ::core::result::Result::Err(__cancelled) => break '__left __cancelled.at(&__SITES[0]),
    ///     },
    /// }
    /// ```
    pub(crate) fn guarded(&self, guarded: &Guarded, awaited: ExprAwait) -> Expr {
        let span = mixed(guarded.at);
        let operand = unparenthesised(*awaited.base);
        let future = quote_spanned!(span=> ::core::future::IntoFuture::into_future(#operand));
        let call = self.guard_call(guarded, &self.enter(guarded), &future);
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

    /// `guard(CHECK, FUTURE, __kept, SITE)`, and without a context at hand
    /// `__leave.guard(CHECK, FUTURE, SITE)` or `around(CHECK, FUTURE, SITE)`; `SITE` is a function, which takes
    /// no room in the future.
    ///
    /// Within a shield, enclosing awaits are told to wait for it: `shielded(guard(…), &ctx)`. The
    /// guard is inside, since it has to leave when the shield's own time is up; without one there is
    /// `at(FUTURE, SITE)`, which only says where it is pending.
    pub(crate) fn guard_call(
        &self,
        guarded: &Guarded,
        check: &TokenStream,
        future: &TokenStream,
    ) -> TokenStream {
        let span = mixed(guarded.at);
        let site = site(guarded.site, span);
        let call = match self.mode {
            Mode::Explicit => {
                let guard = self.private("guard", span);
                quote_spanned!(span=> #guard(#check, #future, __kept, || #site))
            }
            Mode::Returning => quote_spanned!(span=> __leave.guard(#check, #future, || #site)),
            Mode::Unwinding => {
                let around = self.private("around", span);
                quote_spanned!(span=> #around(#check, #future, || #site))
            }
            Mode::Shielded => {
                let at = self.private("at", span);
                quote_spanned!(span=> #at(#future, || #site))
            }
        };
        if !guarded.shielded {
            return call;
        }
        let shielded = self.private("shielded", span);
        let context = self.context(guarded.at);
        quote_spanned!(span=> #shielded(#call, &#context))
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

    /// The check before the operand; its value is the context for the guard, where it is at hand.
    pub(crate) fn enter(&self, guarded: &Guarded) -> TokenStream {
        let span = mixed(guarded.at);
        let site = site(guarded.site, span);
        let is_over = match self.mode {
            Mode::Shielded => return quote_spanned!(span=> ()),
            Mode::Explicit => return self.enter_explicit(guarded),
            Mode::Returning => quote_spanned!(span=> __leave.is_over(#site)),
            Mode::Unwinding => {
                let is_over = self.private("is_over", span);
                quote_spanned!(span=> #is_over(#site))
            }
        };
        let over = self.private("Over", span);
        let leave = self.leave_with(guarded, quote_spanned!(span=> #over::here()));
        quote_spanned!(span=> if #is_over { #leave })
    }

    /// Output:
    /// ```text
    /// {
    ///     use ::cancel_context::private::Reborrow as _;
    ///     if ::cancel_context::private::has_ended(ctx.__reborrow(), &__SITES[0]) {
    ///         return __leave(::cancel_context::private::ended(ctx.__reborrow(), &__SITES[0]));
    ///     }
    ///     ::cancel_context::private::context(ctx.__reborrow())
    /// }
    /// ```
    ///
    /// Two things would take place in the future: an error in a temporary, and a variable that was borrowed
    /// itself, once and be it for a moment, though it is a reference.
    fn enter_explicit(&self, guarded: &Guarded) -> TokenStream {
        let span = mixed(guarded.at);
        let site = site(guarded.site, span);
        let context = self.context(guarded.at);
        let variable = quote_spanned!(span=> #context.__reborrow());
        let held = if guarded.owned {
            let hold = self.private("hold", span);
            quote_spanned!(span=> #hold(&#context))
        } else {
            let context_of = self.private("context", span);
            quote_spanned!(span=> #context_of(#variable))
        };
        let has_ended = self.private("has_ended", span);
        let (ended, reborrow) = (self.private("ended", span), self.private("Reborrow", span));
        let leave = self.leave_with(guarded, quote_spanned!(span=> #ended(#variable, #site)));
        quote_spanned! {span=>
            {
                use #reborrow as _;
                if #has_ended(#variable, #site) {
                    #leave
                }
                #held
            }
        }
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
}

/// Puts the attributes of an await on the `match` in its place.
pub(crate) fn with_attributes(mut settled: Expr, attrs: Vec<syn::Attribute>) -> Expr {
    if let Expr::Match(settled) = &mut settled {
        settled.attrs = attrs;
    }
    settled
}

/// `(VALUE,).0`: the value, with the span from the first to the last token of what the user wrote.
pub(crate) fn seen_at(value: &TokenStream, (first, last): (Span, Span)) -> TokenStream {
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

pub(crate) fn site(index: usize, span: Span) -> TokenStream {
    let index = Literal::usize_unsuffixed(index);
    quote_spanned!(span=> &__SITES[#index])
}

/// Parentheses around an argument would be a lint.
fn unparenthesised(expression: Expr) -> TokenStream {
    match expression {
        Expr::Paren(paren) if paren.attrs.is_empty() => unparenthesised(*paren.expr),
        other => other.into_token_stream(),
    }
}
