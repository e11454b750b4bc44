//! Contexts that end with a signal to the process.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use crate::canceller::Canceller;
use crate::context::Context;
use crate::origin::Origin;

/// The signal that cancelled a context; its cause.
///
/// # Examples
///
/// ```
/// use cancel_context::signal::Signal;
///
/// assert_eq!(Signal::INTERRUPT.name(), "SIGINT");
/// assert_eq!(Signal::INTERRUPT.exit_code(), 130);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signal {
    name: &'static str,
    number: i32,
}

impl Signal {
    /// `SIGINT`: Ctrl-C.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::signal::Signal;
    ///
    /// assert_eq!(Signal::INTERRUPT.number(), 2);
    /// ```
    pub const INTERRUPT: Self = Self {
        name: "SIGINT",
        number: 2,
    };
    /// `SIGTERM`: what service managers send first.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::signal::Signal;
    ///
    /// assert_eq!(Signal::TERMINATE.number(), 15);
    /// ```
    pub const TERMINATE: Self = Self {
        name: "SIGTERM",
        number: 15,
    };

    /// Returns the name, such as `SIGINT`.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::signal::Signal;
    ///
    /// assert_eq!(Signal::TERMINATE.name(), "SIGTERM");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Returns the number, such as 2.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::signal::Signal;
    ///
    /// assert_eq!(Signal::INTERRUPT.number(), 2);
    /// ```
    #[must_use]
    pub const fn number(self) -> i32 {
        self.number
    }

    /// Returns the exit code of a process that the signal ended, as shells report it: 128 + n.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::signal::Signal;
    ///
    /// assert_eq!(Signal::TERMINATE.exit_code(), 143);
    /// ```
    #[must_use]
    pub const fn exit_code(self) -> i32 {
        128 + self.number
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Error for Signal {}

/// Makes a root that is cancelled by the first `SIGINT` or `SIGTERM`, with the [`Signal`] as its
/// cause; the second one ends the process at once with 128 + n.
///
/// Call it inside of a tokio runtime; a task of that runtime listens. From then on the two signals no
/// longer end the process by themselves.
///
/// # Errors
///
/// Returns the system's error if it does not let the process listen.
///
/// # Panics
///
/// Panics outside of a tokio runtime whose I/O driver is enabled.
///
/// # Examples
///
/// ```
/// use cancel_context::signal;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let ctx = signal::context()?;
/// assert!(!ctx.is_cancelled());
/// # Ok(())
/// # }
/// ```
pub fn context() -> io::Result<Context> {
    let mut signals = Signals::listen()?;
    let (context, canceller) = Context::background().with_cancel();
    tokio::spawn(async move {
        let first = signals.next().await;
        cancel(&canceller, first);
        let second = signals.next().await;
        std::process::exit(second.exit_code());
    });
    Ok(context)
}

pub(crate) fn cancel(canceller: &Canceller, signal: Signal) {
    canceller.end(Some(Arc::new(signal)), Origin::Signal(signal.name));
}

#[cfg(unix)]
pub(crate) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(crate) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self {
            interrupt,
            terminate,
        })
    }

    pub(crate) async fn next(&mut self) -> Signal {
        std::future::poll_fn(|task| {
            if self.interrupt.poll_recv(task).is_ready() {
                return std::task::Poll::Ready(Signal::INTERRUPT);
            }
            self.terminate.poll_recv(task).map(|_| Signal::TERMINATE)
        })
        .await
    }
}

#[cfg(windows)]
pub(crate) struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
}

#[cfg(windows)]
impl Signals {
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: tokio::signal::windows::ctrl_c()?,
        })
    }

    pub(crate) async fn next(&mut self) -> Signal {
        self.interrupt.recv().await;
        Signal::INTERRUPT
    }
}
