//! How a run ended, and what it writes.

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use cancel_context_syntax::inspect::Place;

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Fine,
    /// A file could not be read, parsed or written.
    Unread,
    Usage,
    Denied,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Fine => 0,
            Outcome::Unread => 1,
            Outcome::Usage => 2,
            Outcome::Denied => 3,
        })
    }
}

/// A file that could not be read, parsed or written.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) path: PathBuf,
    pub(crate) place: Option<Place>,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(path: impl Into<PathBuf>, message: &impl fmt::Display) -> Self {
        Self {
            path: path.into(),
            place: None,
            message: message.to_string(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match self.place {
            Some(place) => write!(f, "{path}:{place}: {}", self.message),
            None => write!(f, "{path}: {}", self.message),
        }
    }
}

/// Prints the whole output; a reader that has seen enough is no failure.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    match output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}
