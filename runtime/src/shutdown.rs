//! Ending a process in phases: it stops taking on work, finishes what is under way, cancels the rest, and names
//! what does not end.
//!
//! ```text
//! Running -> Stopping -> Cancelled -> Aborted
//! ```
//!
//! - *Stopping*: only [idle](Context::idle) awaits leave, those that wait for new work. What is under way goes on.
//! - *Cancelled*: the context that everything runs in ends.
//! - *Aborted*: what is left is dropped where it is pending, and named.
//!
//! Each phase ends early when nothing is left; then there is nothing to report.
//!
//! Signals and time are looked after by a thread of its own, with a runtime of its own: it works while tasks
//! keep all threads of the program's runtime busy, and whatever drivers that has.
//!
//! # Examples
//!
//! ```
//! use cancel_context::shutdown::Shutdown;
//! use cancel_context::{Cancelled, Context};
//! use std::process::ExitCode;
//! use std::time::Duration;
//! use tokio::net::TcpListener;
//!
//! async fn serve(ctx: Context) -> Result<(), Cancelled> {
//!     let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
//!     // Leaves when the process is to stop, with a signal, say.
//!     while let Ok(accepted) = ctx.idle(listener.accept()).await {
//!         let (connection, peer) = accepted.unwrap();
//!         // It may finish what it is at.
//!         ctx.with_name(peer.to_string()).spawn(async move { drop(connection) });
//!     }
//!     Ok(())
//! }
//!
//! #[tokio::main]
//! async fn main() -> std::io::Result<ExitCode> {
//!     let shutdown = Shutdown::new().stop_for(Duration::from_secs(20));
//!     # let operator = shutdown.canceller();
//!     # tokio::spawn(async move { operator.cancel_with("the example is over") });
//!     let ending = shutdown.run(serve).await?;
//!     Ok(ending.exit_code())
//! }
//! ```

mod aside;
mod conductor;
mod listener;
mod phase;
mod report;

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::panic::Location;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

pub use self::phase::{Idle, Phase};
pub use self::report::{Report, Straggler};

use self::conductor::Conductor;
use self::phase::Stages;
use crate::canceller::Canceller;
use crate::context::Context;
use crate::origin::Origin;
use crate::task::roll::{Enrolled, Kind, Roll};
use crate::task::{Body, JoinError};

/// How long each phase may take, unless that is set.
const STOP: Duration = Duration::from_secs(20);
const CANCEL: Duration = Duration::from_secs(5);
const ABORT: Duration = Duration::from_secs(1);

/// How a process ends; see [the module](self).
#[derive(Debug)]
#[must_use = "it does nothing unless something is run in it"]
pub struct Shutdown {
    /// Ends when the process is to stop.
    stopping: Context,
    canceller: Canceller,
    times: Times,
    takes_signals: bool,
    second_signal_exits: bool,
    place: &'static Location<'static>,
}

/// How long the phases may take.
#[derive(Clone, Copy, Debug)]
struct Times {
    stop: Duration,
    cancel: Duration,
    abort: Duration,
}

impl Default for Shutdown {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl Shutdown {
    /// Begins with `SIGINT` or `SIGTERM`; then there are 20 s to finish, 5 s to end when cancelled, 1 s for what
    /// was aborted. A second signal exits at once.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::shutdown::Shutdown;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let ending = Shutdown::new().run(|_ctx| async { 7 }).await?;
    /// assert_eq!(ending.value.unwrap(), 7);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn new() -> Self {
        let (stopping, canceller) = Context::background().with_cancel();
        Self {
            stopping,
            canceller,
            times: Times {
                stop: STOP,
                cancel: CANCEL,
                abort: ABORT,
            },
            takes_signals: true,
            second_signal_exits: true,
            place: Location::caller(),
        }
    }

    /// Sets how long work under way may take until it is cancelled.
    ///
    /// [`Duration::ZERO`] cancels it at once; with [`Duration::MAX`] it is never cancelled.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::shutdown::Shutdown;
    /// use std::time::Duration;
    ///
    /// let shutdown = Shutdown::new().stop_for(Duration::from_secs(60));
    /// ```
    pub const fn stop_for(mut self, duration: Duration) -> Self {
        self.times.stop = duration;
        self
    }

    /// Sets how long what was cancelled may take until it is aborted.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::shutdown::Shutdown;
    /// use std::time::Duration;
    ///
    /// let shutdown = Shutdown::new().cancel_for(Duration::from_secs(10));
    /// ```
    pub const fn cancel_for(mut self, duration: Duration) -> Self {
        self.times.cancel = duration;
        self
    }

    /// Sets how long what was aborted may take until the process exits without it.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::shutdown::Shutdown;
    /// use std::time::Duration;
    ///
    /// let shutdown = Shutdown::new().abort_for(Duration::from_millis(100));
    /// ```
    pub const fn abort_for(mut self, duration: Duration) -> Self {
        self.times.abort = duration;
        self
    }

