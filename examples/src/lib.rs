//! What the programs share: a stopwatch for what they print, signals, and a database.

pub mod orders;

use std::fmt::{self, Display};
use std::io;
use std::time::Instant;

/// Puts the time since its start before each line.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts at zero.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Prints `text` with the time since the start.
    pub fn say(self, text: impl Display) {
        println!("[{:6.3} s] {text}", self.0.elapsed().as_secs_f64());
    }
}

/// A signal that ends a process which does not handle it.
#[derive(Clone, Copy, Debug)]
pub enum Signal {
    /// `SIGINT`, as Ctrl-C in a terminal sends it.
    Interrupt,
    /// `SIGTERM`, as who looks after services sends it.
    Terminate,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        })
    }
}

/// Sends `signal` to a process, which must not have been reaped.
///
/// # Errors
///
/// Returns the system's error; on systems without such signals, always one.
#[cfg(unix)]
pub fn send(signal: Signal, process: u32) -> io::Result<()> {
    use rustix::process::{Pid, Signal as Number, kill_process};

    let process = Pid::from_raw(process.cast_signed()).ok_or(io::ErrorKind::InvalidInput)?;
    let number = match signal {
        Signal::Interrupt => Number::INT,
        Signal::Terminate => Number::TERM,
    };
    Ok(kill_process(process, number)?)
}

/// Sends `signal` to a process, which must not have been reaped.
///
/// # Errors
///
/// Returns the system's error; on systems without such signals, always one.
#[cfg(not(unix))]
pub fn send(_signal: Signal, _process: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Sends `SIGINT` to this process, as Ctrl-C in its terminal does.
///
/// # Errors
///
/// As [`send`].
pub fn interrupt_self() -> io::Result<()> {
    send(Signal::Interrupt, std::process::id())
}
