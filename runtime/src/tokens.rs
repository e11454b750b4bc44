//! tokio-util's `CancellationToken`, both ways: for code that takes one, and below code that has one.
//!
//! The token of a context is held by a callback of that context ([`Forward`]), as long as anything can end it. A
//! context that ends with a token is one that ends with a future ([`crate::completion`]).
//!
//! Lock order: that of [`crate::waiters`]; the locks of a token come last, and no code but its own runs under
//! them. A token is made under a node's lock, and cloned, cancelled and dropped under none.
//!
//! Invariants:
//! 1. A node has one token at most, as long as it can end: it is looked for and entered under one hold of the lock
//!    (`Node::only_callback`), and leaves with the list of callbacks only.
//! 2. Whoever gets the token of a context that has ended, gets a cancelled one: he looks at the end once more, and
//!    cancels it himself, since who has taken the list of callbacks may not have come to it yet.
//! 3. A node owns its token, and the token knows nothing of the node. A context that ends with a token owns a
//!    handle of it, and the token's waiter knows the context weakly. So nothing that is made of the two, in any
//!    order, owns itself.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::callbacks::Callback;
use crate::completion::Completion;
use crate::context::Context;
use crate::waiters::guarded;

/// Cancels the token of a context.
struct Forward(CancellationToken);

impl Callback for Forward {
    fn run(self: Arc<Self>) {
        self.0.cancel();
    }

    fn free(self: Arc<Self>) {}

    fn pins(&self) -> bool {
        false
    }

    fn token(&self) -> Option<&CancellationToken> {
        Some(&self.0)
    }
}

/// Tokens of tokio-util.
impl Context {
    /// Returns the token of this context, which is cancelled when the context ends: for code that takes a
    /// [`CancellationToken`].
    ///
    /// It is the same one each time until the context has ended, and contexts derived for a value or a name share
    /// it. It is cancelled at once, by the thread that ends the context, or for a deadline by that of the timer;
    /// that of a context which has ended already is cancelled when this returns. It takes no task.
    ///
    /// It is freed with the context, and does not keep that in memory: when the context, its canceller and all
    /// that was derived from it are gone, nobody cancels the clones which are left. If nothing can end the
    /// context (any more), each call gives a token of its own, which nobody cancels.
    ///
    /// Who cancels the token cancels it for all who have it, and not the context. Where that matters, hand on a
    /// [`child_token`](CancellationToken::child_token) of it.
    ///
    /// # Panics
    ///
    /// A panic of a waker that waits for the token reaches nobody but the panic hook.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// let token = ctx.cancellation_token();
    /// assert!(!token.is_cancelled());
    /// canceller.cancel();
    /// assert!(token.is_cancelled());
    /// ```
    #[must_use]
    pub fn cancellation_token(&self) -> CancellationToken {
        let Some(node) = self.anchor_arc() else {
            return CancellationToken::new();
        };
        let forward = node.only_callback(|| Arc::new(Forward(CancellationToken::new())));
        let token = forward.token().cloned().unwrap_or_default();
        // Invariant 2.
        if node.end().is_some() {
            guarded(|| token.cancel());
        }
        token
    }

    /// Derives a context that is cancelled when `token` is, with the cause `cancellation token cancelled`.
    ///
    /// The thread that cancels the token ends the context, before its `cancel` returns (of two that cancel it at
    /// once, the first one's) and as a [`Canceller`](crate::Canceller) would: waiters are woken, interrupts run.
    /// If the token has been cancelled already, the context has ended when this returns. It takes no task, and
    /// when the context is gone, or has ended otherwise, nothing of it is left at the token.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use tokio_util::sync::CancellationToken;
    ///
    /// let token = CancellationToken::new();
    /// let ctx = Context::background().with_token(&token);
    /// token.cancel();
    /// assert_eq!(ctx.cause().unwrap().to_string(), "cancellation token cancelled");
    /// ```
    #[must_use]
    #[track_caller]
    pub fn with_token(&self, token: &CancellationToken) -> Self {
        self.derive_completion(&Completion::of_token(token.clone()))
    }
}
