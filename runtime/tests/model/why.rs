//! Why a context ended, as far as it can be seen.

use cancel_context::Kind;

/// Where an end began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Began {
    Cancelled,
    Dropped,
    Deadline,
    Completed,
}

/// Why a context ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Why {
    pub(crate) began: Began,
    pub(crate) cause: String,
}

impl Why {
    pub(crate) fn new(began: Began, cause: Option<String>) -> Self {
        let mut why = Self {
            began,
            cause: String::new(),
        };
        why.cause = cause.unwrap_or_else(|| why.kind().to_string());
        why
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.began {
            Began::Deadline => Kind::DeadlineExceeded,
            _ => Kind::Cancelled,
        }
    }
}
