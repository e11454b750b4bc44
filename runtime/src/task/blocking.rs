//! Waiting on threads that may block: those of the program's own, and those of
//! [`Context::spawn_blocking`].
//!
//! What is waited for is polled in no scope but that of its context: a thread that blocks in the middle of a poll
//! does so on its own account, not on that of the task around it.

use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
// Not modelled: it is of one thread and the wakers of its futures.
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context as Task, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use tokio::runtime::Handle;

use crate::cancelled::{Cancelled, Left};
use crate::context::Context;
use crate::scope;

/// Blocks this thread until `future` has completed, in no scope.
#[track_caller]
fn wait<F: Future>(future: F) -> F::Output {
    match Handle::try_current() {
        // It refuses threads that must not block, and has the runtime's timers and sockets work here.
        Ok(runtime) => scope::outside(|| runtime.block_on(future)),
        Err(_) => scope::outside(|| park(future)),
    }
}

/// As [`wait`], on a thread without a runtime.
fn park<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let sleeper = Arc::new(Sleeper {
        thread: thread::current(),
        is_woken: AtomicBool::new(false),
    });
    let waker = Waker::from(Arc::clone(&sleeper));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Task::from_waker(&waker)) {
            return output;
        }
        sleeper.sleep();
    }
}

/// A thread that waits.
struct Sleeper {
    thread: Thread,
    /// Set by a wake-up, which the thread's own token does not keep: the future may have parked this thread, too,
    /// as the channels of `std` do, and so have used that up.
    is_woken: AtomicBool,
}

impl Sleeper {
    /// Waits for a wake-up since the last call.
    fn sleep(&self) {
        // Acquire: pairs with the Release in `wake_by_ref`; what was done before the wake-up is seen.
        while !self.is_woken.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Release: see `sleep`.
        self.is_woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Blocking.
impl Context {
    /// Blocks this thread on `future`, until that completes or the context ends: the way from blocking code
    /// back to async code.
    ///
    /// The future runs in the scope of this context, as with [`run`](Self::run), and in no other: the task that
    /// the thread is of, if any, is not ended by [`exit_task`](crate::task::exit_task) in it, which panics. On a
    /// thread that belongs to a tokio runtime, that one's timers and sockets work inside; elsewhere only what
    /// needs none, such as tokio's channels. Deadlines of contexts work everywhere.
    ///
    /// A runtime of the `current_thread` flavor has to be driven by another thread meanwhile, as it is while
    /// one of its blocking tasks runs; else neither its timers nor the deadlines set on it come.
    ///
    /// # Errors
    ///
    /// Returns the [`Cancelled`] if the context ended before the future completed.
    ///
    /// # Panics
    ///
    /// Panics in async code of a tokio runtime, which must not block: in a task, or in the future given to
    /// `Runtime::block_on`.
    ///
    /// # Examples
    ///
    /// Receiving, in code that blocks:
    ///
    /// ```
    /// use cancel_context::Context;
    /// use tokio::sync::mpsc;
    ///
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// let (sender, mut receiver) = mpsc::channel(1);
    /// let worker = std::thread::spawn(move || {
    ///     let mut sum = 0;
    ///     loop {
    ///         match ctx.block_on(receiver.recv()) {
    ///             Ok(Some(number)) => sum += number,
    ///             Ok(None) => return Ok(sum),
    ///             Err(cancelled) => return Err(cancelled),
    ///         }
    ///     }
    /// });
    /// sender.blocking_send(7).unwrap();
    /// canceller.cancel_with("nobody wants the sum");
    /// let cancelled = worker.join().unwrap().unwrap_err();
    /// assert_eq!(cancelled.cause().to_string(), "nobody wants the sum");
    /// ```
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> Result<F::Output, Cancelled> {
        let place = Location::caller();
        wait(self.run(future)).map_err(|cancelled| cancelled.left_at(Left::Place(place)))
    }

    /// Blocks this thread for `duration`, or until the context ends; needs no runtime.
    ///
    /// It is measured by the clock that a deadline set here would be. tokio does not move a paused clock by
    /// itself while a blocking task runs; there it waits for `tokio::time::advance`.
    ///
    /// # Errors
    ///
    /// Returns the [`Cancelled`] if the context ended first.
    ///
    /// # Panics
    ///
    /// As [`block_on`](Self::block_on).
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::time::Duration;
    ///
    /// let ctx = Context::background().with_timeout(Duration::from_millis(5));
    /// assert!(ctx.blocking_sleep(Duration::from_millis(1)).is_ok());
    /// assert!(ctx.blocking_sleep(Duration::from_secs(600)).unwrap_err().is_timeout());
    /// ```
    #[track_caller]
    pub fn blocking_sleep(&self, duration: Duration) -> Result<(), Cancelled> {
        wait(self.sleep(duration))
    }

    /// Blocks this thread until the context has ended, and gives the reason; for ever if it never ends.
    ///
    /// # Panics
    ///
    /// As [`block_on`](Self::block_on).
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// let watcher = std::thread::spawn(move || ctx.blocking_cancelled());
    /// canceller.cancel_with("enough");
    /// assert_eq!(watcher.join().unwrap().cause().to_string(), "enough");
    /// ```
    #[track_caller]
    #[expect(clippy::must_use_candidate, reason = "some only wait")]
    pub fn blocking_cancelled(&self) -> Cancelled {
        let place = Location::caller();
        wait(self.cancelled()).left_at(Left::Place(place))
    }
}
