//! Deadlines, and the drivers that end contexts on time although nobody polls them.
//!
//! A *timeline* is a clock with the alarms that are set on it: one per tokio runtime, on tokio's
//! clock, so that a paused clock drives it; and one for the process, on the system's clock, for
//! contexts made elsewhere. An alarm is set only while somebody waits for its context. Each timeline
//! has one driver: a task of the runtime, or a thread that starts with the first alarm.
//!
//! The rest of the crate knows [`Deadline`], [`Moment`] and [`Deadline::arm`] only.
//!
//! Lock order: a node, then a deadline's `armed`, then its movable instant, then a timeline's
//! `alarms`. Drivers are woken, and nodes expired, without a lock.
//!
//! Invariants:
//! 1. Who reads a movable deadline has read the clock before; who moves it reads the clock under
//!    its lock. So a deadline that somebody saw pass cannot be moved any more.
//! 2. `armed` is the key of the alarm in the timeline, if there is one.
//! 3. When its runtime is gone, a timeline stops: its clock goes on from there at the speed of the
//!    system's clock, and its alarms are kept, at the matching instants, by the process's timeline.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use crate::cancelled::{Cause, End, Kind, Origin};
use crate::sync::{Mutex, OnceLock};
use crate::tree::Node;

/// When an alarm rings, and the number of its node.
type AlarmKey = (Instant, u64);

