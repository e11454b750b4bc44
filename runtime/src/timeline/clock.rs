//! What deadlines go by, and when something happened by that.

use std::sync::Arc;
use std::time::Instant;

use super::Timeline;
#[cfg(feature = "tokio")]
use super::driver;
use crate::sync;
use crate::tick::Tick;

/// What a deadline goes by.
pub(crate) enum Clock {
    /// The system's clock.
    Real(Home),
    /// That of a runtime whose clock can be paused.
    #[cfg_attr(
        not(feature = "tokio"),
        expect(dead_code, reason = "there is one clock then")
    )]
    Pausable(Arc<Timeline>),
}

/// Whose driver sees to deadlines on the system's clock: that of a runtime, as long as it runs, or of the
/// process.
#[derive(Clone, Copy)]
pub(crate) struct Home(#[cfg(feature = "tokio")] pub(super) Option<tokio::runtime::Id>);

impl Home {
    fn of_process() -> Self {
        // Made with the first deadline, not when one is waited for.
        Timeline::system();
        Self(
            #[cfg(feature = "tokio")]
            None,
        )
    }

    /// The timeline on which its alarms are set now.
    #[cfg_attr(
        not(feature = "tokio"),
        expect(clippy::unused_self, reason = "there is one timeline then")
    )]
    pub(crate) fn timeline(self) -> Arc<Timeline> {
        #[cfg(feature = "tokio")]
        if let Some(timeline) = self.0.and_then(driver::running) {
            return timeline;
        }
        Arc::clone(Timeline::system())
    }
}

impl Clock {
    /// That of the runtime this is called in, or of the process.
    fn here() -> Self {
        #[cfg(feature = "tokio")]
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            return driver::clock(&runtime);
        }
        Self::Real(Home::of_process())
    }

    /// As [`here`](Self::here), and the time there.
    pub(crate) fn here_and_now() -> (Self, Instant) {
        let here = Self::here();
        let now = match &here {
            #[cfg(feature = "tokio")]
            Self::Pausable(timeline) if timeline.stopped.get().is_none() => driver::now_here(),
            _ => here.instant(),
        };
        (here, now)
    }

    /// The timeline on which its alarms are set now.
    pub(crate) fn timeline(&self) -> Arc<Timeline> {
        match self {
            Self::Real(home) => home.timeline(),
            Self::Pausable(timeline) => Arc::clone(timeline),
        }
    }

    /// Now; to be compared with, which takes less than to work out what is left.
    pub(crate) fn instant(&self) -> Instant {
        match self {
            Self::Real(_) => sync::now(),
            Self::Pausable(timeline) => timeline.instant(),
        }
    }

    pub(crate) fn now(&self) -> Tick {
        Tick::of(self.instant())
    }
}

/// When something happened, comparable with the deadlines of any timeline.
#[derive(Debug)]
pub(crate) struct When {
    /// By the clock of the runtime it happened in, or of the system.
    pub(crate) at: Tick,
    /// By the clocks that went otherwise, if it happened outside of a runtime.
    pub(crate) elsewhere: Vec<(Arc<Timeline>, Tick)>,
}

impl When {
    pub(crate) fn now() -> Self {
        #[cfg(feature = "tokio")]
        return driver::when();
        #[cfg(not(feature = "tokio"))]
        Self::at(Tick::now())
    }

    pub(crate) fn at(at: Tick) -> Self {
        Self {
            at,
            elsewhere: Vec::new(),
        }
    }

    /// By `clock`.
    pub(crate) fn on(&self, clock: &Clock) -> Tick {
        let Clock::Pausable(timeline) = clock else {
            return self.at;
        };
        let mut elsewhere = self.elsewhere.iter();
        elsewhere
            .find(|(other, _)| Arc::ptr_eq(other, timeline))
            .map_or(self.at, |(_, at)| *at)
    }
}
