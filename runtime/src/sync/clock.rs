//! The clock of a model: it goes on when the model says so.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::{AtomicUsize, LazyLock, Ordering};

/// Seconds on the clock of the execution.
static CLOCK: LazyLock<AtomicUsize> = LazyLock::new(|| AtomicUsize::new(0));

/// When that clock stood at zero.
fn zero() -> Instant {
    static ZERO: OnceLock<Instant> = OnceLock::new();
    *ZERO.get_or_init(Instant::now)
}

pub(crate) fn now() -> Instant {
    // Relaxed: two threads that do not synchronise may read clocks in any order.
    at(LazyLock::force(&CLOCK).load(Ordering::Relaxed))
}

/// The instant at which the clock shows `seconds`.
pub(crate) fn at(seconds: usize) -> Instant {
    zero() + Duration::from_secs(seconds as u64)
}

/// Time passes.
pub(crate) fn pass(seconds: usize) {
    LazyLock::force(&CLOCK).fetch_add(seconds, Ordering::Relaxed);
}
