//! Clocks, and the drivers that end contexts on time although nobody polls them.
//!
//! A *timeline* is a clock with the alarms that are set on it: one per tokio runtime, on tokio's
//! clock, so that a paused clock drives it; and one for the process, on the system's clock, for
//! contexts made elsewhere. Each has one driver: a task of the runtime ([`driver`]), or a thread
//! that starts with the first alarm.
//!
//! A deadline has a [`Clock`]. Mostly that is the system's, which takes no timeline to look at: then the
//! deadline keeps the number of its runtime only, and the timeline is looked for when an alarm is set.
//!
//! Lock order: `alarms` is the last lock of all, that of the process's timeline after that of another one.
//! Drivers are woken, and nodes expired, without it.
//!
//! Invariants:
//! 1. When its runtime is gone, a timeline stops: its clock goes on from there at the speed of the system's
//!    clock, and its alarms are kept, at the matching instants, by the process's timeline.
//! 2. A driver sleeps `until` the first alarm that it found, or looks once more: whoever sets an alarm that
//!    rings before, wakes it. One that was taken away may let it look in vain.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};
use std::thread::Thread;
use std::time::Instant;

use crate::sync::{self, LazyLock, Mutex, OnceLock};
use crate::tick::Tick;
use crate::tree::Node;
use crate::waiters::guarded;

mod clock;
#[cfg(feature = "tokio")]
mod driver;
mod wheel;

pub(crate) use clock::{Clock, Home, When};
use wheel::{Key, Wheel};

/// An alarm that was set, for who takes it away.
pub(crate) struct Alarm {
    key: Key,
    /// Where it was set.
    timeline: Arc<Timeline>,
}

impl Alarm {
    /// Takes it away, wherever it is kept by now.
    pub(crate) fn remove(self) {
        self.timeline.remove(self.key);
    }
}

/// A timeline's clock at the moment its runtime went, and the system's clock then.
struct Stopped {
    then: Tick,
    really: Tick,
}

impl Stopped {
    /// What the stopped clock shows now.
    #[cfg(feature = "tokio")]
    fn instant(&self) -> Instant {
        let since = Tick::now().since(self.really);
        self.then.after(since).instant()
    }

    /// What the system's clock shows `at` that time.
    fn really(&self, at: Tick) -> Tick {
        self.really.after(at.since(self.then))
    }
}

struct Alarms {
    pending: Wheel<Weak<Node>>,
    /// The keys of those that the process's timeline keeps, since this one was stopped.
    moved: HashMap<Key, Key>,
    /// Until when the driver sleeps if nobody wakes it (invariant 2).
    until: Tick,
    driver: Option<Waker>,
}

impl Default for Alarms {
    fn default() -> Self {
        Self {
            pending: Wheel::default(),
            moved: HashMap::new(),
            until: Tick::NEVER,
            driver: None,
        }
    }
}

/// A clock and the alarms set on it.
pub(crate) struct Timeline {
    /// The runtime whose clock it has, unless that is the system's in any case.
    #[cfg(feature = "tokio")]
    pausable: Option<tokio::runtime::Handle>,
    alarms: Mutex<Alarms>,
    /// Set once, under the lock of `alarms`.
    stopped: OnceLock<Stopped>,
}

impl Timeline {
    /// That of the process.
    pub(crate) fn system() -> &'static Arc<Self> {
        static SYSTEM: LazyLock<Arc<Timeline>> = LazyLock::new(|| {
            Arc::new(Timeline {
                #[cfg(feature = "tokio")]
                pausable: None,
                alarms: Mutex::default(),
                stopped: OnceLock::new(),
            })
        });
        LazyLock::force(&SYSTEM)
    }

    fn is_system(&self) -> bool {
        std::ptr::eq(self, Arc::as_ptr(Self::system()))
    }

    fn now(&self) -> Tick {
        Tick::of(self.instant())
    }

    #[cfg_attr(
        not(feature = "tokio"),
        expect(clippy::unused_self, reason = "there is one clock then")
    )]
    fn instant(&self) -> Instant {
        #[cfg(feature = "tokio")]
        if let Some(runtime) = &self.pausable {
            return match self.stopped.get() {
                Some(stopped) => stopped.instant(),
                None => driver::now(runtime),
            };
        }
        sync::now()
    }

    /// Sets an alarm for `node`; also gives the driver, if that has to be woken.
    pub(crate) fn insert(self: Arc<Self>, at: Tick, node: Weak<Node>) -> (Alarm, Option<Waker>) {
        let mut alarms = self.alarms.lock();
        let Some(stopped) = self.stopped.get() else {
            let (key, driver) = self.insert_into(&mut alarms, at, node);
            drop(alarms);
            let timeline = self;
            return (Alarm { key, timeline }, driver);
        };
        let at = stopped.really(at);
        drop(alarms);
        let timeline = Arc::clone(Self::system());
        let (key, driver) = timeline.insert_here(at, node);
        (Alarm { key, timeline }, driver)
    }

    fn insert_here(&self, at: Tick, node: Weak<Node>) -> (Key, Option<Waker>) {
        self.insert_into(&mut self.alarms.lock(), at, node)
    }

    fn insert_into(&self, alarms: &mut Alarms, at: Tick, node: Weak<Node>) -> (Key, Option<Waker>) {
        let key = alarms.pending.insert(at.nanos(), node);
        if at >= alarms.until {
            return (key, None);
        }
        alarms.until = at;
        if self.is_system() && alarms.driver.is_none() {
            alarms.driver = Some(start_timer_thread());
        }
        (key, alarms.driver.clone())
    }

    fn remove(&self, key: Key) {
        let mut alarms = self.alarms.lock();
        let removed = alarms.pending.remove(key);
        let moved = if removed.is_none() && self.stopped.get().is_some() {
            alarms.moved.remove(&key)
        } else {
            None
        };
        drop(alarms);
        drop(removed);
        if let Some(moved) = moved {
            Self::system().remove_here(moved);
        }
    }

    fn remove_here(&self, key: Key) {
        let removed = self.alarms.lock().pending.remove(key);
        drop(removed);
    }

    /// Expires what is due; then notes the driver and returns when the next alarm rings.
    pub(crate) fn turn(&self, driver: &Waker) -> Option<Tick> {
        let mut due = Vec::new();
        loop {
            let driver = driver.clone();
            let now = self.now();
            let mut alarms = self.alarms.lock();
            alarms.pending.take_due(now.nanos(), &mut due);
            if due.is_empty() {
                let next = alarms.pending.next().map(Tick::of_nanos);
                alarms.until = next.unwrap_or(Tick::NEVER);
                let previous = alarms.driver.replace(driver);
                drop(alarms);
                drop(previous);
                return next;
            }
            drop(alarms);
            due.sort_unstable_by_key(|(at, node)| (*at, node.as_ptr()));
            for (_, node) in due.drain(..) {
                // This may be its last handle, and a value's destructor may panic: others wait for this driver.
                if let Some(node) = node.upgrade() {
                    guarded(move || node.expire());
                }
            }
        }
    }

    /// Its driver is gone: hands the alarms to the process's timeline.
    #[cfg(feature = "tokio")]
    fn stop(&self) {
        let then = self.now();
        let mut to_wake = None;
        let driver = {
            let mut alarms = self.alarms.lock();
            let really = Tick::now();
            let stopped = self.stopped.get_or_init(|| Stopped { then, really });
            for (key, at, node) in alarms.pending.take_all() {
                let at = stopped.really(Tick::of_nanos(at));
                // The same one each time.
                let (moved, driver) = Self::system().insert_here(at, node);
                alarms.moved.insert(key, moved);
                to_wake = driver.or(to_wake);
            }
            alarms.driver.take()
        };
        drop(driver);
        if let Some(driver) = to_wake {
            driver.wake();
        }
    }
}

