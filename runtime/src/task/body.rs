//! What a spawned task runs: a scope, which the task can also leave by [`exit_task`](super::exit_task), and
//! its place on the [roll](super::roll).

use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll};

use pin_project_lite::pin_project;

use super::exit;
use super::roll::{Entry, Kind, Record};
use crate::cancelled::Cancelled;
use crate::context::Context;
use crate::run::Run;

/// Why a task has no value.
#[derive(Debug)]
pub(crate) enum Ended {
    Cancelled(Cancelled),
    Exited,
}

pin_project! {
    /// The future of a task.
    #[must_use = "futures do nothing unless polled"]
    pub(crate) struct Body<F> {
        #[pin]
        run: Run<F>,
        // Dropped last: until then the task has not ended.
        entry: Option<Entry>,
    }
}

impl<F> Body<F> {
    #[track_caller]
    pub(crate) fn new(context: &Context, future: F) -> Self {
        Self::of(Kind::Task, Location::caller(), context, future)
    }

    /// That of a task which was spawned at `place`.
    pub(crate) fn of(
        kind: Kind,
        place: &'static Location<'static>,
        context: &Context,
        future: F,
    ) -> Self {
        Self {
            entry: Entry::new(context, kind, place),
            run: Run::new(context.clone(), future),
        }
    }

    /// What is known of it, if anything.
    pub(crate) fn record(&self) -> Option<Arc<Record>> {
        let entry = self.entry.as_ref()?;
        Some(Arc::clone(&entry.record))
    }
}

impl<F: Future> Future for Body<F> {
    type Output = Result<F::Output, Ended>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut run = this.run;
        let mut poll = || exit::within(|| run.as_mut().poll(task));
        let (polled, leaves) = match this.entry {
            None => poll(),
            Some(entry) => entry.record.during(poll),
        };
        if leaves {
            run.end();
            return Poll::Ready(Err(Ended::Exited));
        }
        polled.map_err(Ended::Cancelled)
    }
}
