//! What runs when a context ends: deferred functions and interrupts.
//!
//! Invariants:
//! 1. A function runs at most once: whoever takes it out of its cell runs or drops it.
//! 2. It is run and dropped outside of the cell's lock.
//! 3. An interrupt's guard is gone only when its function is not running: it waits for a run on
//!    another thread. On the thread that runs it, it does not wait, for that would be for ever.

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "tokens")]
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::sync::thread::{self, ThreadId};
use crate::sync::{Condvar, Mutex, wait};
use crate::tree::Node;
use crate::waiters::guarded;

/// Something that is told when a context has ended, or never will.
pub(crate) trait Callback: Send + Sync {
    fn run(self: Arc<Self>);

    /// Nothing can end the context any more.
    fn free(self: Arc<Self>);

    /// Whether it keeps the context in memory.
    fn pins(&self) -> bool {
        true
    }

    /// The token that it cancels, if that is what it is for.
    #[cfg(feature = "tokens")]
    fn token(&self) -> Option<&CancellationToken> {
        None
    }
}

type Action = Box<dyn FnOnce() + Send>;

/// The runtime in which something was registered, if any: where it is to run.
#[derive(Clone)]
pub(crate) struct Home {
    #[cfg(feature = "tokio")]
    runtime: Option<tokio::runtime::Handle>,
}

impl Home {
    pub(crate) fn here() -> Self {
        Self {
            #[cfg(feature = "tokio")]
            runtime: tokio::runtime::Handle::try_current().ok(),
        }
    }

    /// That of what runs at once, on the thread which comes to it.
    #[cfg(feature = "tokens")]
    pub(crate) fn nowhere() -> Self {
        Self {
            #[cfg(feature = "tokio")]
            runtime: None,
        }
    }

    /// Runs `action` as a task of its own; without a runtime, or when that is gone, on this thread.
    #[cfg_attr(
        not(feature = "tokio"),
        expect(clippy::unused_self, reason = "there are no runtimes then")
    )]
    pub(crate) fn run(&self, action: impl FnOnce() + Send + 'static) {
        let errand = Errand(Some(action));
        #[cfg(feature = "tokio")]
        if let Some(runtime) = &self.runtime {
            runtime.spawn(async move { drop(errand) });
            return;
        }
        drop(errand);
    }
}

/// Runs its function when it is dropped: by its task, or by the runtime that shuts down before the
/// task has run.
struct Errand<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Drop for Errand<F> {
    fn drop(&mut self) {
        if let Some(action) = self.0.take() {
            guarded(action);
        }
    }
}

enum Deferral {
    Waiting(Action),
    /// It was stopped, or will never run because the context cannot end.
    Prevented,
    /// It runs, or has run.
    Started,
}

struct Deferred {
    state: Mutex<Deferral>,
    home: Home,
}

impl Deferred {
    fn start(&self) {
        let state = {
            let mut state = self.state.lock();
            match *state {
                Deferral::Waiting(_) => std::mem::replace(&mut *state, Deferral::Started),
                _ => return,
            }
        };
        if let Deferral::Waiting(action) = state {
            action();
        }
    }

    /// What was kept from running, for the caller to drop; `Started` if nothing was.
    fn prevent(&self) -> Deferral {
        let mut state = self.state.lock();
        match *state {
            Deferral::Waiting(_) => std::mem::replace(&mut *state, Deferral::Prevented),
            Deferral::Prevented => Deferral::Prevented,
            Deferral::Started => Deferral::Started,
        }
    }
}

impl Callback for Deferred {
    fn run(self: Arc<Self>) {
        let home = self.home.clone();
        home.run(move || self.start());
    }

    fn free(self: Arc<Self>) {
        drop(self.prevent());
    }
}

/// A function that runs when its context ends; made by [`Context::after_cancel`].
///
/// Dropping this does not stop it.
///
/// # Examples
///
/// ```
/// use cancel_context::Context;
///
/// let (ctx, canceller) = Context::background().with_cancel();
/// let callback = ctx.after_cancel(|| unreachable!("it was stopped"));
/// assert!(callback.stop());
/// canceller.cancel();
/// ```
pub struct AfterCancel {
    deferred: Arc<Deferred>,
    entry: Option<(Arc<Node>, u64)>,
}

impl AfterCancel {
    pub(crate) fn register(context: &Context, action: impl FnOnce() + Send + 'static) -> Self {
        let state = Mutex::new(Deferral::Waiting(Box::new(action)));
        let deferred = Arc::new(Deferred {
            state,
            home: Home::here(),
        });
        let entry = context.anchor_arc().map(|node| {
            let callback: Arc<dyn Callback> = Arc::<Deferred>::clone(&deferred);
            let key = node.add_callback(callback);
            (node, key)
        });
        if entry.is_none() {
            drop(deferred.prevent());
        }
        Self { deferred, entry }
    }

    /// Stops the function from running, and returns whether it did: false if it has been started.
    ///
    /// Between the cancel and the start of the function's task it can still be stopped. This does
    /// not wait for a run under way. On a context that never ends it is true.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// let callback = ctx.after_cancel(|| {});
    /// canceller.cancel(); // no runtime here: it runs now
    /// assert!(!callback.stop());
    /// ```
    #[must_use = "says whether the function was kept from running"]
    pub fn stop(self) -> bool {
        // Dropped last: its destructor may panic.
        let prevented = self.deferred.prevent();
        if let Some((node, key)) = self.entry {
            node.remove_callback(key);
        }
        !matches!(prevented, Deferral::Started)
    }
}

