//! Who leads through the phases: a thread with a runtime of its own.
//!
//! Invariants:
//! 1. The process exits here, when something is left after the report, and by a signal (see [`super::listener`]);
//!    nowhere else.
//! 2. Nothing that is not ours runs on this thread: callbacks, wakers of the program, destructors of its values
//!    and the writing of the report are done [aside](super::aside), and waited for no longer than a moment. So
//!    the phases end in time whatever the program does.

use std::future::poll_fn;
use std::io::{self, Write};
use std::pin::pin;
use std::process;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::Times;
use super::aside::aside;
use super::listener::Hearing;
use super::phase::Phase;
use super::report::{Report, Straggler};
use crate::canceller::Canceller;
use crate::context::Context;
use crate::task::roll::{Record, Roll};

/// The exit code of a process that leaves something behind.
const LEFT: i32 = 1;

pub(super) struct Conductor {
    /// Ends when the process is to stop.
    pub(super) stopping: (Context, Canceller),
    /// Ends the context of all.
    pub(super) cancelled: Canceller,
    pub(super) phase: watch::Sender<Phase>,
    pub(super) roll: Arc<Roll>,
    pub(super) times: Times,
    pub(super) second_signal_exits: bool,
}

/// What the program is told.
struct Told {
    aborted: oneshot::Sender<()>,
    report: oneshot::Sender<Report>,
}

impl Conductor {
    /// Starts the thread. Gives what is ready when the main function is to be dropped, and what is left when all
    /// is over; once that is dropped, the thread ends as well.
    pub(super) async fn start(
        self,
        takes_signals: bool,
    ) -> io::Result<(oneshot::Receiver<()>, oneshot::Receiver<Report>)> {
        let (started, is_started) = oneshot::channel();
        let (aborted, is_aborted) = oneshot::channel();
        let (report, reported) = oneshot::channel();
        let thread = thread::Builder::new().name(String::from("shutdown"));
        thread.spawn(move || {
            let hear = || Hearing::begin(self.stopping.1.clone(), self.second_signal_exits);
            let hearing = takes_signals.then(hear).transpose();
            let runtime = Builder::new_current_thread().enable_time().build();
            match hearing.and_then(|hearing| Ok((hearing, runtime?))) {
                Ok((hearing, runtime)) => {
                    drop(started.send(Ok(())));
                    runtime.block_on(self.lead(hearing, Told { aborted, report }));
                }
                Err(error) => drop(started.send(Err(error))),
            }
        })?;
        let gone = |_| {
            Err(io::Error::other(
                "the thread that leads the shutdown has gone",
            ))
        };
        is_started.await.unwrap_or_else(gone)?;
        Ok((is_aborted, reported))
    }

    async fn lead(self, hearing: Option<Hearing>, mut told: Told) {
        let report = {
            let mut phases = pin!(self.phases(told.aborted));
            let mut is_abandoned = pin!(told.report.closed());
            let report = poll_fn(|task| match phases.as_mut().poll(task) {
                Poll::Ready(report) => Poll::Ready(Some(report)),
                Poll::Pending => is_abandoned.as_mut().poll(task).map(|()| None),
            });
            report.await
        };
        let Some(report) = report else {
            return;
        };
        if report
            .stragglers()
            .iter()
            .any(|straggler| straggler.is_left)
        {
            process::exit(LEFT);
        }
        drop(hearing);
        // If nobody waits for it any more, nobody wants to know.
        drop(told.report.send(report));
    }

    /// Goes through the phases, until nothing is left, or what is left was aborted and named.
    async fn phases(&self, aborted: oneshot::Sender<()>) -> Report {
        let why = self.stopping.0.cancelled().await;
        self.phase.send_replace(Phase::Stopping);
        if self.is_empty_within(self.times.stop).await {
            return Report::default();
        }
        self.phase.send_replace(Phase::Cancelled);
        let (cancelled, cause) = (self.cancelled.clone(), why.cause());
        let end = move || cancelled.end(Some(cause), why.origin().clone());
        aside(end).soon().await;
        if self.is_empty_within(self.times.cancel).await {
            return Report::default();
        }
        self.abort(aborted).await
    }

    async fn abort(&self, aborted: oneshot::Sender<()>) -> Report {
        // Before the phase is told: what ends because of it was still there.
        let mut left = self.roll.records();
        let mut stragglers: Vec<_> = left.iter().map(|it| Straggler::of(it)).collect();
        self.phase.send_replace(Phase::Aborted);
        // The main function has no handle: it is dropped by whoever polls it.
        aborted.send(()).ok();
        stop(&left);
        self.is_empty_within(self.times.abort).await;
        let still = self.roll.records();
        for (record, straggler) in left.iter().zip(&mut stragglers) {
            straggler.is_left = is_among(record, &still);
        }
        // What was spawned by what was aborted, as destructors do.
        let late = still.into_iter().filter(|record| !is_among(record, &left));
        let late: Vec<_> = late.collect();
        stop(&late);
        stragglers.extend(late.iter().map(|it| Straggler::of(it)));
        left.extend(late);
        let report = Report { stragglers };
        let text = format!("{report}\n");
        let tell = move || {
            // If nobody reads it, there is nobody to tell so.
            io::stderr().write_all(text.as_bytes()).ok();
            // Maybe the last handles of what the program has made.
            drop(left);
        };
        aside(tell).soon().await;
        report
    }

    async fn is_empty_within(&self, duration: Duration) -> bool {
        timeout(duration, self.roll.emptied()).await.is_ok()
    }
}

fn stop(records: &[Arc<Record>]) {
    let handles = records.iter().filter_map(|record| record.abort_handle());
    handles.for_each(AbortHandle::abort);
}

fn is_among(record: &Arc<Record>, records: &[Arc<Record>]) -> bool {
    records.iter().any(|other| Arc::ptr_eq(record, other))
}
