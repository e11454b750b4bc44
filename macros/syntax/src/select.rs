//! `select!` of tokio and futures, and `select_biased!`: each is one await.
//!
//! In two steps. A guarded future runs the user's own macro, with arms that only say which of them
//! won, and with what; a `match` in the function's own body then runs the user's handler, so that
//! `return`, `break`, `continue` and `?` keep their meaning.
//!
//! 1. Preconditions, then futures are evaluated in the function's body, in their order.
//! 2. A future that is a plain path stays where it is: tokio moves it, futures borrows it.
//! 3. The whole output of a future is carried over and matched against the user's own pattern, so
//!    that bindings, and what is dropped when, are as they were.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{Parse, ParseStream, Parser};
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, Ident, Macro, Pat, Token};

use crate::emit::{Guarded, mixed};
use crate::join::biased;
use crate::rewrite::Rewriter;
use crate::signature::ends;
use crate::text;
use crate::usage;

/// `PATTERN = FUTURE, if CONDITION => HANDLER,`
struct Arm {
    pattern: Pat,
    future: Expr,
    condition: Option<Expr>,
    handler: Expr,
}

/// `else`, `complete` or `default`, `=> HANDLER,`
struct Fallback {
    keyword: Ident,
    handler: Expr,
}

struct Select {
    biased: TokenStream,
    arms: Vec<Arm>,
    fallbacks: Vec<Fallback>,
}

impl Parse for Select {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut select = Self {
            biased: biased(input)?,
            arms: Vec::new(),
            fallbacks: Vec::new(),
        };
        while !input.is_empty() {
            if let Some(keyword) = fallback_keyword(input)? {
                let handler = handler(input)?;
                select.fallbacks.push(Fallback { keyword, handler });
                continue;
            }
            let pattern = Pat::parse_multi_with_leading_vert(input)?;
            input.parse::<Token![=]>()?;
            let future = input.parse()?;
            let mut condition = None;
            if input.peek(Token![,]) {
                input.parse::<Token![,]>()?;
                input.parse::<Token![if]>()?;
                condition = Some(input.parse()?);
            }
            let handler = handler(input)?;
            select.arms.push(Arm {
                pattern,
                future,
                condition,
                handler,
            });
        }
        Ok(select)
    }
}

/// A keyword that starts an arm without a future, if `=>` follows it.
fn fallback_keyword(input: ParseStream<'_>) -> syn::Result<Option<Ident>> {
    let fork = input.fork();
    let Ok(keyword) = fork.call(<Ident as syn::ext::IdentExt>::parse_any) else {
        return Ok(None);
    };
    let is_fallback = keyword == "else" || keyword == "complete" || keyword == "default";
    if !is_fallback || !fork.peek(Token![=>]) {
        return Ok(None);
    }
    input
        .call(<Ident as syn::ext::IdentExt>::parse_any)
        .map(Some)
}

/// `=> HANDLER,`; the comma may be left out after a block and at the end.
fn handler(input: ParseStream<'_>) -> syn::Result<Expr> {
    input.parse::<Token![=>]>()?;
    let handler = if input.peek(syn::token::Brace) {
        Expr::parse_with_earlier_boundary_rule(input)?
    } else {
        input.parse()?
    };
    if matches!(handler, Expr::Block(_)) || input.is_empty() {
        input.parse::<Option<Token![,]>>()?;
    } else {
        input.parse::<Token![,]>()?;
    }
    Ok(handler)
}

/// Whether the tokens of the call are those of a `select!`, if only of one that waits for nothing.
pub(crate) fn parses(call: &Macro) -> bool {
    Select::parse.parse2(call.tokens.clone()).is_ok()
}

/// Whether the call is a `select!` that waits for something.
pub(crate) fn is_select(call: &Macro) -> bool {
    let select = Select::parse.parse2(call.tokens.clone());
    select.is_ok_and(|select| !select.arms.is_empty())
}

