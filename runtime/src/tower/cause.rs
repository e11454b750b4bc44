//! The cause of a cancel as text, between peers that were opted in.
//!
//! Invariants:
//! 1. What came from a peer is bounded, and has no characters that a terminal or a log would take for more than text.
//! 2. The text of a peer is handed on as it is: the last one of a chain sees what the first one has said.

use std::error::Error;
use std::fmt::{self, Write as _};

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode, utf8_percent_encode};

use super::end::RequestEnd;
use crate::cancelled::Cancelled;

/// The header that carries a cause as text, percent-encoded as in gRPC's `grpc-message`: `x-cancel-cause`.
///
/// It goes to peers that were opted in, see [`CauseLayer`](super::CauseLayer) and
/// [`ContextLayer::share_causes`](super::ContextLayer::share_causes).
pub const CAUSE: HeaderName = HeaderName::from_static("x-cancel-cause");

/// How many characters of a text count.
const MAX_CHARS: usize = 256;

/// RFC 9110, 5.5, has text of ASCII, without space at its ends; all else is encoded by the crate.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// Why a peer has cancelled, as it says; nothing that is to be relied on.
///
/// At most 256 characters; what is not printable is escaped as in Rust's literals.
///
/// # Examples
///
/// ```
/// use cancel_context::tower::{CAUSE, RemoteCause};
/// use http::{HeaderMap, HeaderValue};
///
/// let mut headers = HeaderMap::new();
/// assert!(RemoteCause::of(&headers).is_none());
/// headers.insert(CAUSE, HeaderValue::from_static("user%20hung%20up%0A"));
/// assert_eq!(RemoteCause::of(&headers).unwrap().to_string(), r"user hung up\n");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteCause(Box<str>);

impl RemoteCause {
    /// Returns the cause that the headers, or trailers, of an answer have; `None` if there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::tower::RemoteCause;
    ///
    /// assert!(RemoteCause::of(&http::HeaderMap::new()).is_none());
    /// ```
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let encoded = headers.get(CAUSE)?.as_bytes();
        Some(Self::new(&percent_decode(encoded).decode_utf8_lossy()))
    }

    pub(crate) fn new(text: &str) -> Self {
        let mut escaped = String::new();
        for character in text.chars().take(MAX_CHARS) {
            match character {
                '"' | '\'' => escaped.push(character),
                // Writing to a string cannot fail.
                _ => _ = write!(escaped, "{}", character.escape_debug()),
            }
        }
        Self(escaped.into())
    }
}

impl fmt::Display for RemoteCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for RemoteCause {}

/// Why a context has ended, for a peer.
pub(super) fn format(cancelled: &Cancelled) -> HeaderValue {
    let text = from_peer(cancelled).unwrap_or_else(|| own(cancelled));
    let end = text.char_indices().nth(MAX_CHARS).map(|(end, _)| end);
    let text = &text[..end.unwrap_or(text.len())];
    let encoded = utf8_percent_encode(text, ENCODED).to_string();
    HeaderValue::try_from(encoded).expect("printable ASCII")
}

fn from_peer(cancelled: &Cancelled) -> Option<String> {
    let cause = cancelled.cause();
    let remote = match cause.downcast_ref() {
        Some(RequestEnd::CancelledByCaller(remote)) => Some(remote),
        _ => cause.downcast_ref(),
    };
    remote.map(|RemoteCause(text)| text.to_string())
}

fn own(cancelled: &Cancelled) -> String {
    let cause = cancelled.cause_text();
    match cancelled.path() {
        "" => cause,
        path => format!("{cause}, in {path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;

    fn sent(cause: &str) -> String {
        let (ctx, canceller) = Context::background().with_name("shop").with_cancel();
        canceller.cancel_with(cause);
        received(format(&ctx.check().unwrap_err()))
    }

    fn received(value: HeaderValue) -> String {
        let headers = HeaderMap::from_iter([(CAUSE, value)]);
        RemoteCause::of(&headers).unwrap().to_string()
    }

    // guarantee E4
    #[test]
    fn a_cause_arrives_with_where_it_was() {
        assert_eq!(sent("the user hung up"), "the user hung up, in shop");
        assert_eq!(sent("100 % größer"), "100 % größer, in shop");
    }

    // guarantee E4
    #[test]
    fn the_text_of_a_peer_is_handed_on_as_it_is() {
        for cause in [
            Box::new(RemoteCause::new("first")) as Box<dyn Error + Send + Sync>,
            Box::new(RequestEnd::CancelledByCaller(RemoteCause::new("first"))),
        ] {
            let (ctx, canceller) = Context::background().with_name("second").with_cancel();
            canceller.cancel_with(cause);
            assert_eq!(received(format(&ctx.check().unwrap_err())), "first");
        }
    }

    // guarantee E4, and bad input; the symptom: a cause from the wire that writes lines of its own into the log
    #[test]
    fn what_comes_from_a_peer_is_bounded_and_escaped() {
        let text = sent("a\r\nb\u{1b}[31m\u{202e}");
        assert_eq!(text, r"a  b [31m\u{202e}, in shop");
        let value = HeaderValue::from_static("a%0d%0ab%1b%5b31m%e2%80%ae");
        assert_eq!(received(value), r"a\r\nb\u{1b}[31m\u{202e}");
        let value = HeaderValue::from_bytes(b"\xff%ff%zz%").unwrap();
        assert_eq!(received(value), "\u{fffd}\u{fffd}%zz%");
        let value = HeaderValue::try_from("x".repeat(100_000)).unwrap();
        assert_eq!(received(value), "x".repeat(MAX_CHARS));
        assert_eq!(sent(&"ä".repeat(100_000)), "ä".repeat(MAX_CHARS));
    }
}
