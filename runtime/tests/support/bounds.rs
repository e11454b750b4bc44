//! Tests that fail where they would hang.

use std::panic::resume_unwind;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// Far more than anything takes that does not hang.
pub(crate) const BOUND: Duration = Duration::from_secs(20);

/// Waits for what another thread is about to do, though not for ever: the thread that keeps deadlines may have
/// taken over to tell others.
pub(crate) fn await_that(is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() && begun.elapsed() < BOUND {
        thread::yield_now();
    }
}

/// Runs `work` on a thread, and gives up when it hangs.
pub(crate) fn within_bound(name: &str, work: impl FnOnce() + Send + 'static) {
    let (running, has_ended) = mpsc::channel::<()>();
    let worker = thread::spawn(move || {
        let _running = running;
        work();
    });
    let has_ended = has_ended.recv_timeout(3 * BOUND);
    assert_ne!(
        has_ended,
        Err(RecvTimeoutError::Timeout),
        "{name}: it hangs"
    );
    worker
        .join()
        .unwrap_or_else(|payload| resume_unwind(payload));
}
