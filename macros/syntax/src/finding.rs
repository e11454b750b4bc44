//! What breaks cancellation in practice: an error where the context is explicit, a finding of the audit
//! where it is not.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::Ident;
use syn::spanned::Spanned;

use crate::diagnostics::{Errors, list};

/// A misuse that does not compile unless it is allowed by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lint {
    RootContext,
    ThreadSleep,
    ProcessExit,
    BlockOn,
    Spin,
    DroppedCanceller,
    Detached,
}

impl Lint {
    const ALL: [Self; 7] = [
        Self::RootContext,
        Self::ThreadSleep,
        Self::ProcessExit,
        Self::BlockOn,
        Self::Spin,
        Self::DroppedCanceller,
        Self::Detached,
    ];

    /// The name in `allow(…)`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::RootContext => "root_context",
            Self::ThreadSleep => "thread_sleep",
            Self::ProcessExit => "process_exit",
            Self::BlockOn => "block_on",
            Self::Spin => "spin",
            Self::DroppedCanceller => "dropped_canceller",
            Self::Detached => "detached",
        }
    }

    /// The lints of an `allow(…)` list; unknown names are errors.
    pub(crate) fn from_names(names: &[Ident], errors: &mut Errors) -> Vec<Self> {
        let mut lints = Vec::new();
        for name in names {
            match Self::ALL.into_iter().find(|lint| name == lint.name()) {
                Some(lint) => lints.push(lint),
                None => errors.push(
                    name.span(),
                    format!(
                        "unknown lint `{name}`; expected one of {}",
                        list(Self::ALL.map(Self::name))
                    ),
                ),
            }
        }
        lints
    }
}

/// Something in a body that breaks cancellation in practice.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The name by which it can be allowed, as `thread_sleep`.
    pub name: &'static str,
    /// What was found.
    pub span: Span,
    /// What is wrong; what to write.
    pub message: String,
    /// The tokens to underline.
    tokens: TokenStream,
}

impl Finding {
    pub(crate) fn new(
        name: &'static str,
        tokens: impl ToTokens,
        message: impl std::fmt::Display,
    ) -> Self {
        let tokens = tokens.into_token_stream();
        Self {
            name,
            span: tokens.span(),
            message: message.to_string(),
            tokens,
        }
    }

    /// The same as an error.
    pub(crate) fn report(&self, errors: &mut Errors) {
        errors.push_spanned(&self.tokens, &self.message);
    }
}
