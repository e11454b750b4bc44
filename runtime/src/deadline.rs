//! The deadlines of contexts, fixed or movable.
//!
//! The rest of the crate knows [`Deadline`] and [`Moment`] only; clocks and alarms are those of
//! [`crate::timeline`]. An alarm is set only while somebody waits for its context.
//!
//! Lock order: that of [`crate::waiters`]. Drivers are woken, and nodes expired, without a lock.
//!
//! Invariant: who reads a movable deadline has read the clock before; who moves it reads the clock under
//! its lock. So a deadline that somebody saw pass cannot be moved any more.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::cancelled::{Cause, End, Kind};
use crate::origin::Origin;
use crate::sync::{self, Mutex};
use crate::tick::Tick;
use crate::timeline::{Alarm, Clock, Home, Timeline, When};
use crate::tree::Node;

/// A deadline that can be moved, and when it was last: what was moved into the past passes at that moment.
#[derive(Clone, Copy)]
struct Setting {
    at: Tick,
    since: Tick,
}

/// The deadline of one node.
pub(crate) struct Deadline {
    form: Form,
    /// Where it was set.
    place: &'static Location<'static>,
}

/// Most have no cause of their own, cannot be moved, and go by the system's clock; these take no memory but
/// here.
enum Form {
    Plain { at: Instant, home: Home },
    Special(Box<Special>),
}

struct Special {
    at: Tick,
    /// Instead of `at`, if it can be moved.
    movable: Option<Mutex<Setting>>,
    clock: Clock,
    cause: Option<Cause>,
}

impl Special {
    #[inline(never)]
    fn passed(&self, moment: &mut Moment) -> Option<Tick> {
        let now = Tick::of(moment.on(&self.clock));
        match &self.movable {
            None => (self.at <= now).then_some(self.at),
            Some(movable) => {
                let Setting { at, since } = *movable.lock();
                (at <= now).then(|| at.max(since))
            }
        }
    }
}

impl Deadline {
    pub(crate) fn new(
        (at, since): (Instant, Instant),
        is_movable: bool,
        clock: Clock,
        cause: Option<Cause>,
        place: &'static Location<'static>,
    ) -> Self {
        let form = match clock {
            Clock::Real(home) if cause.is_none() && !is_movable => Form::Plain { at, home },
            _ => {
                let (at, since) = (Tick::of(at), Tick::of(since));
                Form::Special(Box::new(Special {
                    at,
                    movable: is_movable.then(|| Mutex::new(Setting { at, since })),
                    clock,
                    cause,
                }))
            }
        };
        Self { form, place }
    }

    fn timeline(&self) -> Arc<Timeline> {
        match &self.form {
            Form::Plain { home, .. } => home.timeline(),
            Form::Special(special) => special.clock.timeline(),
        }
    }

    fn now(&self) -> Tick {
        match &self.form {
            Form::Plain { .. } => Tick::now(),
            Form::Special(special) => special.clock.now(),
        }
    }

    fn movable(&self) -> Option<&Mutex<Setting>> {
        match &self.form {
            Form::Plain { .. } => None,
            Form::Special(special) => special.movable.as_ref(),
        }
    }

    pub(crate) fn at(&self) -> Tick {
        match &self.form {
            Form::Plain { at, .. } => Tick::of(*at),
            Form::Special(special) => {
                let movable = special.movable.as_ref();
                movable.map_or(special.at, |setting| setting.lock().at)
            }
        }
    }

    /// When the deadline passed, if it has at `moment`.
    pub(crate) fn passed(&self, moment: &mut Moment) -> Option<Tick> {
        match &self.form {
            Form::Plain { at, .. } => (*at <= moment.really()).then(|| Tick::of(*at)),
            Form::Special(special) => special.passed(moment),
        }
    }

    /// Whether `at`, when this deadline passed, comes before the `end` of a source.
    pub(crate) fn is_before(&self, at: Tick, end: &End) -> bool {
        let end_at = match &self.form {
            Form::Plain { .. } => end.when.at,
            Form::Special(special) => end.when.on(&special.clock),
        };
        match end.kind {
            Kind::Cancelled => at <= end_at,
            // Of equal deadlines the parent's is the cause.
            Kind::DeadlineExceeded => at < end_at,
        }
    }

    /// The end of a node whose deadline has passed `at`.
    pub(crate) fn end(&self, at: Tick) -> Arc<End> {
        let cause = match &self.form {
            Form::Plain { .. } => None,
            Form::Special(special) => special.cause.clone(),
        };
        let origin = Origin::Deadline(self.place);
        End::new(Kind::DeadlineExceeded, cause, origin, When::at(at))
    }

    pub(crate) fn dated(&self) -> (Tick, &Self) {
        (self.at(), self)
    }

    /// What is left until `at`, by the clock of this deadline.
    pub(crate) fn until(&self, at: Tick) -> Duration {
        at.since(self.now())
    }

    /// Sets the alarm of `node`, whose lock the caller holds, instead of the one that is set; the driver that
    /// has to be woken without the lock.
    pub(crate) fn arm(&self, node: &Arc<Node>, alarm: &mut Option<Alarm>) -> Option<Waker> {
        // A driver that found the old one due may come here after the deadline was moved.
        if let Some(old) = alarm.take() {
            old.remove();
        }
        let at = self.at();
        if at == Tick::NEVER {
            return None;
        }
        let (set, driver) = self.timeline().insert(at, Arc::downgrade(node));
        *alarm = Some(set);
        driver
    }

    /// Moves the deadline of `node`, whose deadline this is, to `to`; false if it was too late.
    pub(crate) fn move_to(&self, to: Instant, node: &Arc<Node>) -> bool {
        let Some(movable) = self.movable() else {
            return false;
        };
        if node.end().is_some() {
            return false;
        }
        let at = Tick::of(to);
        let driver = {
            let mut links = node.links().lock();
            {
                let mut setting = movable.lock();
                let since = self.now();
                if setting.at <= since {
                    return false;
                }
                *setting = Setting { at, since };
            }
            if links.is_linked() {
                self.arm(node, &mut links.alarm)
            } else {
                None
            }
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
        let name = match self.movable() {
            None => "with_deadline",
            Some(_) => "with_movable_deadline",
        };
        let (at, now) = (self.at(), self.now());
        if at < now {
            write!(f, "{name}({:?} ago)", now.since(at))
        } else {
            write!(f, "{name}(in {:?})", at.since(now))
        }
    }
}

/// One look at the clocks, for all deadlines that are compared at a time.
#[derive(Default)]
pub(crate) struct Moment {
    /// The clock of a timeline, or null for that of the system.
    seen: Option<(*const Timeline, Instant)>,
}

impl Moment {
    fn on(&mut self, clock: &Clock) -> Instant {
        match clock {
            Clock::Real(_) => self.really(),
            Clock::Pausable(timeline) => self.see(Arc::as_ptr(timeline), || clock.instant()),
        }
    }

    fn really(&mut self) -> Instant {
        self.see(std::ptr::null(), sync::now)
    }

    fn see(&mut self, address: *const Timeline, look: impl FnOnce() -> Instant) -> Instant {
        match self.seen {
            Some((seen, now)) if seen == address => now,
            _ => {
                let now = look();
                self.seen = Some((address, now));
                now
            }
        }
    }
}
