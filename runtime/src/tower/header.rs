//! The time that a request has left, as a header.
//!
//! The format is that of gRPC's `grpc-timeout` ([the protocol]): one to eight digits and a unit, `H`, `M`, `S`, `m`
//! (milliseconds), `u` or `n`. It is relative, so no clocks need to agree; the time on the wire is not counted.
//!
//! [the protocol]: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

/// The header that carries the remaining time to HTTP services: `x-request-timeout`, in the format of
/// `grpc-timeout`.
///
/// A server takes the shortest that it finds; what is malformed is as if it were not there. Zero means that the
/// time is over.
pub const TIMEOUT: HeaderName = HeaderName::from_static("x-request-timeout");

/// The header of gRPC: `grpc-timeout`.
pub const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

const MAX_DIGITS: usize = 8;
const TOO_MANY: u128 = 100_000_000;

/// The units from the finest, and how many nanoseconds each has.
const UNITS: [(u8, u64); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60_000_000_000),
    (b'H', 3_600_000_000_000),
];

/// The shortest time in `headers`, if there is one.
pub(super) fn shortest(headers: &HeaderMap) -> Option<Duration> {
    // Each look-up would hash the name; a look at all of them costs less.
    let is_time = |name: &HeaderName| *name == TIMEOUT || *name == GRPC_TIMEOUT;
    let times = headers.iter().filter(|(name, _)| is_time(name));
    times.filter_map(|(_, value)| parse(value)).min()
}

fn parse(value: &HeaderValue) -> Option<Duration> {
    let (unit, digits) = value.as_bytes().split_last()?;
    if digits.is_empty() || digits.len() > MAX_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let (_, nanos) = UNITS.iter().find(|(name, _)| name == unit)?;
    let count = digits
        .iter()
        .fold(0, |count, digit| 10 * count + u64::from(digit - b'0'));
    // Eight digits of hours are less than 2^59 nanoseconds times 1,000: seconds and the rest fit.
    let (seconds, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    Some(Duration::from_secs(count * seconds) + Duration::from_nanos(count * rest))
}

/// `remaining` in the finest unit that has room for it, rounded down: the callee has no longer than the caller.
pub(super) fn format(remaining: Duration) -> HeaderValue {
    let nanos = remaining.as_nanos();
    let fits = |(_, unit): &&(u8, u64)| nanos / u128::from(*unit) < TOO_MANY;
    let (name, count) = UNITS
        .iter()
        .find(fits)
        .map_or((b'H', TOO_MANY - 1), |(name, unit)| {
            (*name, nanos / u128::from(*unit))
        });
    let text = format!("{count}{}", char::from(name));
    HeaderValue::try_from(text).expect("digits and a letter")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &'static str) -> Option<Duration> {
        parse(&HeaderValue::from_static(text))
    }

    // guarantee E4
    #[test]
    fn every_unit_is_read() {
        for (text, duration) in [
            ("0m", Duration::ZERO),
            ("7n", Duration::from_nanos(7)),
            ("7u", Duration::from_micros(7)),
            ("007m", Duration::from_millis(7)),
            ("7S", Duration::from_secs(7)),
            ("7M", Duration::from_secs(420)),
            ("99999999H", Duration::from_secs(99_999_999 * 3600)),
        ] {
            assert_eq!(parsed(text), Some(duration), "{text}");
        }
    }

    // guarantee E4, and bad input
    #[test]
    fn what_is_malformed_is_not_there() {
        for text in [
            "",
            "m",
            "7",
            "7x",
            "-7m",
            "+7m",
            "7 m",
            "7.5S",
            "123456789m",
            "7mm",
            " 7m",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    // guarantee E4
    #[test]
    fn the_shortest_of_all_counts() {
        let mut headers = HeaderMap::new();
        assert_eq!(shortest(&headers), None);
        headers.append(TIMEOUT, HeaderValue::from_static("7S"));
        headers.append(TIMEOUT, HeaderValue::from_static("never"));
        headers.append(TIMEOUT, HeaderValue::from_static("5S"));
        headers.append(GRPC_TIMEOUT, HeaderValue::from_static("6S"));
        assert_eq!(shortest(&headers), Some(Duration::from_secs(5)));
    }

    // guarantee E4
    #[test]
    fn what_is_written_is_read_again_and_never_longer() {
        for nanos in [0, 1, 99_999_999, 100_000_000, 123_456_789_012, u64::MAX] {
            let duration = Duration::from_nanos(nanos);
            let again = parse(&format(duration)).unwrap();
            // What is rounded away is less than one of at least 100,000 of the next unit.
            assert!(
                again <= duration && duration.abs_diff(again) <= duration / 100_000,
                "{nanos}"
            );
        }
        assert_eq!(format(Duration::MAX), "99999999H");
        assert_eq!(format(Duration::from_millis(250)), "250000u");
    }
}
