//! Who hears the signals of all shutdowns of the process: one thread, which stays.
//!
//! tokio never gives a signal back to the system, so once it has been listened for, somebody has to hear those
//! that come later, also when the shutdown is over and the runtime waits for what it cannot stop.
//!
//! Invariants:
//! 1. Nothing that is not ours runs on this thread, nor under its lock: what a signal cancels is cancelled on
//!    another one. So a callback that blocks cannot keep a second signal from being heard.
//! 2. A signal that no shutdown waits for exits the process, if a second one would have in the last.

use std::io;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use tokio::runtime::Builder;

use super::aside::aside;
use crate::canceller::Canceller;
use crate::signal::{self, Signal, Signals};

static LISTENER: Mutex<Listener> = Mutex::new(Listener {
    has_started: false,
    exits: true,
    shutdowns: Vec::new(),
});

struct Listener {
    has_started: bool,
    /// Whether signals exit when no shutdown is left.
    exits: bool,
    shutdowns: Vec<Arc<Shutdown>>,
}

struct Shutdown {
    /// What the first signal cancels.
    stopping: Canceller,
    second_signal_exits: bool,
    has_heard: AtomicBool,
}

/// A shutdown hears signals until this is dropped.
pub(super) struct Hearing(Arc<Shutdown>);

impl Hearing {
    /// Has the first signal cancel `stopping`.
    pub(super) fn begin(stopping: Canceller, second_signal_exits: bool) -> io::Result<Self> {
        let shutdown = Arc::new(Shutdown {
            stopping,
            second_signal_exits,
            has_heard: AtomicBool::new(false),
        });
        let mut listener = locked();
        if !listener.has_started {
            start()?;
            listener.has_started = true;
        }
        listener.shutdowns.push(Arc::clone(&shutdown));
        Ok(Self(shutdown))
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        let mut listener = locked();
        listener
            .shutdowns
            .retain(|other| !Arc::ptr_eq(other, &self.0));
        listener.exits = self.0.second_signal_exits;
    }
}

fn locked() -> MutexGuard<'static, Listener> {
    LISTENER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the thread; it listens when this has returned.
fn start() -> io::Result<()> {
    let (started, is_started) = mpsc::sync_channel(1);
    let thread = thread::Builder::new().name(String::from("signals"));
    thread.spawn(move || {
        let runtime = match Builder::new_current_thread().enable_io().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(started.send(Err(error))),
        };
        runtime.block_on(async move {
            let mut signals = match Signals::listen() {
                Ok(signals) => signals,
                Err(error) => return drop(started.send(Err(error))),
            };
            drop(started.send(Ok(())));
            loop {
                hear(signals.next().await);
            }
        });
    })?;
    let gone = |_| Err(io::Error::other("the thread that hears signals has gone"));
    is_started.recv().unwrap_or_else(gone)
}

fn hear(signal: Signal) {
    let (shutdowns, exits) = {
        let listener = locked();
        (listener.shutdowns.clone(), listener.exits)
    };
    if shutdowns.is_empty() && exits {
        process::exit(signal.exit_code());
    }
    for shutdown in shutdowns {
        // Relaxed: only this thread looks at it.
        if !shutdown.has_heard.swap(true, Ordering::Relaxed) {
            aside(move || signal::cancel(&shutdown.stopping, signal));
        } else if shutdown.second_signal_exits {
            process::exit(signal.exit_code());
        }
    }
}
