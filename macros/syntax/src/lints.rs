//! What breaks cancellation in practice, where its path shows it (guarantee A9).

use syn::Ident;

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
}

impl Lint {
    const ALL: [Self; 6] = [
        Self::RootContext,
        Self::ThreadSleep,
        Self::ProcessExit,
        Self::BlockOn,
        Self::Spin,
        Self::DroppedCanceller,
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
