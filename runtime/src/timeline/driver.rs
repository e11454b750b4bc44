//! The driver of a runtime's timeline: one task, as old as the first deadline made there.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Weak};
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::runtime::{Handle, Id, RuntimeFlavor};
use tokio::time::Sleep;

use super::{Alarms, Clock, Home, Timeline, When};
use crate::sync::{Mutex, OnceLock};
use crate::tick::Tick;

thread_local! {
    /// The runtime whose clock was asked for last on this thread, if that is the system's in any case. Its
    /// driver was started then.
    static REAL: Cell<Option<Id>> = const { Cell::new(None) };

    /// The timeline that was asked for last on this thread.
    static LAST: RefCell<Option<(Id, Weak<Timeline>)>> = const { RefCell::new(None) };
}

static ALL: LazyLock<Mutex<HashMap<Id, Weak<Timeline>>>> = LazyLock::new(Mutex::default);

/// How many timelines in `ALL` have clocks that can be paused; changed under its lock.
static PAUSABLE: AtomicUsize = AtomicUsize::new(0);

/// Only a runtime of one thread can be paused, or taken elsewhere by hand.
fn is_pausable(runtime: &Handle) -> bool {
    pausing::IS_THERE && runtime.runtime_flavor() == RuntimeFlavor::CurrentThread
}

/// Whether tokio is built with its feature `test-util`, by somebody, and can pause clocks at all.
mod pausing {
    struct Nothing;

    trait Answer {
        const IS_TOKIOS: bool;
    }

    impl Answer for () {
        const IS_TOKIOS: bool = true;
    }

    impl Answer for Nothing {
        const IS_TOKIOS: bool = false;
    }

    const fn is_tokios<T: Answer>(_pause: fn() -> T) -> bool {
        T::IS_TOKIOS
    }

    #[allow(dead_code, reason = "tokio may have one")]
    fn pause() -> Nothing {
        Nothing
    }

    pub(super) const IS_THERE: bool = {
        // What is imported into a block comes before what is around it.
        #[allow(
            clippy::wildcard_imports,
            unused_imports,
            reason = "tokio may have none"
        )]
        use tokio::time::*;
        is_tokios(pause)
    };
}

/// By the clock of the runtime this is called in, if it is called in one.
pub(super) fn now_here() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// By the clock of a runtime whose clock can be paused.
pub(super) fn now(runtime: &Handle) -> Instant {
    // tokio asks the runtime of this thread for the time; another one's may be paused.
    let is_here = Handle::try_current().is_ok_and(|here| here.id() == runtime.id());
    let _entered = (!is_here).then(|| runtime.enter());
    now_here()
}

/// Now; outside of a runtime also by the clocks of runtimes that are paused, or were.
pub(super) fn when() -> When {
    // Relaxed: whoever sees a deadline, sees its timeline counted.
    if PAUSABLE.load(Ordering::Relaxed) == 0 || Handle::try_current().is_ok() {
        return When::at(Tick::of(now_here()));
    }
    when_outside()
}

#[cold]
#[inline(never)]
fn when_outside() -> When {
    let timelines: Vec<_> = ALL.lock().values().filter_map(Weak::upgrade).collect();
    let at = Tick::now();
    let dated = timelines.into_iter().map(|timeline| {
        let now = timeline.now();
        (timeline, now)
    });
    let elsewhere = dated
        .filter(|(_, now)| *now < at || *now > Tick::now())
        .collect();
    When { at, elsewhere }
}

/// The clock of a runtime, whose driver is started if there is none.
pub(super) fn clock(runtime: &Handle) -> Clock {
    let id = runtime.id();
    if REAL.get() == Some(id) {
        Clock::Real(Home(Some(id)))
    } else {
        clock_of_another(runtime, id)
    }
}

/// As [`clock`], of one that was not the last on this thread, or can be paused.
#[inline(never)]
fn clock_of_another(runtime: &Handle, id: Id) -> Clock {
    let timeline = last(id).unwrap_or_else(|| {
        let timeline = find_or_start(runtime, id);
        LAST.set(Some((id, Arc::downgrade(&timeline))));
        timeline
    });
    if timeline.pausable.is_some() {
        return Clock::Pausable(timeline);
    }
    REAL.set(Some(id));
    Clock::Real(Home(Some(id)))
}

/// The timeline of a runtime, if its driver is there.
pub(super) fn running(id: Id) -> Option<Arc<Timeline>> {
    last(id).or_else(|| {
        let timeline = ALL.lock().get(&id)?.upgrade()?;
        LAST.set(Some((id, Arc::downgrade(&timeline))));
        Some(timeline)
    })
}

fn last(id: Id) -> Option<Arc<Timeline>> {
    LAST.with_borrow(|last| match last {
        Some((last, timeline)) if *last == id => timeline.upgrade(),
        _ => None,
    })
}

fn find_or_start(runtime: &Handle, id: Id) -> Arc<Timeline> {
    let timeline = {
        let mut all = ALL.lock();
        if let Some(timeline) = all.get(&id).and_then(Weak::upgrade) {
            return timeline;
        }
        let timeline = Arc::new(Timeline {
            pausable: is_pausable(runtime).then(|| runtime.clone()),
            alarms: Mutex::new(Alarms::default()),
            stopped: OnceLock::new(),
        });
        let replaced = all.insert(id, Arc::downgrade(&timeline));
        if timeline.pausable.is_some() && replaced.is_none() {
            // Relaxed: see `when`.
            PAUSABLE.fetch_add(1, Ordering::Relaxed);
        }
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
    fn sleep_until(&mut self, next: Tick, task: &mut Context<'_>) -> Poll<()> {
        let next = tokio::time::Instant::from_std(next.instant());
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
        let mut all = ALL.lock();
        if all.remove(&self.id).is_some() && self.timeline.pausable.is_some() {
            PAUSABLE.fetch_sub(1, Ordering::Relaxed);
        }
        drop(all);
        self.timeline.stop();
    }
}
