//! The deadlines of contexts, fixed or movable.
//!
//! The rest of the crate knows [`Deadline`] and [`Moment`] only; clocks and alarms are those of
//! [`crate::timeline`]. An alarm is set only while somebody waits for its context.
//!
//! Lock order: a node, then a deadline's `armed`, then its movable instant, then a timeline. Drivers
//! are woken, and nodes expired, without a lock.
//!
//! Invariants:
//! 1. Who reads a movable deadline has read the clock before; who moves it reads the clock under
//!    its lock. So a deadline that somebody saw pass cannot be moved any more.
//! 2. `armed` is the key of the alarm in the timeline, if there is one.

use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::cancelled::{Cause, End, Kind, Origin};
use crate::sync::Mutex;
use crate::timeline::{AlarmKey, Timeline, When};
use crate::tree::Node;

/// A deadline, and when it was set: what was set in the past passes at that moment.
#[derive(Clone, Copy)]
struct Setting {
    at: Instant,
    since: Instant,
}

enum At {
    Fixed(Setting),
    Movable(Mutex<Setting>),
}

/// The deadline of one node.
pub(crate) struct Deadline {
    at: At,
    timeline: Arc<Timeline>,
    cause: Option<Cause>,
    /// Where it was set.
    place: &'static Location<'static>,
    armed: Mutex<Option<AlarmKey>>,
}

impl Deadline {
    pub(crate) fn new(
        at: Instant,
        movable: bool,
        timeline: Arc<Timeline>,
        cause: Option<Cause>,
        place: &'static Location<'static>,
    ) -> Self {
        let setting = Setting {
            at,
            since: timeline.now(),
        };
        let at = if movable {
            At::Movable(Mutex::new(setting))
        } else {
            At::Fixed(setting)
        };
        Self {
            at,
            timeline,
            cause,
            place,
            armed: Mutex::new(None),
        }
    }

    fn setting(&self) -> Setting {
        match &self.at {
            At::Fixed(setting) => *setting,
            At::Movable(setting) => *setting.lock(),
        }
    }

    fn at(&self) -> Instant {
        self.setting().at
    }

    pub(crate) fn was_set_in_the_past(&self) -> bool {
        let Setting { at, since } = self.setting();
        at <= since
    }

    /// When the deadline passed, if it has at `moment`.
    pub(crate) fn passed(&self, moment: &mut Moment) -> Option<Instant> {
        let now = moment.on(&self.timeline);
        let Setting { at, since } = self.setting();
        (at <= now).then(|| at.max(since))
    }

    /// Whether `at`, when this deadline passed, comes before the `end` of a source.
    pub(crate) fn is_before(&self, at: Instant, end: &End) -> bool {
        let end_at = end.when.on(&self.timeline);
        match end.kind {
            Kind::Cancelled => at <= end_at,
            // Of equal deadlines the parent's is the cause.
            Kind::DeadlineExceeded => at < end_at,
        }
    }

    pub(crate) fn end(&self, at: Instant) -> Arc<End> {
        let origin = Origin::Deadline(self.place);
        End::new(
            Kind::DeadlineExceeded,
            self.cause.clone(),
            origin,
            When::at(at),
        )
    }

    pub(crate) fn dated(&self) -> (Instant, &Self) {
        (self.at(), self)
    }

    /// What is left until `at`, by the clock of this deadline.
    pub(crate) fn until(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.timeline.now())
    }

    /// Sets the alarm; the driver that has to be woken, without a lock.
    pub(crate) fn arm(&self, id: u64, node: Weak<Node>) -> Option<Waker> {
        let mut armed = self.armed.lock();
        let key = (self.at(), id);
        *armed = Some(key);
        self.timeline.insert(key, node)
    }

    pub(crate) fn disarm(&self) {
        if let Some(key) = self.armed.lock().take() {
            self.timeline.remove(key);
        }
    }

    /// Moves the deadline of `node`, whose deadline this is, to `to`; false if it was too late.
    pub(crate) fn move_to(&self, to: Instant, node: &Arc<Node>) -> bool {
        let At::Movable(setting) = &self.at else {
            return false;
        };
        if node.end().is_some() {
            return false;
        }
        let driver = {
            let mut armed = self.armed.lock();
            let mut setting = setting.lock();
            let now = self.timeline.now();
            if setting.at <= now {
                return false;
            }
            *setting = Setting { at: to, since: now };
            armed.take().and_then(|old| {
                self.timeline.remove(old);
                let key = (to, old.1);
                *armed = Some(key);
                self.timeline.insert(key, Arc::downgrade(node))
            })
        };
        if let Some(driver) = driver {
            driver.wake();
        }
        if node.end().is_some() {
            // Moved into the past.
            node.finish();
        }
        true
    }
}

impl fmt::Debug for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.at {
            At::Fixed(_) => "with_deadline",
            At::Movable(_) => "with_movable_deadline",
        };
        let at = self.at();
        let now = self.timeline.now();
        match at.checked_duration_since(now) {
            Some(left) => write!(f, "{name}(in {left:?})"),
            None => write!(f, "{name}({:?} ago)", now.saturating_duration_since(at)),
        }
    }
}

/// One look at the clocks, for all deadlines that are compared at a time.
#[derive(Default)]
pub(crate) struct Moment {
    seen: Option<(*const Timeline, Instant)>,
}

impl Moment {
    fn on(&mut self, timeline: &Arc<Timeline>) -> Instant {
        let address = Arc::as_ptr(timeline);
        match self.seen {
            Some((seen, now)) if seen == address => now,
            _ => {
                let now = timeline.now();
                self.seen = Some((address, now));
                now
            }
        }
    }
}
