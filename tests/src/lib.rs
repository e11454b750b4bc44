//! What the tests share: counted wake-ups, explicit polls, a trace of events.
//!
//! Nothing here waits for time to pass: a future is polled by hand, and polled again only when it
//! was woken.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::task::{Context as Task, Poll, Wake, Waker};
use std::thread;

use cancel_context::{Cancelled, Context};

pub mod client;
pub mod log;
pub mod parts;
pub mod process;
pub mod server;

/// The server once more, from the same source with other attributes: `plain` has none, `detached`
/// lacks `inherit_spawns`.
pub mod variants {
    include!(concat!(env!("OUT_DIR"), "/variants.rs"));
}

/// Counts how often it was woken.
#[derive(Debug, Default)]
pub struct WakeCounter(AtomicUsize);

impl WakeCounter {
    /// How often its waker was woken.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for WakeCounter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A future that is polled by hand.
pub struct Polled<'a, T> {
    future: Pin<Box<dyn Future<Output = T> + 'a>>,
    wakes: Arc<WakeCounter>,
    polls: usize,
}

impl<'a, T> Polled<'a, T> {
    /// Takes a future that nobody has polled.
    pub fn new(future: impl Future<Output = T> + 'a) -> Self {
        Self {
            future: Box::pin(future),
            wakes: Arc::default(),
            polls: 0,
        }
    }

    /// Polls once.
    pub fn poll(&mut self) -> Poll<T> {
        let waker = Waker::from(Arc::clone(&self.wakes));
        self.poll_with(&waker)
    }

    /// Polls once with a waker of the caller's.
    pub fn poll_with(&mut self, waker: &Waker) -> Poll<T> {
        self.polls += 1;
        self.future.as_mut().poll(&mut Task::from_waker(waker))
    }

    /// Polls, and again as long as it was woken meanwhile.
    ///
    /// # Panics
    ///
    /// Panics when it spins: a future that wakes itself for ever.
    #[track_caller]
    pub fn run(&mut self) -> Poll<T> {
        for _ in 0..1_000 {
            let before = self.wakes.count();
            if let Poll::Ready(output) = self.poll() {
                return Poll::Ready(output);
            }
            if self.wakes.count() == before {
                return Poll::Pending;
            }
        }
        panic!("the future wakes itself for ever");
    }

    /// Runs it until it waits.
    ///
    /// # Panics
    ///
    /// Panics when it completes instead.
    #[track_caller]
    pub fn waits(&mut self) {
        assert!(self.run().is_pending(), "completed instead of waiting");
    }

    /// Runs it until it completes.
    ///
    /// # Panics
    ///
    /// Panics when it waits instead.
    #[track_caller]
    pub fn completes(&mut self) -> T {
        match self.run() {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("waits instead of completing"),
        }
    }

    /// How often it was woken.
    #[must_use]
    pub fn wakes(&self) -> usize {
        self.wakes.count()
    }

    /// How often it was polled.
    #[must_use]
    pub fn polls(&self) -> usize {
        self.polls
    }
}

impl<T> fmt::Debug for Polled<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Polled")
            .field("wakes", &self.wakes)
            .field("polls", &self.polls)
            .finish_non_exhaustive()
    }
}

/// Runs a future that nothing wakes from outside.
///
/// # Panics
///
/// Panics when it waits.
#[track_caller]
pub fn complete<T>(future: impl Future<Output = T>) -> T {
    Polled::new(future).completes()
}

/// Calls with a live context, which has to arrive, and with a cancelled one, which has to be seen.
///
/// # Panics
///
/// Panics when one of the two is not so.
#[track_caller]
pub fn assert_checked<F>(call: impl Fn(Context) -> F)
where
    F: Future<Output = Result<String, Cancelled>>,
{
    let (ctx, canceller) = Context::background().with_name("caller").with_cancel();
    assert_eq!(complete(call(ctx.clone())).expect("is live"), "caller");
    canceller.cancel_with("enough");
    let left = complete(call(ctx)).expect_err("is cancelled");
    assert_eq!(left.cause().to_string(), "enough");
}

/// Runs `action` and gives the text that it panicked with.
///
/// # Panics
///
/// Panics when `action` does not, or not with a text.
#[track_caller]
pub fn panic_text<T>(action: impl FnOnce() -> T) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(action)) else {
        panic!("did not panic");
    };
    payload
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).into()))
        .expect("panicked with a text")
}

/// Runs both on two threads at the same time.
///
/// # Panics
///
/// Panics when one of the two does.
pub fn at_once<A: Send, B: Send>(
    first: impl FnOnce() -> A + Send,
    second: impl FnOnce() -> B + Send,
) -> (A, B) {
    let start = Barrier::new(2);
    thread::scope(|scope| {
        let first = scope.spawn(|| {
            start.wait();
            first()
        });
        start.wait();
        let second = second();
        (first.join().expect("it does not panic"), second)
    })
}

/// Events in the order in which they happened.
#[derive(Clone, Debug, Default)]
pub struct Trace(Arc<Mutex<Vec<String>>>);

impl Trace {
    /// Adds an event.
    pub fn note(&self, event: impl Into<String>) {
        self.lock().push(event.into());
    }

    /// Adds an event and gives a value on; for operands.
    pub fn note_value<T>(&self, event: impl Into<String>, value: T) -> T {
        self.note(event);
        value
    }

    /// A value whose drop is an event.
    #[must_use]
    pub fn drops(&self, event: &'static str) -> Dropped {
        Dropped {
            trace: self.clone(),
            event,
        }
    }

    /// The events so far, joined by a blank; forgets them.
    #[must_use]
    pub fn take(&self) -> String {
        std::mem::take(&mut *self.lock()).join(" ")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes its drop.
#[derive(Debug)]
pub struct Dropped {
    trace: Trace,
    event: &'static str,
}

impl Drop for Dropped {
    fn drop(&mut self) {
        self.trace.note(format!("-{}", self.event));
    }
}

/// Pends for ever; notes each poll by its name, and its drop by `-name`.
pub async fn pending(trace: &Trace, name: &'static str) {
    let _dropped = trace.drops(name);
    std::future::poll_fn(|_| {
        trace.note(name);
        Poll::<()>::Pending
    })
    .await;
}
