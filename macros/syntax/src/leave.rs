//! How a function is left, and what its guards use for it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::Expr;

use crate::emit::{Emitter, Mode, mixed};
use crate::options::runtime_path;
use crate::signature::ends;

impl Emitter<'_> {
    /// The arm that leaves the function; `on_cancel = panic!(…)` would make its `return` unreachable.
    pub(crate) fn leave(&self, at: Span) -> TokenStream {
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
        let value = if self.mode == Mode::Returning {
            quote_spanned!(span=> __leave.with(__cancelled))
        } else {
            quote_spanned!(span=> __leave(__cancelled))
        };
        quote_spanned! {span=>
            ::core::result::Result::Err(__cancelled) => return #value,
        }
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
    /// Output: `let __leave = …; let mut __waiter = ::cancel_context::private::Waiter::new();`, the
    /// latter where the context is at hand.
    pub(crate) fn locals(&self) -> TokenStream {
        let span = Span::mixed_site();
        let leaving = self.leaving();
        if self.mode != Mode::Explicit {
            return leaving;
        }
        let waiter = self.private("Waiter", span);
        quote_spanned!(span=> #leaving let mut __waiter = #waiter::new();)
    }
}

/// What follows `return`: nothing for `()`, which would be a lint.
fn returned(value: &Expr) -> Option<&Expr> {
    match value {
        Expr::Tuple(tuple) if tuple.elems.is_empty() => None,
        other => Some(other),
    }
}