/// Starts the driver of the process's timeline; what wakes it.
fn start_timer_thread() -> Waker {
    let driver = std::thread::Builder::new()
        .name(String::from("cancel-context-timer"))
        .spawn(|| {
            let driver = Waker::from(Arc::new(Unpark(std::thread::current())));
            loop {
                match Timeline::system().turn(&driver) {
                    Some(next) => {
                        std::thread::park_timeout(next.since(Tick::now()));
                    }
                    None => std::thread::park(),
                }
            }
        })
        .expect("the system can start one more thread, for deadlines outside of a runtime");
    Waker::from(Arc::new(Unpark(driver.thread().clone())))
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl fmt::Debug for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeline").finish_non_exhaustive()
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};
    use std::time::Duration;

    use super::{Alarms, Timeline};
    use crate::context::Context;
    use crate::sync::{Mutex, OnceLock};
    use crate::tick::Tick;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// One without a driver of its own.
    fn timeline() -> Arc<Timeline> {
        Arc::new(Timeline {
            #[cfg(feature = "tokio")]
            pausable: None,
            alarms: Mutex::new(Alarms::default()),
            stopped: OnceLock::new(),
        })
    }

    fn later(seconds: u64) -> Tick {
        Tick::now().after(Duration::from_secs(3600 + seconds))
    }

    #[test]
    fn a_driver_is_woken_for_what_rings_before_the_alarm_it_sleeps_for_only() {
        let (timeline, wakes) = (timeline(), Arc::new(Wakes::default()));
        let driver = Waker::from(Arc::clone(&wakes));
        let (context, _canceller) = Context::background().with_cancel();
        let node = context.arc().expect("it is no root");
        assert_eq!(timeline.turn(&driver), None);
        let set = |seconds| {
            let timeline = Arc::clone(&timeline);
            let (alarm, driver) = timeline.insert(later(seconds), Arc::downgrade(&node));
            (alarm, driver.map(Waker::wake).is_some())
        };
        let (first, is_woken) = set(20);
        assert!(is_woken);
        assert!(!set(30).1, "it sleeps until 20");
        first.remove();
        assert!(!set(25).1, "it looks at 20, in vain");
        assert!(set(10).1);
        assert_eq!(wakes.0.load(Ordering::Relaxed), 2);
        let next = timeline.turn(&driver).expect("three alarms are left");
        assert!(next <= later(10) && next > later(9));
    }

    #[cfg(feature = "tokio")]
    #[test]
    fn alarms_of_a_timeline_that_has_stopped_can_be_taken_away() {
        let timeline = timeline();
        let (context, _canceller) = Context::background().with_cancel();
        let node = context.arc().expect("it is no root");
        let set = |seconds| {
            let timeline = Arc::clone(&timeline);
            timeline.insert(later(seconds), Arc::downgrade(&node)).0
        };
        let (first, second) = (set(1), set(2));
        let gone = first.key;
        first.remove();
        timeline.stop();
        let late = set(3);
        assert_eq!(Arc::weak_count(&node), 2);
        timeline.remove(gone);
        assert_eq!(Arc::weak_count(&node), 2);
        second.remove();
        late.remove();
        assert_eq!(Arc::weak_count(&node), 0);
        assert!(timeline.alarms.lock().moved.is_empty());
    }
}
