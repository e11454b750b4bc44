//! An instant in eight bytes.

use std::time::{Duration, Instant};

use crate::sync::{self, OnceLock};

/// Nanoseconds since the first instant that this process has asked for. Of what is more than 292 years
/// from there, only the direction is kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Tick(i64);

impl Tick {
    /// Later than any other.
    pub(crate) const NEVER: Self = Self(i64::MAX);

    fn zero() -> Instant {
        static ZERO: OnceLock<Instant> = OnceLock::new();
        *ZERO.get_or_init(Instant::now)
    }

    /// By the system's clock.
    pub(crate) fn now() -> Self {
        Self::of(sync::now())
    }

    #[inline]
    pub(crate) fn of(instant: Instant) -> Self {
        let zero = Self::zero();
        match instant.checked_duration_since(zero) {
            Some(after) => Self(nanos(after)),
            None => Self(-nanos(zero.duration_since(instant))),
        }
    }

    /// Whether an instant is as late as never.
    #[inline]
    pub(crate) fn is_never(instant: Instant) -> bool {
        static NEVER: OnceLock<Option<Instant>> = OnceLock::new();
        let never = NEVER.get_or_init(|| {
            Self::zero().checked_add(Duration::from_nanos(i64::MAX.unsigned_abs()))
        });
        never.is_some_and(|never| instant >= never)
    }

    pub(crate) fn instant(self) -> Instant {
        let (zero, distance) = (Self::zero(), Duration::from_nanos(self.0.unsigned_abs()));
        let instant = if self.0 < 0 {
            zero.checked_sub(distance)
        } else {
            zero.checked_add(distance)
        };
        // Only one that was made from an instant which is too far away cannot be one.
        instant.unwrap_or(zero)
    }

    pub(crate) fn nanos(self) -> i64 {
        self.0
    }

    pub(crate) fn of_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    pub(crate) fn after(self, duration: Duration) -> Self {
        match nanos(duration) {
            i64::MAX => Self::NEVER,
            nanos => Self(self.0.saturating_add(nanos)),
        }
    }

    pub(crate) fn since(self, earlier: Self) -> Duration {
        let nanos = self.0.saturating_sub(earlier.0);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }
}

#[inline]
fn nanos(duration: Duration) -> i64 {
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(i64::from(duration.subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use super::Tick;
    use std::time::{Duration, Instant};

    #[test]
    fn an_instant_comes_back_to_the_nanosecond_before_and_after_the_first() {
        let now = Instant::now();
        for nanos in [0, 1, 999_999_999, 1_000_000_000, 86_400_000_000_001] {
            let distance = Duration::from_nanos(nanos);
            assert_eq!(Tick::of(now + distance).instant(), now + distance);
            if let Some(before) = now.checked_sub(distance) {
                assert_eq!(Tick::of(before).instant(), before);
            }
        }
    }

    #[test]
    fn what_is_too_far_is_never() {
        let now = Tick::of(Instant::now());
        assert_eq!(now.after(Duration::MAX), Tick::NEVER);
        assert_eq!(Tick(-1).after(Duration::MAX), Tick::NEVER);
        assert!(now.after(Duration::from_secs(1 << 33)) < Tick::NEVER);
        assert_eq!(now.since(now.after(Duration::from_secs(1))), Duration::ZERO);
        assert_eq!(
            now.after(Duration::from_secs(1)).since(now),
            Duration::from_secs(1)
        );
    }
}
