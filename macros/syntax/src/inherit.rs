//! Spawns whose task carries the current context.

use quote::{ToTokens, quote_spanned};
use syn::Expr;

use crate::emit::{Emitter, mixed};
use crate::signature::ends;
use crate::spawns;

impl Emitter<'_> {
    /// Input: `tokio::spawn(work())`, or `self.tasks.spawn(work())`
    ///
    /// Output, which also holds where the argument turns out not to be a future:
    /// ```text
    /// ::cancel_context::private::Spawned::new(work()).by(|__task| tokio::spawn(__task))
    /// ```
    /// A receiver that has to be evaluated is evaluated first:
    /// `match handle() { __spawner => ::cancel_context::private::Spawned::new(…).by(…) }`
    pub(crate) fn inheriting(&self, call: &Expr) -> Expr {
        let mut call = call.clone();
        let span = mixed(ends(&call).1);
        let task = Expr::Verbatim(quote_spanned!(span=> __task));
        let mut receiver = None;
        let future = match &mut call {
            Expr::Call(call) => call.args.first_mut(),
            Expr::MethodCall(call) => {
                if !spawns::is_place(&call.receiver) {
                    let spawner = Expr::Verbatim(quote_spanned!(span=> __spawner));
                    receiver = Some(std::mem::replace(&mut *call.receiver, spawner));
                }
                call.args.first_mut()
            }
            _ => None,
        };
        let Some(future) = future.map(|future| std::mem::replace(future, task)) else {
            return call;
        };
        let spawned = self.private("Spawned", span);
        let body = Expr::Verbatim(quote_spanned!(span=> #spawned::new(#future).by(|__task| #call)));
        match receiver {
            None => body,
            Some(receiver) => Self::match_once(
                span,
                receiver.into_token_stream(),
                quote_spanned!(span=> #[allow(unused_mut)] mut __spawner),
                body,
            ),
        }
    }
}