    /// Sets whether signals begin it; otherwise only its [`canceller`](Self::canceller) does.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::shutdown::Shutdown;
    ///
    /// let shutdown = Shutdown::new().signals(false);
    /// ```
    pub const fn signals(mut self, takes: bool) -> Self {
        self.takes_signals = takes;
        self
    }

    /// Sets whether a second signal exits the process at once, with 128 + its number.
    ///
    /// So does any signal that comes when all is over, since the system's own answer to it does not come back.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::shutdown::Shutdown;
    ///
    /// let shutdown = Shutdown::new().second_signal(false);
    /// ```
    pub const fn second_signal(mut self, exits: bool) -> Self {
        self.second_signal_exits = exits;
        self
    }

    /// Returns what begins the shutdown: its cause is that of all that ends because of it.
    ///
    /// Dropping it does nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::shutdown::Shutdown;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let shutdown = Shutdown::new();
    /// let operator = shutdown.canceller();
    /// let ending = shutdown.run(|ctx| async move {
    ///     operator.cancel_with("out of memory");
    ///     ctx.idle(std::future::pending::<()>()).await
    /// });
    /// let cancelled = ending.await?.value.unwrap().unwrap_err();
    /// assert_eq!(cancelled.cause().to_string(), "out of memory");
    /// # Ok(())
    /// # }
    /// ```
    pub fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    /// Runs `main` and all tasks of the context that it is given, until the last one has ended; in phases, once
    /// the process is to stop, or `main` has ended.
    ///
    /// Tasks are known here if they were started by [`Context::spawn`] and its kin, or by a group, with that
    /// context or one that was derived from it, also by [`Context::without_cancel`].
    ///
    /// If something is left in the end, the report is printed to the standard error. If it does not go even when
    /// it is aborted, the process exits with 1.
    ///
    /// # Errors
    ///
    /// Returns the system's error if the process cannot start a thread or listen for signals.
    ///
    /// # Cancel safety
    ///
    /// Dropping it cancels the context, and waits for nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::shutdown::Shutdown;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let ending = Shutdown::new().run(|ctx| async move {
    ///     ctx.spawn(async { println!("this is waited for") });
    /// });
    /// assert!(ending.await?.report.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn run<F: Future>(
        self,
        main: impl FnOnce(Context) -> F,
    ) -> io::Result<Ending<F::Output>> {
        let (root, canceller) = Context::background().with_cancel();
        let roll = Arc::<Roll>::default();
        let (stages, phase) = Stages::new(self.stopping.clone());
        let context = root
            .with_value(stages)
            .with_value(Enrolled(Arc::clone(&roll)));
        let body = Body::of(Kind::Main, self.place, &context, main(context.clone()));
        let conductor = Conductor {
            stopping: (self.stopping, self.canceller.clone()),
            cancelled: canceller,
            phase,
            roll,
            times: self.times,
            second_signal_exits: self.second_signal_exits,
        };
        let (aborted, verdict) = conductor.start(self.takes_signals).await?;

        let (mut body, mut value) = (pin!(Some(body)), Err(JoinError::Aborted));
        let (mut aborted, mut verdict) = (pin!(aborted), pin!(verdict));
        let report = poll_fn(|task| {
            if let Some(main) = body.as_mut().as_pin_mut() {
                if let Poll::Ready(ended) = main.poll(task) {
                    value = ended.map_err(JoinError::from);
                    body.set(None);
                    let place = Origin::Dropped(self.place);
                    self.canceller.end(Some(Arc::new(MainEnded)), place);
                } else if aborted.as_mut().poll(task).is_ready() {
                    body.set(None);
                }
            }
            verdict.as_mut().poll(task)
        });
        let gone = |_| io::Error::other("the thread that leads the shutdown has gone");
        let report = report.await.map_err(gone)?;
        Ok(Ending { value, report })
    }
}

/// The cause of a shutdown that nobody has asked for.
#[derive(Debug)]
struct MainEnded;

impl fmt::Display for MainEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the main function has ended")
    }
}

impl Error for MainEnded {}

/// How a [`Shutdown`] has ended.
#[derive(Debug)]
pub struct Ending<T> {
    /// What the main function has given, or why it has nothing to give.
    pub value: Result<T, JoinError>,
    /// What was left.
    pub report: Report,
}

impl<T> Ending<T> {
    /// Returns 0 if nothing was left, and 1 otherwise.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::shutdown::Shutdown;
    /// use std::process::ExitCode;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let ending = Shutdown::new().run(|_ctx| async {}).await?;
    /// assert_eq!(ending.exit_code(), ExitCode::SUCCESS);
    /// # Ok(())
    /// # }
    /// ```
    pub fn exit_code(&self) -> ExitCode {
        if self.report.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}
