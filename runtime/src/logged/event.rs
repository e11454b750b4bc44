//! The events of `tracing`, as [`crate::events`] describes them. The invariants are those of [`crate::logged`].

use std::fmt::Display;

use tracing::{Level, event};

use crate::cancelled::Cancelled;
use crate::frame::Frame;
use crate::line;

/// How many characters of a text are logged.
const MAX_TEXT: usize = 512;

/// Logs that an await is left in `frame`, unless that end was logged (invariant 1).
#[cold]
#[inline(never)]
pub(crate) fn left(frame: &Frame<'_>, cancelled: &Cancelled) {
    let (end, _) = cancelled.parts();
    if frame.mark_logged(end) {
        log(cancelled, "cancelled");
    }
}

/// Logs that a request was dropped where it was pending.
#[cfg(feature = "tower")]
#[cold]
#[inline(never)]
pub(crate) fn dropped(cancelled: &Cancelled) {
    log(cancelled, "request cancelled");
}

fn log(cancelled: &Cancelled, what: &str) {
    let (_, left) = cancelled.parts();
    event!(
        target: "cancel_context",
        Level::DEBUG,
        cause = text(&cancelled.cause()).as_str(),
        path = text(&cancelled.path()).as_str(),
        ended_at = text(cancelled.origin()).as_str(),
        left_at = left.map(|left| text(&left)).as_deref(),
        "{what}"
    );
}

/// A text on one line. That of a cause or a name may come from outside, and be as long as it likes.
fn text(value: &impl Display) -> String {
    let mut text = line::of_foreign(value);
    if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
        text.truncate(end);
        text.push('…');
    }
    text
}
