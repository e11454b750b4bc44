//! What is left at the end, by name.

use std::fmt;
use std::panic::Location;
use std::time::{Duration, Instant};

use tokio::task::Id;

use crate::site::Site;
use crate::task::roll::{Kind, Record};

/// The tasks that a [`Shutdown`](super::Shutdown) had to abort. `Display` has one line for each.
///
/// # Examples
///
/// ```
/// use cancel_context::shutdown::Shutdown;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let shutdown = Shutdown::new().stop_for(Duration::ZERO).cancel_for(Duration::ZERO);
/// let ending = shutdown.run(|ctx| async move {
///     let ctx = ctx.with_name("clean-up");
///     ctx.spawn(ctx.shield(|_| std::future::pending::<()>()));
///     tokio::task::yield_now().await;
/// });
/// let report = ending.await?.report;
/// assert!(report.to_string().contains("in clean-up"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub(super) stragglers: Vec<Straggler>,
}

impl Report {
    /// Returns whether nothing was left.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::shutdown::Report;
    ///
    /// assert!(Report::default().is_empty());
    /// ```
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.stragglers.is_empty()
    }

    /// Returns what was left, in the order in which it was spawned.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::shutdown::Report;
    ///
    /// assert!(Report::default().stragglers().is_empty());
    /// ```
    #[must_use]
    pub fn stragglers(&self) -> &[Straggler] {
        &self.stragglers
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self.stragglers.iter();
        if let Some(first) = lines.next() {
            write!(f, "{first}")?;
        }
        lines.try_for_each(|line| write!(f, "\n{line}"))
    }
}

/// A task that had to be aborted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Straggler {
    kind: Kind,
    /// Tokio's number of the task; none for the main function.
    pub task: Option<Id>,
    /// The names on the way to its context.
    pub path: String,
    /// Where it was spawned.
    pub spawned_at: &'static Location<'static>,
    /// The await that it hangs in; or that it was last pending in, if it is [running](Self::is_running). None if
    /// that is not in annotated code.
    pub site: Option<&'static Site>,
    /// It is in the middle of a poll: it blocks its thread, or never awaits.
    pub is_running: bool,
    /// How long it has been there: running, or pending in that await at the end of each poll.
    pub stuck_for: Duration,
    /// Since its last poll began.
    pub polled_before: Duration,
    /// It did not go when it was aborted.
    pub is_left: bool,
}

impl Straggler {
    pub(super) fn of(record: &Record) -> Self {
        let (stay, now) = (record.stay(), Instant::now());
        let since = if stay.is_running {
            stay.since
        } else {
            stay.pending_since
        };
        Self {
            kind: record.kind,
            task: record.abort_handle().map(tokio::task::AbortHandle::id),
            path: record.context.path(),
            spawned_at: record.place,
            site: stay.pending,
            is_running: stay.is_running,
            stuck_for: now.saturating_duration_since(since),
            polled_before: now.saturating_duration_since(stay.since),
            is_left: true,
        }
    }

    /// Returns whether it runs on a thread for blocking work.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::shutdown::Report;
    ///
    /// let report = Report::default();
    /// assert!(!report.stragglers().iter().any(|straggler| straggler.is_blocking()));
    /// ```
    #[must_use]
    pub fn is_blocking(&self) -> bool {
        self.kind == Kind::Blocking
    }
}

/// ``task 12 in gateway/request 7, spawned at src/server.rs:41:13: hangs for 12.3 s in src/db.rs:41:18 `…` ``
impl fmt::Display for Straggler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, self.task) {
            (Kind::Main, _) => f.write_str("the main function")?,
            (Kind::Blocking, Some(id)) => write!(f, "blocking task {id}")?,
            (Kind::Task, Some(id)) => write!(f, "task {id}")?,
            (Kind::Task | Kind::Blocking, None) => f.write_str("a task")?,
        }
        if !self.path.is_empty() {
            write!(f, " in {}", self.path)?;
        }
        let verb = if self.is_running { "runs" } else { "hangs" };
        let seconds = self.stuck_for.as_secs_f64();
        write!(
            f,
            ", spawned at {}: {verb} for {seconds:.1} s",
            self.spawned_at
        )?;
        match self.site {
            Some(site) if self.is_running => write!(f, " since it left {site}")?,
            Some(site) => write!(f, " in {site}")?,
            None if self.is_running => {}
            None => f.write_str(", in no annotated await")?,
        }
        if !self.is_running {
            let seconds = self.polled_before.as_secs_f64();
            write!(f, ", polled {seconds:.1} s ago")?;
        }
        f.write_str(if self.is_left {
            "; is left"
        } else {
            "; aborted"
        })
    }
}
