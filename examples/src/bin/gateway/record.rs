//! What became of the branches of one request.
//!
//! Invariants:
//! 1. A [`Branch`] travels in its branch's context as a value. So it is dropped, which is recorded as
//!    the branch's end, when the last holder of that context is gone: the task, and the blocking
//!    thread if there is one.
//! 2. A log changes only under its `watch` channel, whose receivers wait for what they want to see.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cancel_context::{Cancelled, Context};
use serde::Deserialize;
use tokio::sync::watch;

use crate::branches::Failure;

/// How long each branch of a request is to take, in milliseconds: up to a minute or so.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Work {
    pub(crate) identity: u16,
    pub(crate) order: u16,
    pub(crate) token: u16,
}

impl Default for Work {
    fn default() -> Self {
        Self {
            identity: 120,
            order: 180,
            token: 90,
        }
    }
}

impl Work {
    pub(crate) fn identity(self) -> Duration {
        Duration::from_millis(self.identity.into())
    }

    pub(crate) fn order(self) -> Duration {
        Duration::from_millis(self.order.into())
    }

    pub(crate) fn token(self) -> Duration {
        Duration::from_millis(self.token.into())
    }
}

/// One request, from its beginning.
#[derive(Clone, Debug)]
pub(crate) struct RequestLog {
    pub(crate) name: String,
    pub(crate) began: Instant,
    /// When the route's timeout passes.
    pub(crate) deadline: Option<Instant>,
    pub(crate) branches: [BranchLog; 3],
}

#[derive(Clone, Debug)]
pub(crate) struct BranchLog {
    pub(crate) name: &'static str,
    /// How long it takes if nothing stops it.
    pub(crate) asked: Duration,
    pub(crate) started: Option<Instant>,
    pub(crate) ended: Option<Instant>,
    pub(crate) end: Option<End>,
    /// How its blocking thread was told to stop.
    how: Option<&'static str>,
}

/// How the function of a branch returned.
#[derive(Clone, Debug)]
pub(crate) enum End {
    Completed,
    Cancelled(Cancelled),
    Failed(String),
}

impl RequestLog {
    pub(crate) fn all_started(&self) -> bool {
        self.branches.iter().all(|branch| branch.started.is_some())
    }

    pub(crate) fn all_ended(&self) -> bool {
        self.branches.iter().all(|branch| branch.ended.is_some())
    }

    /// What ended the request: its context's cause, the failure of a branch, or its own completion.
    pub(crate) fn ended_by(&self) -> String {
        let mut ends = self.ends();
        ends.find_map(|end| match end {
            End::Completed => None,
            End::Cancelled(cancelled) => Some(cancelled.cause().to_string()),
            End::Failed(error) => Some(error.clone()),
        })
        .unwrap_or_else(|| String::from("completion"))
    }

    /// The first cancelled branch's.
    pub(crate) fn cancelled(&self) -> Option<&Cancelled> {
        self.ends().find_map(|end| match end {
            End::Cancelled(cancelled) => Some(cancelled),
            End::Completed | End::Failed(_) => None,
        })
    }

    fn ends(&self) -> impl Iterator<Item = &End> {
        self.branches
            .iter()
            .filter_map(|branch| branch.end.as_ref())
    }
}

impl fmt::Display for BranchLog {
    /// What ended it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.end {
            Some(End::Completed) => f.write_str("completed"),
            Some(End::Cancelled(_)) => f.write_str("cancelled"),
            Some(End::Failed(error)) => write!(f, "failed: {error}"),
            None if self.started.is_none() => f.write_str("not started"),
            None => f.write_str("dropped"),
        }?;
        self.how.map_or(Ok(()), |how| write!(f, " {how}"))
    }
}

/// Writes the log of one request.
pub(crate) struct Recorder {
    log: Arc<watch::Sender<RequestLog>>,
}

impl Recorder {
    pub(crate) fn new(ctx: &Context, work: Work) -> Self {
        let asked = [
            ("identity", work.identity()),
            ("order", work.order()),
            ("token", work.token()),
        ];
        let branches = asked.map(|(name, asked)| BranchLog {
            name,
            asked,
            started: None,
            ended: None,
            end: None,
            how: None,
        });
        let log = RequestLog {
            name: ctx.path(),
            began: Instant::now(),
            deadline: ctx.deadline(),
            branches,
        };
        Self {
            log: Arc::new(watch::Sender::new(log)),
        }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<RequestLog> {
        self.log.subscribe()
    }

    /// The context of a branch, which records until nobody holds it any more.
    pub(crate) fn branch(&self, ctx: &Context, name: &'static str) -> Context {
        ctx.with_name(name).with_value(Branch {
            log: Arc::clone(&self.log),
            name,
        })
    }
}

/// Writes the part of one branch.
pub(crate) struct Branch {
    log: Arc<watch::Sender<RequestLog>>,
    name: &'static str,
}

impl Branch {
    pub(crate) fn started(ctx: &Context) {
        Self::update(ctx, |branch| branch.started = Some(Instant::now()));
    }

    pub(crate) fn returned<T>(ctx: &Context, outcome: &Result<T, Failure>) {
        let end = match outcome {
            Ok(_) => End::Completed,
            Err(Failure::Cancelled(cancelled)) => End::Cancelled(cancelled.clone()),
            Err(failure) => End::Failed(failure.to_string()),
        };
        Self::update(ctx, |branch| branch.end = Some(end));
    }

    /// Says how a blocking thread was told to stop.
    pub(crate) fn stopped(ctx: &Context, how: &'static str) {
        Self::update(ctx, |branch| branch.how = Some(how));
    }

    fn update(ctx: &Context, change: impl FnOnce(&mut BranchLog)) {
        if let Some(branch) = ctx.value::<Self>() {
            branch.change(change);
        }
    }

    fn change(&self, change: impl FnOnce(&mut BranchLog)) {
        self.log.send_modify(|log| {
            let branch = log.branches.iter_mut().find(|it| it.name == self.name);
            branch.map(change);
        });
    }
}

impl Drop for Branch {
    fn drop(&mut self) {
        self.change(|branch| branch.ended = Some(Instant::now()));
    }
}
