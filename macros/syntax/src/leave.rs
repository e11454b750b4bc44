//! What follows a guarded await: its value, or how the function is left; and what the guards use for it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{Expr, Type};

use crate::emit::{Emitter, Guarded, Mode, mixed, seen_at, site, with_attributes};
use crate::options::runtime_path;
use crate::signature::ends;

impl Emitter<'_> {
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
        let value = seen_at(&quote_spanned!(span=> __value), guarded.ends);
        if self.mode == Mode::Shielded {
            let pattern = quote_spanned!(span=> #[allow(unreachable_code)] __value);
            return with_attributes(
                Self::match_once(span, result, pattern, Expr::Verbatim(value)),
                attrs,
            );
        }
        let value = if self.mode == Mode::Explicit {
            let left = self.private("left", span);
            let site = site(guarded.site, span);
            let leave = self.leave_with(guarded, quote_spanned!(span=> #left(__cancelled, #site)));
            quote_spanned! {span=>
                match __output {
                    #[allow(unreachable_code)]
                    ::core::result::Result::Ok((__value, __back)) => {
                        __kept = __back;
                        #value
                    }
                    ::core::result::Result::Err(__cancelled) => #leave,
                }
            }
        } else {
            let leave = self.leave_with(guarded, quote_spanned!(span=> __cancelled));
            quote_spanned! {span=>
                match __output {
                    #[allow(unreachable_code)]
                    ::core::result::Result::Ok(__value) => #value,
                    ::core::result::Result::Err(__cancelled) => #leave,
                }
            }
        };
        let pattern = quote_spanned!(span=> __output);
        with_attributes(
            Self::match_once(span, result, pattern, Expr::Verbatim(value)),
            attrs,
        )
    }

    /// Leaves the function because of `cancelled`: an expression of type `!`, though that of
    /// `on_cancel = panic!(…)` has an unreachable `return` in it.
    pub(crate) fn leave_with(&self, guarded: &Guarded, cancelled: TokenStream) -> TokenStream {
        let span = mixed(guarded.at);
        let site = site(guarded.site, span);
        if self.leaves_body() {
            return quote_spanned!(span=> break '__left (#cancelled).at(#site));
        }
        let Some(on_cancel) = &self.options.on_cancel else {
            return quote_spanned!(span=> return __leave(#cancelled));
        };
        let value = returned(&on_cancel.value);
        let name = Ident::new("cancelled", Span::call_site());
        let error = if self.mode == Mode::Explicit {
            cancelled
        } else {
            quote_spanned!(span=> #cancelled.at(#site).cancelled())
        };
        quote_spanned! {span=>
            {
                let #name = #error;
                let _ = &#name;
                #[allow(unreachable_code, clippy::diverging_sub_expression)]
                return #value;
            }
        }
    }

    /// Whether awaits leave the body, and what follows it leaves the function: where rustc finds out how.
    pub(crate) fn leaves_body(&self) -> bool {
        match self.mode {
            Mode::Returning => self.options.on_cancel.is_none(),
            Mode::Unwinding => true,
            Mode::Explicit | Mode::Shielded => false,
        }
    }

    /// A body whose awaits leave it; `output` is its type, where that can be named.
    ///
    /// Output, for one that may return a value:
    /// ```text
    /// __leave
    ///     .with('__left: {
    ///         let __value: T = { … };
    ///         #[allow(unreachable_code)]
    ///         return __value;
    ///     })
    ///     .await
    /// ```
    /// and for one that is unwound, of a type without a name:
    /// ```text
    /// match ::cancel_context::private::unwind('__left: {
    ///     #[allow(unreachable_code)]
    ///     return { … };
    /// })
    /// .await
    /// {}
    /// ```
    ///
    /// There is but one such await, outside of the body: what is unwound has dropped its variables.
    pub(crate) fn left(&self, body: &impl ToTokens, output: Option<&Type>) -> TokenStream {
        let span = Span::mixed_site();
        let returned = if let Some(output) = output {
            quote_spanned! {span=>
                let __value: #output = #body;
                #[allow(unreachable_code)]
                return __value;
            }
        } else {
            quote_spanned! {span=>
                #[allow(unreachable_code)]
                return #body;
            }
        };
        let left = quote_spanned!(span=> '__left: { #returned });
        if self.mode == Mode::Returning {
            return quote_spanned!(span=> __leave.with(#left).await);
        }
        let unwind = self.private("unwind", span);
        quote_spanned!(span=> match #unwind(#left).await {})
    }

    /// What leaves an explicit function: `::cancel_context::FromCancelled::from_cancelled`
    ///
    /// Named once, so that a return type that cannot be left with is one error, which underlines
    /// it, and not one per await.
    pub(crate) fn conversion(&self) -> TokenStream {
        let span = Span::mixed_site();
        let (first, last) = self.output.as_ref().map_or((span, span), |output| {
            let (first, last) = ends(output);
            (mixed(first), mixed(last))
        });
        let runtime = runtime_path(self.options, first);
        let name = quote_spanned!(last=> from_cancelled);
        quote_spanned!(first=> #runtime::FromCancelled::#name)
    }

    /// `let __leave = …;`
    fn leaving(&self) -> TokenStream {
        let span = Span::mixed_site();
        let how = match (&self.options.on_cancel, self.mode, &self.output) {
            (None, Mode::Explicit, _) => self.conversion(),
            (Some(_), Mode::Returning, _) => {
                let returns = self.private("Returns", span);
                quote_spanned!(span=> #returns::ON_CANCEL)
            }
            (None, Mode::Returning, Some(output)) => {
                let leave = self.private("Leave", span);
                quote_spanned!(span=> #leave::<#output>::new().how())
            }
            _ => return TokenStream::new(),
        };
        quote_spanned!(span=> let __leave = #how;)
    }

    /// What the guards of a body use, besides the statics.
    ///
    /// Output: `let __leave = …; let mut __kept = ::cancel_context::private::Kept::new();`, the
    /// latter where the context is at hand.
    pub(crate) fn locals(&self) -> TokenStream {
        let span = Span::mixed_site();
        let leaving = self.leaving();
        if self.mode != Mode::Explicit {
            return leaving;
        }
        let kept = self.private("Kept", span);
        quote_spanned!(span=> #leaving let mut __kept = #kept::new();)
    }
}

/// What follows `return`: nothing for `()`, which would be a lint.
fn returned(value: &Expr) -> Option<&Expr> {
    match value {
        Expr::Tuple(tuple) if tuple.elems.is_empty() => None,
        other => Some(other),
    }
}
