//! What the programs share: a stopwatch for what they print, and a signal to oneself.

use std::fmt::Display;
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

/// Sends `SIGINT` to this process, as Ctrl-C in its terminal does.
///
/// # Errors
///
/// Returns the system's error; on systems without such signals, always one.
pub fn interrupt_self() -> io::Result<()> {
    #[cfg(unix)]
    return Ok(rustix::process::kill_process(
        rustix::process::getpid(),
        rustix::process::Signal::INT,
    )?);
    #[cfg(not(unix))]
    Err(io::ErrorKind::Unsupported.into())
}
