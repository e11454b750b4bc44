//! What a case does with its contexts: waiters, functions, and values, whose wakes, runs and drops count.

use std::convert::Infallible;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context as Task, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use cancel_context::{AfterCancel, Cancelled, Context, InterruptGuard};

use crate::transition::{Hook, Id, Wait};

/// A value, of one of two types; keeps the token of its case.
pub(crate) struct First {
    pub(crate) id: Id,
    pub(crate) _token: Arc<()>,
}

pub(crate) struct Second {
    pub(crate) id: Id,
    pub(crate) _token: Arc<()>,
}

/// Counts how often it was woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Who waits for a context; each poll has another waker.
pub(crate) struct Waiter {
    future: Pin<Box<dyn Future<Output = Cancelled>>>,
    wakes: Vec<Arc<Wakes>>,
}

impl Waiter {
    pub(crate) fn new(context: Context, wait: Wait) -> Self {
        let future: Pin<Box<dyn Future<Output = Cancelled>>> = match wait {
            Wait::Cancelled => Box::pin(context.cancelled_owned()),
            Wait::Scope => Box::pin(async move {
                match context.run(pending::<Infallible>()).await {
                    Ok(never) => match never {},
                    Err(cancelled) => cancelled,
                }
            }),
        };
        Self {
            future,
            wakes: Vec::new(),
        }
    }

    pub(crate) fn poll(&mut self) -> Poll<Cancelled> {
        let counter = Arc::new(Wakes::default());
        self.wakes.push(Arc::clone(&counter));
        let waker = Waker::from(counter);
        self.future.as_mut().poll(&mut Task::from_waker(&waker))
    }

    /// How often the waker of the last poll was woken, and those of all polls.
    pub(crate) fn wakes(&self) -> (usize, usize) {
        let counts = self.wakes.iter().map(|wakes| wakes.0.load(SeqCst));
        let counts: Vec<_> = counts.collect();
        let last = counts.last().copied().unwrap_or_default();
        (last, counts.iter().sum())
    }
}

enum Handle {
    Deferred(AfterCancel),
    // Kept for its drop.
    Interrupt { _guard: InterruptGuard },
}

/// A function that counts its runs.
pub(crate) struct Callback {
    handle: Option<Handle>,
    /// The function keeps a count of this while it exists.
    runs: Arc<AtomicUsize>,
    /// How often it had run when it was stopped: no more than that for ever.
    pub(crate) runs_at_stop: Option<usize>,
}

impl Callback {
    pub(crate) fn new(context: &Context, hook: Hook, token: Arc<()>) -> Self {
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&runs);
        let function = move || {
            counted.fetch_add(1, SeqCst);
            drop(token);
        };
        let handle = match hook {
            Hook::AfterCancel => Handle::Deferred(context.after_cancel(function)),
            Hook::Interrupt => Handle::Interrupt {
                _guard: context.interrupt_with(function),
            },
        };
        Self {
            handle: Some(handle),
            runs,
            runs_at_stop: None,
        }
    }

    /// Stops it; whether it says that it has prevented the run, if it says so at all.
    pub(crate) fn stop(&mut self) -> Option<bool> {
        let prevented = match self.handle.take()? {
            Handle::Deferred(callback) => Some(callback.stop()),
            Handle::Interrupt { .. } => None,
        };
        self.runs_at_stop = Some(self.runs());
        prevented
    }

    pub(crate) fn forget(&mut self) {
        self.handle = None;
    }

    pub(crate) fn runs(&self) -> usize {
        self.runs.load(SeqCst)
    }

    /// Whether its function has neither run nor been dropped.
    pub(crate) fn is_kept(&self) -> bool {
        Arc::strong_count(&self.runs) > 1
    }
}

/// Waits, though not for ever, for the thread that keeps the deadlines of contexts made outside of runtimes:
/// it may be about to run a function, or to drop its own handle of a context.
pub(crate) fn await_that(is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() && begun.elapsed() < Duration::from_secs(5) {
        thread::yield_now();
    }
}