enum At {
    Fixed(Instant),
    Movable(Mutex<Instant>),
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
        let at = if movable {
            At::Movable(Mutex::new(at))
        } else {
            At::Fixed(at)
        };
        Self {
            at,
            timeline,
            cause,
            place,
            armed: Mutex::new(None),
        }
    }

    fn at(&self) -> Instant {
        match &self.at {
            At::Fixed(at) => *at,
            At::Movable(at) => *at.lock(),
        }
    }

    /// The deadline, if it is not after `moment`.
    pub(crate) fn passed(&self, moment: &mut Moment) -> Option<Instant> {
        let now = moment.on(&self.timeline);
        Some(self.at()).filter(|at| *at <= now)
    }

    pub(crate) fn end(&self, at: Instant) -> Arc<End> {
        let origin = Origin::Deadline(self.place);
        End::new(Kind::DeadlineExceeded, self.cause.clone(), origin, at)
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
        let At::Movable(at) = &self.at else {
            return false;
        };
        if node.end().is_some() {
            return false;
        }
        let driver = {
            let mut armed = self.armed.lock();
            let mut at = at.lock();
            if *at <= self.timeline.now() {
                return false;
            }
            *at = to;
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

/// Now, by the clock of the runtime this is called in, or of the system.
pub(crate) fn system_or_runtime_now() -> Instant {
    #[cfg(feature = "tokio")]
    return tokio::time::Instant::now().into_std();
    #[cfg(not(feature = "tokio"))]
    Instant::now()
}

/// A timeline's clock at the moment its runtime went, and the system's clock then.
struct Stopped {
    then: Instant,
    really: Instant,
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
            return on_tokio::timeline(&runtime);
        }
        Arc::clone(Self::system())
    }

    fn system() -> &'static Arc<Self> {
        static SYSTEM: OnceLock<Arc<Timeline>> = OnceLock::new();
        SYSTEM.get_or_init(|| {
            Arc::new(Self {
                #[cfg(feature = "tokio")]
                runtime: None,
                alarms: Mutex::default(),
                stopped: OnceLock::new(),
            })
        })
    }

    fn is_system(&self) -> bool {
        std::ptr::eq(self, Arc::as_ptr(Self::system()))
    }

    pub(crate) fn now(&self) -> Instant {
        #[cfg(feature = "tokio")]
        if let Some(runtime) = &self.runtime {
            return match self.stopped.get() {
                Some(stopped) => stopped.then + stopped.really.elapsed(),
                None => on_tokio::now(runtime),
            };
        }
        Instant::now()
    }

    /// Where an alarm of a stopped timeline is kept by the process's.
    fn moved(&self, (at, id): AlarmKey) -> Option<AlarmKey> {
        let stopped = self.stopped.get()?;
        Some((
            stopped.really + at.saturating_duration_since(stopped.then),
            id,
        ))
    }

    fn insert(&self, key: AlarmKey, node: Weak<Node>) -> Option<Waker> {
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

    fn remove(&self, key: AlarmKey) {
        let mut alarms = self.alarms.lock();
        if let Some(moved) = self.moved(key) {
            drop(alarms);
            return Self::system().remove(moved);
        }
        alarms.pending.remove(&key);
    }

    /// Expires what is due; then notes the driver and returns when the next alarm rings.
    fn turn(&self, driver: &Waker) -> Option<Instant> {
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
                node.expire();
            }
        }
    }

    /// Its driver is gone: hands the alarms to the process's timeline (invariant 3).
    #[cfg(feature = "tokio")]
    fn stop(&self) {
        let then = self.now();
        let pending = {
            let mut alarms = self.alarms.lock();
            self.stopped.get_or_init(|| Stopped {
                then,
                really: Instant::now(),
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
                        let left = next.saturating_duration_since(Instant::now());
                        std::thread::park_timeout(left);
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

#[cfg(feature = "tokio")]
mod on_tokio {
    //! The driver of a runtime's timeline: one task, as old as the first deadline made there.

    use std::cell::RefCell;
    use std::collections::HashMap;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::pin::Pin;
    use std::sync::{Arc, LazyLock, Weak};
    use std::task::{Context, Poll};
    use std::time::Instant;

    use tokio::runtime::{Handle, Id};
    use tokio::time::Sleep;

    use super::{Alarms, Timeline};
    use crate::sync::{Mutex, OnceLock};

    thread_local! {
        /// The timeline that was asked for last on this thread.
        static LAST: RefCell<Option<(Id, Weak<Timeline>)>> = const { RefCell::new(None) };
    }

    static ALL: LazyLock<Mutex<HashMap<Id, Weak<Timeline>>>> = LazyLock::new(Mutex::default);

    pub(super) fn now(runtime: &Handle) -> Instant {
        // tokio asks the runtime of this thread for the time; another one's may be paused.
        let is_here = Handle::try_current().is_ok_and(|here| here.id() == runtime.id());
        let _entered = (!is_here).then(|| runtime.enter());
        tokio::time::Instant::now().into_std()
    }

    pub(super) fn timeline(runtime: &Handle) -> Arc<Timeline> {
        let id = runtime.id();
        let last = LAST.with_borrow(|last| match last {
            Some((last, timeline)) if *last == id => timeline.upgrade(),
            _ => None,
        });
        last.unwrap_or_else(|| {
            let timeline = find_or_start(runtime, id);
            LAST.set(Some((id, Arc::downgrade(&timeline))));
            timeline
        })
    }

    fn find_or_start(runtime: &Handle, id: Id) -> Arc<Timeline> {
        let timeline = {
            let mut all = ALL.lock();
            if let Some(timeline) = all.get(&id).and_then(Weak::upgrade) {
                return timeline;
            }
            let timeline = Arc::new(Timeline {
                runtime: Some(runtime.clone()),
                alarms: Mutex::new(Alarms::default()),
                stopped: OnceLock::new(),
            });
            all.insert(id, Arc::downgrade(&timeline));
            timeline
        };
        // A runtime that is shut down drops the driver at once, which stops the timeline.
        runtime.spawn(Driver {
            timeline: Arc::clone(&timeline),
            sleep: None,
            id,
        });
        timeline
    }

    struct Driver {
        timeline: Arc<Timeline>,
        sleep: Option<Pin<Box<Sleep>>>,
        id: Id,
    }

    impl Future for Driver {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
            loop {
                let Some(next) = self.timeline.turn(task.waker()) else {
                    self.sleep = None;
                    return Poll::Pending;
                };
                // A runtime without a time driver panics here; the process's timeline takes over.
                let slept = catch_unwind(AssertUnwindSafe(|| self.sleep_until(next, task)));
                match slept {
                    Ok(Poll::Ready(())) => {}
                    Ok(Poll::Pending) => return Poll::Pending,
                    Err(_) => return Poll::Ready(()),
                }
            }
        }
    }

    impl Driver {
        fn sleep_until(&mut self, next: Instant, task: &mut Context<'_>) -> Poll<()> {
            let next = tokio::time::Instant::from_std(next);
            let sleep = self
                .sleep
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(next)));
            if sleep.deadline() != next {
                sleep.as_mut().reset(next);
            }
            sleep.as_mut().poll(task)
        }
    }

    impl Drop for Driver {
        fn drop(&mut self) {
            ALL.lock().remove(&self.id);
            self.timeline.stop();
        }
    }
}
