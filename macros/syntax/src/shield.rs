//! `#[shield]` on a statement or expression: what is awaited in it runs to completion.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::visit_mut::VisitMut;
use syn::{Attribute, Expr, Ident, Meta, Token};

use crate::attributes;
use crate::emit::{Emitter, Mode, mixed};
use crate::rewrite::Rewriter;
use crate::spawns;
use crate::usage;

impl Rewriter<'_> {
    /// Takes `#[shield]` off; `Some` if it was there.
    pub(crate) fn take_shield(&mut self, attributes: &mut Vec<Attribute>) -> Option<Attribute> {
        let mut taken = attributes::take(attributes, attributes::is_shield).into_iter();
        let shield = taken.next();
        for doubled in taken {
            self.errors.push_spanned(
                doubled.path(),
                "`#[shield]` is already on this expression; remove this one",
            );
        }
        shield
    }

    /// Input: `#[shield] save(&ctx).await?`
    ///
    /// Output: `match &::cancel_context::private::shield_context(&ctx) { ctx => save(&ctx).await? }`
    /// with the awaits rewritten.
    pub(crate) fn shielded(&mut self, attribute: &Attribute, expression: &mut Expr) {
        let mut timeout = match timeout(attribute) {
            Ok(timeout) => timeout,
            Err(error) => {
                self.errors.add(error);
                None
            }
        };
        if let Some(timeout) = &mut timeout {
            // Evaluated outside: the shield does not hold for it.
            self.visit_expr_mut(timeout);
        }
        let at = attribute.path().span();
        if self.emitter.mode == Mode::Explicit {
            self.shielded_from_variable(at, timeout, expression);
        } else {
            self.shielded_from_current(at, timeout, expression);
        }
    }

    fn shielded_from_variable(&mut self, at: Span, timeout: Option<Expr>, expression: &mut Expr) {
        let context = self.emitter.context(at);
        let mentioned = usage::mentions(expression.to_token_stream(), &context);
        let guarded_before = self.guarded.len();
        self.within_shield(expression);
        if self.guarded.len() == guarded_before && !mentioned {
            // Nothing in it looks at the context.
            return;
        }
        let span = mixed(at);
        let derived = self.derived(at, timeout);
        let shielded = std::mem::replace(expression, Expr::PLACEHOLDER);
        *expression = Emitter::match_once(
            span,
            quote_spanned!(span=> &#derived),
            quote_spanned!(span=> #context),
            shielded,
        );
    }

    /// Input: `#[shield] save().await`, where no context is at hand
    ///
    /// Output: `match &::cancel_context::private::shield_context(&Context::current()) { __shield => … }`
    ///
    /// With a timeout, the awaits find that context at hand, and leave when it ends:
    /// ```text
    /// match (&…, ::cancel_context::FromCancelled::from_cancelled, ::cancel_context::private::Kept::new()) {
    ///     (__shield, __leave, mut __kept) => …
    /// }
    /// ```
    fn shielded_from_current(&mut self, at: Span, timeout: Option<Expr>, expression: &mut Expr) {
        let span = mixed(at);
        let name = Emitter::shield_name();
        let (mode, mut scrutinee, mut pattern);
        let is_bounded = timeout.is_some();
        if is_bounded && self.emitter.mode != Mode::Returning {
            self.errors.push(
                at,
                "`#[shield(timeout = …)]` needs a function that returns the error; write \
                 `Context::current().shield_with_timeout(…)`",
            );
        }
        let derived = self.derived(at, timeout);
        (scrutinee, pattern) = (
            quote_spanned!(span=> &#derived),
            quote_spanned!(span=> #name),
        );
        if is_bounded {
            mode = Mode::Explicit;
            let kept = self.emitter.private("Kept", span);
            let leave = self.emitter.conversion();
            scrutinee = quote_spanned!(span=> (#scrutinee, #leave, #kept::new()));
            pattern = quote_spanned!(span=> (#pattern, __leave, mut __kept));
        } else {
            mode = Mode::Shielded;
        }
        let outer = self.emitter.switch(mode, name);
        self.within_shield(expression);
        self.emitter.restore(outer);
        let shielded = std::mem::replace(expression, Expr::PLACEHOLDER);
        *expression = Emitter::match_once(span, scrutinee, pattern, shielded);
    }

    fn within_shield(&mut self, expression: &mut Expr) {
        self.shields += 1;
        self.visit_expr_mut(expression);
        self.shields -= 1;
    }

    /// The context inside of a shield.
    fn derived(&self, at: Span, timeout: Option<Expr>) -> TokenStream {
        let span = mixed(at);
        let parent = self.emitter.shield_parent(at);
        match timeout {
            None => {
                let derive = self.emitter.private("shield_context", span);
                quote_spanned!(span=> #derive(&#parent))
            }
            Some(timeout) => {
                let derive = self.emitter.private("shield_context_timeout", span);
                quote_spanned!(span=> #derive(&#parent, #timeout))
            }
        }
    }
}

/// The value of `#[shield(timeout = expr)]`.
fn timeout(attribute: &Attribute) -> syn::Result<Option<Expr>> {
    let unknown = |span| {
        syn::Error::new(
            span,
            "unknown option of `#[shield]`; write `#[shield]` or `#[shield(timeout = expr)]`",
        )
    };
    let list = match &attribute.meta {
        Meta::Path(_) => return Ok(None),
        Meta::NameValue(pair) => return Err(unknown(pair.path.span())),
        Meta::List(list) => list,
    };
    let parser = |input: ParseStream<'_>| {
        let key: Ident = input
            .parse()
            .map_err(|error: syn::Error| unknown(error.span()))?;
        if key != "timeout" || !input.peek(Token![=]) {
            return Err(unknown(key.span()));
        }
        input.parse::<Token![=]>()?;
        let value = input.parse()?;
        input.parse::<Option<Token![,]>>()?;
        Ok(value)
    };
    // What is left of a wrong option would be an error of its own.
    let lenient = |input: ParseStream<'_>| {
        let value = parser(input);
        if value.is_err() {
            input.parse::<proc_macro2::TokenStream>()?;
        }
        value
    };
    lenient.parse2(list.tokens.clone()).map(Some)
}

/// `ctx.shield(…)`, or a call on its result that sets it up further.
pub(crate) fn is_call(operand: &Expr, context: &Ident) -> bool {
    match operand {
        Expr::MethodCall(call) if spawns::is_context(&call.receiver, context) => {
            call.method == "shield"
        }
        Expr::MethodCall(call) => is_call(&call.receiver, context),
        _ => false,
    }
}