/// The futures, preconditions and handlers of a `select!`; none if it is another macro.
pub(crate) fn expressions(call: &Macro) -> Vec<Expr> {
    let Ok(select) = Select::parse.parse2(call.tokens.clone()) else {
        return Vec::new();
    };
    let arms = select
        .arms
        .into_iter()
        .flat_map(|arm| [Some(arm.future), arm.condition, Some(arm.handler)]);
    let fallbacks = select
        .fallbacks
        .into_iter()
        .map(|fallback| Some(fallback.handler));
    arms.chain(fallbacks).flatten().collect()
}

/// What is emitted for the arms, side by side.
#[derive(Default)]
struct Parts {
    conditions: TokenStream,
    futures: TokenStream,
    /// Arms of the user's macro.
    deciding: TokenStream,
    /// Arms of the `match` that runs the handlers.
    running: TokenStream,
    type_parameters: Vec<Ident>,
    variants: TokenStream,
}

impl Rewriter<'_> {
    /// Input: `tokio::select! { Some(x) = a(), if b => f(x), else => g() }`
    ///
    /// Output:
    /// ```text
    /// {
    ///     enum __Arm<T0> { _0(T0), _else }
    ///     let mut __arm = {
    ///         let __context = CHECK;
    ///         let __condition0 = b;
    ///         let __future0 = a();
    ///         let __output = ::cancel_context::private::guard(
    ///             __context,
    ///             async {
    ///                 tokio::select! {
    ///                     __output @ Some(_) = ::core::convert::identity(__future0),
    ///                         if __condition0 => __Arm::_0(__output),
    ///                     else => __Arm::_else,
    ///                 }
    ///             },
    ///             __kept,
    ///         )
    ///         .await;
    ///         match __output { … }
    ///     };
    ///     match __arm {
    ///         __Arm::_0(Some(x)) => f(x),
    ///         __Arm::_else => g(),
    ///         _ => ::core::unreachable!(),
    ///     }
    /// }
    /// ```
    ///
    /// `None` if the tokens are not of this form, or nothing is awaited.
    pub(crate) fn select(&mut self, call: &mut Macro) -> Option<Expr> {
        let select = Select::parse.parse2(call.tokens.clone()).ok()?;
        if select.arms.is_empty() {
            return None;
        }
        let at = call.path.span();
        let span = mixed(at);
        let name = self.emitter.context_name();
        let owned = select.arms.iter().any(|arm| {
            let condition = arm.condition.as_ref();
            usage::may_move(&arm.future, name)
                || condition.is_some_and(|condition| usage::may_move(condition, name))
        });
        let mut parts = Parts::default();
        let (mut conditions, mut futures, mut handlers) = (Vec::new(), Vec::new(), Vec::new());
        for arm in select.arms {
            conditions.push(arm.condition);
            futures.push(arm.future);
            handlers.push((arm.pattern, arm.handler));
        }
        // In the order of evaluation, which is the order of the sites.
        for condition in conditions.iter_mut().flatten() {
            self.visit_expr_mut(condition);
        }
        for future in &mut futures {
            self.visit_expr_mut(future);
        }
        let site = self.guard_site(at, text::macro_call(call));
        for (index, (pattern, mut handler)) in handlers.into_iter().enumerate() {
            self.visit_expr_mut(&mut handler);
            let condition = conditions[index].take();
            let future = std::mem::replace(&mut futures[index], Expr::PLACEHOLDER);
            parts.arm(index, span, &pattern, &future, condition.as_ref(), &handler);
        }
        for mut fallback in select.fallbacks {
            self.visit_expr_mut(&mut fallback.handler);
            parts.fallback(span, &fallback);
        }
        let guarded = Guarded {
            at,
            ends: ends(call),
            site,
            owned,
            shielded: self.shields > 0,
        };
        Some(self.assemble(call, &select.biased, &guarded, &parts))
    }

    fn assemble(
        &self,
        call: &mut Macro,
        biased: &TokenStream,
        guarded: &Guarded,
        parts: &Parts,
    ) -> Expr {
        let span = mixed(guarded.at);
        let Parts {
            conditions,
            futures,
            deciding,
            running,
            type_parameters,
            variants,
        } = parts;
        call.tokens = quote!(#biased #deciding);
        let hoisted = quote!(#conditions #futures);
        let future = quote_spanned!(span=> async { #call });
        let decided = self.emitter.guarded_block(guarded, &hoisted, &future);
        Expr::Verbatim(quote_spanned! {span=>
            {
                enum __Arm<#(#type_parameters),*> { #variants }
                let mut __arm = #decided;
                match __arm {
                    #running
                    #[allow(unreachable_patterns)]
                    _ => ::core::unreachable!(),
                }
            }
        })
    }
}

impl Parts {
    fn arm(
        &mut self,
        index: usize,
        span: Span,
        pattern: &Pat,
        future: &Expr,
        condition: Option<&Expr>,
        handler: &Expr,
    ) {
        let variant = Ident::new(&format!("_{index}"), span);
        let parameter = Ident::new(&format!("T{index}"), span);
        let whole = whole_pattern(pattern, span);
        let future = if matches!(future, Expr::Path(_)) {
            future.to_token_stream()
        } else {
            let name = Ident::new(&format!("__future{index}"), span);
            self.futures
                .extend(quote_spanned!(span=> let #name = #future;));
            // No plain path: futures would borrow it and ask for `Unpin`.
            quote_spanned!(span=> ::core::convert::identity(#name))
        };
        let condition = condition.map(|condition| {
            let name = Ident::new(&format!("__condition{index}"), span);
            self.conditions
                .extend(quote_spanned!(span=> let #name = #condition;));
            quote_spanned!(span=> , if #name)
        });
        self.deciding.extend(
            quote_spanned!(span=> #whole = #future #condition => __Arm::#variant(__output),),
        );
        self.running
            .extend(quote_spanned!(span=> __Arm::#variant(#pattern) => #handler,));
        self.variants
            .extend(quote_spanned!(span=> #variant(#parameter),));
        self.type_parameters.push(parameter);
    }

    fn fallback(&mut self, span: Span, fallback: &Fallback) {
        let Fallback { keyword, handler } = fallback;
        let name = match keyword.to_string().as_str() {
            "else" => "Else",
            "complete" => "Complete",
            _ => "Default",
        };
        let variant = Ident::new(name, span);
        self.deciding
            .extend(quote_spanned!(span=> #keyword => __Arm::#variant,));
        self.running
            .extend(quote_spanned!(span=> __Arm::#variant => #handler,));
        self.variants.extend(quote_spanned!(span=> #variant,));
    }
}

/// Input: `Some(ref mut x)`; output: `__output @ Some(_)`
fn whole_pattern(pattern: &Pat, span: Span) -> TokenStream {
    let mut pattern = pattern.clone();
    Unbind.visit_pat_mut(&mut pattern);
    match pattern {
        Pat::Wild(_) => quote_spanned!(span=> __output),
        Pat::Or(_) => quote_spanned!(span=> __output @ (#pattern)),
        _ => quote_spanned!(span=> __output @ #pattern),
    }
}

/// Replaces the bindings of a pattern by `_`. Names that start with an upper-case letter are
/// constants or variants, and stay.
struct Unbind;

impl VisitMut for Unbind {
    fn visit_pat_mut(&mut self, pattern: &mut Pat) {
        if let Pat::Ident(binding) = pattern {
            let name = binding.ident.to_string();
            let is_path = name.starts_with(char::is_uppercase)
                && binding.by_ref.is_none()
                && binding.mutability.is_none()
                && binding.subpat.is_none();
            if is_path {
                return;
            }
            *pattern = match binding.subpat.take() {
                Some((_, inner)) => *inner,
                None => Pat::Wild(syn::PatWild {
                    attrs: Vec::new(),
                    underscore_token: syn::Token![_](binding.ident.span()),
                }),
            };
            if matches!(pattern, Pat::Wild(_)) {
                return;
            }
            self.visit_pat_mut(pattern);
            return;
        }
        visit_mut::visit_pat_mut(self, pattern);
    }

    /// `User { id }` becomes `User { id: _ }`.
    fn visit_field_pat_mut(&mut self, field: &mut syn::FieldPat) {
        if field.colon_token.is_none() {
            field.colon_token = Some(syn::Token![:](field.pat.span()));
        }
        visit_mut::visit_field_pat_mut(self, field);
    }

    fn visit_expr_mut(&mut self, _: &mut Expr) {}
}
