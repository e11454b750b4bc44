//! Who leads through the phases: a thread with a runtime of its own.
//!
//! Invariant: the process exits here, and nowhere else; by a second signal, or when something is left after the
//! report.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::process;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::Times;
use super::phase::Phase;
use super::report::{Report, Straggler};
use crate::canceller::Canceller;
use crate::context::Context;
use crate::signal::{self, Signals};
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
            let runtime = match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(started.send(Err(error))),
            };
            runtime.block_on(async move {
                let signals = takes_signals.then(Signals::listen).transpose();
                match signals {
                    Ok(signals) => {
                        drop(started.send(Ok(())));
                        self.lead(signals, Told { aborted, report }).await;
                    }
                    Err(error) => drop(started.send(Err(error))),
                }
            });
        })?;
        let gone = |_| {
            Err(io::Error::other(
                "the thread that leads the shutdown has gone",
            ))
        };
        is_started.await.unwrap_or_else(gone)?;
        Ok((is_aborted, reported))
    }

    async fn lead(self, signals: Option<Signals>, mut told: Told) {
        if let Some(signals) = signals {
            let canceller = self.stopping.1.clone();
            tokio::spawn(listen(signals, canceller, self.second_signal_exits));
        }
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
        if !report.is_empty() {
            eprintln!("{report}");
        }
        if report
            .stragglers()
            .iter()
            .any(|straggler| straggler.is_left)
        {
            process::exit(LEFT);
        }
        // If nobody waits for it any more, nobody wants to know.
        drop(told.report.send(report));
    }

    /// Goes through the phases, until nothing is left, or what is left was aborted.
    async fn phases(&self, aborted: oneshot::Sender<()>) -> Report {
        let why = self.stopping.0.cancelled().await;
        self.phase.send_replace(Phase::Stopping);
        if self.is_empty_within(self.times.stop).await {
            return Report::default();
        }
        self.phase.send_replace(Phase::Cancelled);
        let cause = why.cause();
        self.cancelled.end(Some(cause), why.origin().clone());
        if self.is_empty_within(self.times.cancel).await {
            return Report::default();
        }
        // Before the phase is told: what ends because of it was still there.
        let left = self.roll.records();
        let mut stragglers: Vec<_> = left.iter().map(|it| Straggler::of(it)).collect();
        self.phase.send_replace(Phase::Aborted);
        // The main function has no handle: it is dropped by whoever polls it.
        aborted.send(()).ok();
        left.iter()
            .filter_map(|it| it.abort_handle())
            .for_each(tokio::task::AbortHandle::abort);
        self.is_empty_within(self.times.abort).await;
        let still: Vec<_> = self.roll.records();
        for (record, straggler) in left.iter().zip(&mut stragglers) {
            straggler.is_left = is_among(record, &still);
        }
        Report { stragglers }
    }

    async fn is_empty_within(&self, duration: Duration) -> bool {
        timeout(duration, self.roll.emptied()).await.is_ok()
    }
}

fn is_among(record: &Arc<Record>, records: &[Arc<Record>]) -> bool {
    records.iter().any(|other| Arc::ptr_eq(record, other))
}

async fn listen(mut signals: Signals, canceller: Canceller, second_exits: bool) {
    let first = signals.next().await;
    signal::cancel(&canceller, first);
    if second_exits {
        let second = signals.next().await;
        process::exit(second.exit_code());
    }
}
