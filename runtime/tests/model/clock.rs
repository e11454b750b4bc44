//! The time of a case: that of a paused runtime, or the system's, which then plays no part.

use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

use crate::transition::Time;

pub(crate) struct Clock {
    runtime: Option<Runtime>,
    start: Instant,
}

impl Clock {
    pub(crate) fn new(is_paused: bool) -> Self {
        let runtime = is_paused.then(|| {
            let mut builder = Builder::new_current_thread();
            let builder = builder.enable_time().start_paused(true);
            builder.build().expect("the system has a runtime")
        });
        let mut clock = Self {
            runtime,
            start: Instant::now(),
        };
        if clock.runtime.is_some() {
            clock.start = clock.within(|| tokio::time::Instant::now().into_std());
        }
        clock
    }

    /// Runs `action` in the runtime, if there is one.
    pub(crate) fn within<R>(&self, action: impl FnOnce() -> R) -> R {
        let _entered = self.runtime.as_ref().map(Runtime::enter);
        action()
    }

    pub(crate) fn instant(&self, time: Time) -> Instant {
        let span = Duration::from_nanos(time.unsigned_abs());
        if time < 0 {
            self.start.checked_sub(span).expect("the system is older")
        } else {
            self.start + span
        }
    }

    /// Moves the clock, and runs what is ready then.
    pub(crate) fn advance(&self, by: Time) {
        let by = Duration::from_nanos(by.try_into().expect("it is not negative"));
        if let Some(runtime) = &self.runtime {
            runtime.block_on(async {
                tokio::time::advance(by).await;
                for _ in 0..8 {
                    tokio::task::yield_now().await;
                }
            });
        }
    }
}