impl fmt::Debug for AfterCancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match *self.deferred.state.lock() {
            Deferral::Waiting(_) => "waiting",
            Deferral::Prevented => "prevented",
            Deferral::Started => "started",
        };
        write!(f, "AfterCancel({state})")
    }
}

enum Alert {
    Armed(Action),
    Running(ThreadId),
    Over,
}

struct Interrupt {
    alert: Mutex<Alert>,
    over: Condvar,
}

/// Ends a run also when the function panics.
struct Run<'a>(&'a Interrupt);

impl Drop for Run<'_> {
    fn drop(&mut self) {
        *self.0.alert.lock() = Alert::Over;
        self.0.over.notify_all();
    }
}

impl Callback for Interrupt {
    fn run(self: Arc<Self>) {
        let alert = {
            let mut alert = self.alert.lock();
            match *alert {
                Alert::Armed(_) => {
                    let running = Alert::Running(thread::current().id());
                    std::mem::replace(&mut *alert, running)
                }
                _ => return,
            }
        };
        let _run = Run(&self);
        if let Alert::Armed(action) = alert {
            action();
        }
    }

    fn free(self: Arc<Self>) {
        drop(self.disarm());
    }
}

impl Interrupt {
    /// Afterwards the function does not run (invariant 3); the caller drops it.
    fn disarm(&self) -> Option<Alert> {
        let mut alert = self.alert.lock();
        let me = thread::current().id();
        while matches!(*alert, Alert::Running(thread) if thread != me) {
            alert = wait(&self.over, alert);
        }
        match *alert {
            Alert::Armed(_) => Some(std::mem::replace(&mut *alert, Alert::Over)),
            _ => None,
        }
    }
}

/// Keeps a library's own interrupt attached to a context; made by [`Context::interrupt_with`].
///
/// When this has been dropped, the function does not run any more: the drop waits for a run under
/// way on another thread. So two functions that drop each other's guards on two threads wait for
/// each other for ever.
///
/// # Examples
///
/// ```
/// use cancel_context::Context;
///
/// let (ctx, canceller) = Context::background().with_cancel();
/// let guard = ctx.interrupt_with(|| unreachable!("the guard is gone"));
/// drop(guard);
/// canceller.cancel();
/// ```
#[must_use = "dropping the guard takes the interrupt off the context"]
pub struct InterruptGuard {
    interrupt: Arc<Interrupt>,
    entry: Option<(Arc<Node>, u64)>,
}

impl InterruptGuard {
    pub(crate) fn register(context: &Context, action: impl FnOnce() + Send + 'static) -> Self {
        let alert = Mutex::new(Alert::Armed(Box::new(action)));
        let interrupt = Arc::new(Interrupt {
            alert,
            over: Condvar::new(),
        });
        let entry = context.anchor_arc().map(|node| {
            let callback: Arc<dyn Callback> = Arc::<Interrupt>::clone(&interrupt);
            let key = node.add_callback(callback);
            (node, key)
        });
        Self { interrupt, entry }
    }
}

impl Drop for InterruptGuard {
    fn drop(&mut self) {
        // Dropped last: its destructor may panic.
        let _armed = self.interrupt.disarm();
        if let Some((node, key)) = self.entry.take() {
            node.remove_callback(key);
        }
    }
}

impl fmt::Debug for InterruptGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match *self.interrupt.alert.lock() {
            Alert::Armed(_) => "armed",
            Alert::Running(_) => "running",
            Alert::Over => "over",
        };
        write!(f, "InterruptGuard({state})")
    }
}

/// When it ends.
impl Context {
    /// Runs `action` once when the context ends, as Go's `AfterFunc` does.
    ///
    /// It runs as a task of its own on the runtime in which this was called; outside of one, or when
    /// that runtime is gone, on the thread that cancels. If the context has ended already, it is
    /// started before this returns. It is freed when nothing can end the context any more.
    ///
    /// # Panics
    ///
    /// A panic of `action` reaches nobody but the panic hook.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::sync::mpsc::channel;
    ///
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// let (sender, receiver) = channel();
    /// ctx.after_cancel(move || sender.send("cleaned up").unwrap());
    /// canceller.cancel();
    /// assert_eq!(receiver.recv().unwrap(), "cleaned up");
    /// ```
    pub fn after_cancel(&self, action: impl FnOnce() + Send + 'static) -> AfterCancel {
        AfterCancel::register(self, action)
    }

    /// Attaches a library's own interrupt: `action` runs on the thread that ends the context, at
    /// most once, and never after the guard was dropped.
    ///
    /// If the context has ended already, it runs before this returns. Keep `action` short: a
    /// deadline runs it on the runtime's timer task.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::sync::atomic::{AtomicBool, Ordering};
    ///
    /// static STOP: AtomicBool = AtomicBool::new(false);
    ///
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// let guard = ctx.interrupt_with(|| STOP.store(true, Ordering::Relaxed));
    /// canceller.cancel();
    /// assert!(STOP.load(Ordering::Relaxed));
    /// drop(guard);
    /// ```
    pub fn interrupt_with(&self, action: impl FnOnce() + Send + 'static) -> InterruptGuard {
        InterruptGuard::register(self, action)
    }
}
