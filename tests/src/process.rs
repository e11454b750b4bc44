//! A server as a process of its own, for the programs that measure one.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

/// This program once more, as a server; ended with this value.
#[derive(Debug)]
pub struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    /// Starts it; it prints the port on which it serves.
    ///
    /// # Errors
    ///
    /// Returns the system's error, or [`io::ErrorKind::InvalidData`] if it prints no port.
    pub fn start(arguments: impl IntoIterator<Item: AsRef<OsStr>>) -> io::Result<Self> {
        let child = Command::new(env::current_exe()?)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut process = Self {
            child,
            address: (Ipv4Addr::LOCALHOST, 0).into(),
        };
        let mut port = String::new();
        if let Some(output) = process.child.stdout.take() {
            BufReader::new(output).read_line(&mut port)?;
        }
        let port = port.trim().parse();
        let port = port.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        process.address.set_port(port);
        Ok(process)
    }

    /// Where it serves.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How long its threads have been running, in nanoseconds; 0 where that is not known.
    #[must_use]
    pub fn running_time(&self) -> f64 {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let statistics = threads
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|thread| {
                let statistics = fs::read_to_string(thread.path().join("schedstat")).ok()?;
                let running = statistics.split_ascii_whitespace().next()?;
                running.parse::<f64>().ok()
            });
        statistics.sum()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let ended = self.child.kill().and_then(|()| self.child.wait());
        ended.expect("the server ends");
    }
}

/// The median of some values.
///
/// # Panics
///
/// Panics if there are none.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
}
