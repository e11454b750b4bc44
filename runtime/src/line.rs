//! Foreign text on one line, so that it can neither forge a line of a log nor drive a terminal.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The text with a blank in place of each control character.
pub(crate) fn of(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// The text of a cause. A foreign `Display` that panics must not hide the cancellation.
pub(crate) fn of_foreign(cause: &impl Display) -> String {
    match catch_unwind(AssertUnwindSafe(|| cause.to_string())) {
        Ok(text) => of(&text),
        Err(_) => String::from("a cause whose text panics"),
    }
}
