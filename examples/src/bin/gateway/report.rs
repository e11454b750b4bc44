//! What is printed about a request: a timeline of its branches, or JSON.

use std::fmt::Write;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::record::{BranchLog, RequestLog};

/// Characters of the longest bar.
const WIDTH: usize = 40;

/// One scene, as `--json` prints it.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) scene: &'static str,
    branches: Vec<BranchReport>,
    pub(crate) ended_by: String,
    /// From the cancel to the end of the last branch.
    stop_ms: Option<f64>,
    error: Option<String>,
    pub(crate) left_over: Vec<String>,
}

#[derive(Debug, Serialize)]
struct BranchReport {
    name: &'static str,
    started_ms: Option<f64>,
    ended_ms: Option<f64>,
    outcome: String,
}

impl Report {
    /// What happened; if something was cancelled, at `cancelled_at`.
    pub(crate) fn new(
        scene: &'static str,
        log: &RequestLog,
        cancelled_at: Option<Instant>,
        left_over: Vec<String>,
    ) -> Self {
        let since = |at: Instant| milliseconds(at.saturating_duration_since(log.began));
        let last = log.branches.iter().filter_map(|branch| branch.ended).max();
        let stopped = cancelled_at
            .zip(last)
            .map(|(cancelled_at, last)| last.saturating_duration_since(cancelled_at));
        let branches = log.branches.iter().map(|branch| BranchReport {
            name: branch.name,
            started_ms: branch.started.map(since),
            ended_ms: branch.ended.map(since),
            outcome: branch.to_string(),
        });
        Self {
            scene,
            branches: branches.collect(),
            ended_by: log.ended_by(),
            stop_ms: stopped.map(milliseconds),
            error: log.cancelled().map(ToString::to_string),
            left_over,
        }
    }

    /// What stopped and what is left, below the timeline.
    pub(crate) fn verdict(&self) -> String {
        let mut text = String::new();
        if let Some(stop_ms) = self.stop_ms {
            text = format!("   stopped   {stop_ms:.1} ms after the cancel\n");
        }
        let left_over = if self.left_over.is_empty() {
            String::from("nothing")
        } else {
            self.left_over.join("; ")
        };
        text + &format!("   left over {left_over}\n")
    }
}

/// Who ran until when, what ended it, and the one-line error.
pub(crate) fn timeline(log: &RequestLog) -> String {
    let spans = log
        .branches
        .iter()
        .map(|branch| ran(branch).max(branch.asked));
    let longest = spans.max().unwrap_or_default();
    let mut text = String::new();
    for branch in &log.branches {
        let ran = ran(branch);
        let done = columns(ran, longest).max(1);
        let rest = columns(branch.asked, longest).saturating_sub(done);
        writeln!(
            text,
            "   {:<9} {}{}{} {:>5} ms  {branch}",
            branch.name,
            "█".repeat(done),
            "·".repeat(rest),
            " ".repeat(WIDTH.saturating_sub(done + rest)),
            ran.as_millis(),
        )
        .expect("a string takes everything");
    }
    text + &format!(
        "   ended by  {}\n   error     {}\n",
        log.ended_by(),
        log.cancelled()
            .map_or_else(|| String::from("none"), ToString::to_string),
    )
}

pub(crate) fn ran(branch: &BranchLog) -> Duration {
    let span = branch.started.zip(branch.ended);
    span.map_or(Duration::ZERO, |(started, ended)| ended - started)
}

/// How much of the width `part` takes where `whole` takes all of it.
fn columns(part: Duration, whole: Duration) -> usize {
    let columns = part.as_millis() * WIDTH as u128 / whole.as_millis().max(1);
    usize::try_from(columns).map_or(WIDTH, |columns| columns.min(WIDTH))
}

/// To the microsecond.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
