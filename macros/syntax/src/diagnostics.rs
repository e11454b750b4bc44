//! Errors of one run, collected so that the user sees all of them at once.
//!
//! Wording: lower case, no full stop, code in backticks, at most two clauses: what is wrong; what
//! to write.

use proc_macro2::{Span, TokenStream};

/// Message used where an item is a function, but no asynchronous one.
pub(crate) const NOT_ASYNC: &str =
    "`#[cancellable]` needs an `async fn`, or one that returns a future";

/// Message used on what is no function.
pub(crate) const NOT_ASYNC_ITEM: &str = "`#[cancellable]` needs an `async fn`, one that returns a future, or an `impl`, `trait` or `mod` block";

/// Every error found so far.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    found: Option<syn::Error>,
}

impl Errors {
    pub(crate) fn push(&mut self, span: Span, message: impl std::fmt::Display) {
        self.add(syn::Error::new(span, message));
    }

    /// Like `push`, underlining all of `tokens`.
    pub(crate) fn push_spanned(
        &mut self,
        tokens: impl quote::ToTokens,
        message: impl std::fmt::Display,
    ) {
        self.add(syn::Error::new_spanned(tokens, message));
    }

    pub(crate) fn add(&mut self, error: syn::Error) {
        match &mut self.found {
            Some(found) => found.combine(error),
            None => self.found = Some(error),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_none()
    }

    /// One `compile_error!` per error; nothing if there is none.
    pub(crate) fn to_tokens(&self) -> TokenStream {
        self.found
            .as_ref()
            .map(syn::Error::to_compile_error)
            .unwrap_or_default()
    }
}

impl Errors {
    /// The texts, without their places.
    pub(crate) fn into_messages(self) -> Vec<String> {
        let errors = self.found.into_iter().flatten();
        errors.map(|error| error.to_string()).collect()
    }
}

#[cfg(test)]
impl Errors {
    pub(crate) fn messages(&self) -> Vec<String> {
        let errors = self.found.clone().into_iter().flatten();
        errors.map(|error| error.to_string()).collect()
    }
}

/// `a`, `b`, `c`: names in backticks, separated by commas.
pub(crate) fn list<Name: std::fmt::Display>(names: impl IntoIterator<Item = Name>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
