//! Clocks, and the drivers that end contexts on time although nobody polls them.
//!
//! A *timeline* is a clock with the alarms that are set on it: one per tokio runtime, on tokio's
//! clock, so that a paused clock drives it; and one for the process, on the system's clock, for
//! contexts made elsewhere. Each has one driver: a task of the runtime ([`driver`]), or a thread
//! that starts with the first alarm.
//!
//! Lock order: `alarms` is the last lock of all. Drivers are woken, and nodes expired, without it.
//!
//! Invariant: when its runtime is gone, a timeline stops: its clock goes on from there at the speed
//! of the system's clock, and its alarms are kept, at the matching instants, by the process's
//! timeline.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};
use std::thread::Thread;

use crate::sync::{LazyLock, Mutex, OnceLock};
use crate::tick::Tick;
use crate::tree::Node;
use crate::waiters::guarded;

#[cfg(feature = "tokio")]
mod driver;

/// When an alarm rings, and the address of its node.
pub(crate) type AlarmKey = (Tick, usize);

/// When something happened, comparable with the deadlines of any timeline.
#[derive(Debug)]
pub(crate) struct When {
    /// By the clock of the runtime it happened in, or of the system.
    pub(crate) at: Tick,
    /// By the clocks that went otherwise, if it happened outside of a runtime.
    elsewhere: Vec<(Arc<Timeline>, Tick)>,
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

    /// By the clock of `timeline`.
    pub(crate) fn on(&self, timeline: &Arc<Timeline>) -> Tick {
        let mut elsewhere = self.elsewhere.iter();
        elsewhere
            .find(|(other, _)| Arc::ptr_eq(other, timeline))
            .map_or(self.at, |(_, at)| *at)
    }
}

/// A timeline's clock at the moment its runtime went, and the system's clock then.
struct Stopped {
    then: Tick,
    really: Tick,
}

#[derive(Default)]
struct Alarms {
    pending: BTreeMap<AlarmKey, Weak<Node>>,
    driver: Option<Waker>,
}

/// A clock and the alarms set on it.
pub(crate) struct Timeline {
    #[cfg(feature = "tokio")]
    runtime: Option<tokio::runtime::Handle>,
    alarms: Mutex<Alarms>,
    /// Set once, under the lock of `alarms`.
    stopped: OnceLock<Stopped>,
}

impl Timeline {
    /// The one of the runtime this is called in, or of the process.
    pub(crate) fn here() -> Arc<Self> {
        #[cfg(feature = "tokio")]
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            return driver::timeline(&runtime);
        }
        Arc::clone(Self::system())
    }

    fn system() -> &'static Arc<Self> {
        static SYSTEM: LazyLock<Arc<Timeline>> = LazyLock::new(|| {
            Arc::new(Timeline {
                #[cfg(feature = "tokio")]
                runtime: None,
                alarms: Mutex::default(),
                stopped: OnceLock::new(),
            })
        });
        LazyLock::force(&SYSTEM)
    }

    fn is_system(&self) -> bool {
        std::ptr::eq(self, Arc::as_ptr(Self::system()))
    }

    #[cfg_attr(
        not(feature = "tokio"),
        expect(clippy::unused_self, reason = "there is one clock then")
    )]
    pub(crate) fn now(&self) -> Tick {
        #[cfg(feature = "tokio")]
        if let Some(runtime) = &self.runtime {
            return match self.stopped.get() {
                Some(stopped) => stopped.then.after(Tick::now().since(stopped.really)),
                None => driver::now(runtime),
            };
        }
        Tick::now()
    }

    /// Where an alarm of a stopped timeline is kept by the process's.
    fn moved(&self, (at, id): AlarmKey) -> Option<AlarmKey> {
        let stopped = self.stopped.get()?;
        Some((stopped.really.after(at.since(stopped.then)), id))
    }

    pub(crate) fn insert(&self, key: AlarmKey, node: Weak<Node>) -> Option<Waker> {
        let mut alarms = self.alarms.lock();
        if let Some(moved) = self.moved(key) {
            drop(alarms);
            return Self::system().insert(moved, node);
        }
        alarms.pending.insert(key, node);
        let is_first = alarms
            .pending
            .first_key_value()
            .is_some_and(|(first, _)| *first == key);
        if !is_first {
            return None;
        }
        if self.is_system() && alarms.driver.is_none() {
            alarms.driver = Some(start_timer_thread());
        }
        alarms.driver.clone()
    }

    pub(crate) fn remove(&self, key: AlarmKey) {
        let mut alarms = self.alarms.lock();
        if let Some(moved) = self.moved(key) {
            drop(alarms);
            return Self::system().remove(moved);
        }
        alarms.pending.remove(&key);
    }

    /// Expires what is due; then notes the driver and returns when the next alarm rings.
    pub(crate) fn turn(&self, driver: &Waker) -> Option<Tick> {
        loop {
            let driver = driver.clone();
            let now = self.now();
            let mut due = Vec::new();
            {
                let mut alarms = self.alarms.lock();
                while let Some(first) = alarms.pending.first_entry() {
                    if first.key().0 > now {
                        break;
                    }
                    due.push(first.remove());
                }
                if due.is_empty() {
                    let next = alarms.pending.first_key_value().map(|(key, _)| key.0);
                    let previous = alarms.driver.replace(driver);
                    drop(alarms);
                    drop(previous);
                    return next;
                }
            }
            for node in due.iter().filter_map(Weak::upgrade) {
                // This may be its last handle, and a value's destructor may panic: others wait for this driver.
                guarded(move || node.expire());
            }
        }
    }

    /// Its driver is gone: hands the alarms to the process's timeline.
    #[cfg(feature = "tokio")]
    fn stop(&self) {
        let then = self.now();
        let pending = {
            let mut alarms = self.alarms.lock();
            self.stopped.get_or_init(|| Stopped {
                then,
                really: Tick::now(),
            });
            alarms.driver = None;
            std::mem::take(&mut alarms.pending)
        };
        for (key, node) in pending {
            let moved = self.moved(key).unwrap_or(key);
            if let Some(driver) = Self::system().insert(moved, node) {
                driver.wake();
            }
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
