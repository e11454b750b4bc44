//! What is alive in this process: tasks, contexts, sockets.

use std::fs;
use std::time::Duration;

use cancel_context::Context;
use tokio::runtime::Handle;
use tokio::time::{Instant, interval};

const TICK: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(2);
/// Counts that did not change for so many ticks are at rest.
const TICKS_AT_REST: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) tasks: usize,
    /// Handles on the servers' root and contexts derived from it.
    pub(crate) contexts: usize,
    /// None where the system does not list them.
    pub(crate) sockets: Option<usize>,
}

impl Counts {
    pub(crate) fn now(root: &Context) -> Self {
        Self {
            tasks: Handle::current().metrics().num_alive_tasks(),
            contexts: root.handle_count(),
            sockets: sockets(),
        }
    }

    /// Waits until the counts are at rest.
    pub(crate) async fn at_rest(root: &Context) -> Self {
        let mut tick = interval(TICK);
        let mut counts = Self::now(root);
        let mut unchanged = 0;
        let began = Instant::now();
        while unchanged < TICKS_AT_REST && began.elapsed() < PATIENCE {
            tick.tick().await;
            let now = Self::now(root);
            unchanged = if now == counts { unchanged + 1 } else { 0 };
            counts = now;
        }
        counts
    }

    /// Waits until no count is above `self`; says which still are when patience is at its end.
    pub(crate) async fn left_over(&self, root: &Context) -> Vec<String> {
        let mut tick = interval(TICK);
        let began = Instant::now();
        loop {
            tick.tick().await;
            let left_over = self.excess(Self::now(root));
            if left_over.is_empty() || began.elapsed() > PATIENCE {
                return left_over;
            }
        }
    }

    fn excess(&self, now: Self) -> Vec<String> {
        let kinds = [
            ("tasks", now.tasks, self.tasks),
            ("contexts", now.contexts, self.contexts),
            (
                "sockets",
                now.sockets.unwrap_or(0),
                self.sockets.unwrap_or(0),
            ),
        ];
        kinds
            .into_iter()
            .filter(|(_, now, idle)| now > idle)
            .map(|(kind, now, idle)| format!("{kind}: {now}, {idle} when idle"))
            .collect()
    }
}

fn sockets() -> Option<usize> {
    let descriptors = fs::read_dir("/proc/self/fd").ok()?;
    let links = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    Some(
        links
            .filter(|link| link.to_string_lossy().starts_with("socket:"))
            .count(),
    )
}
