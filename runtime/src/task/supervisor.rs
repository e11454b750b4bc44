//! Who looks after a child process: a task of the runtime, for which nobody has to wait.
//!
//! It is on the roll of its tree, so a shutdown waits for it.
//!
//! Invariants:
//! 1. The supervisor alone reaps the child, and signals it only before that: so no signal reaches a process that
//!    was given the same number later.
//! 2. A child that is not reaped when its supervisor is dropped, by an abort or with the runtime, is killed, and
//!    reaped by a thread. Before that, the state says that it has no number any more.

use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use tokio::process::Child;
use tokio::sync::watch;

use crate::cancelled::Cancelled;
use crate::context::Context;

/// What its supervisor has told of a child.
#[derive(Debug, Default)]
pub(super) struct State {
    /// `None` once it was reaped.
    pub(super) id: Option<u32>,
    pub(super) asked: Option<Cancelled>,
    pub(super) is_killed: bool,
    pub(super) outcome: Option<Result<ExitStatus, Arc<io::Error>>>,
}

/// Who sees to it that the child ends with `context`, and reaps it.
pub(super) struct Supervisor {
    pub(super) child: Held,
    pub(super) context: Context,
    pub(super) grace: Duration,
    pub(super) state: watch::Sender<State>,
}

impl Supervisor {
    /// Runs until the child has ended.
    pub(super) async fn supervise(mut self) {
        let outcome = self.outcome().await.map_err(Arc::new);
        self.state.send_modify(|state| {
            state.id = None;
            state.outcome = Some(outcome);
        });
    }

    async fn outcome(&mut self) -> io::Result<ExitStatus> {
        let cancelled = match self.wait_within(&self.context.clone()).await? {
            Ok(status) => return Ok(status),
            Err(cancelled) => cancelled,
        };
        self.state
            .send_modify(|state| state.asked = Some(cancelled));
        if !self.grace.is_zero() && self.child.ask() {
            // Not tokio's timer, which not every runtime has.
            let patience = Context::background().with_timeout(self.grace);
            if let Ok(status) = self.wait_within(&patience).await? {
                return Ok(status);
            }
        }
        let child = self.child.get();
        // It fails only for a child that is somebody else's by now; that one is waited for all the same.
        let is_sent = child.start_kill().is_ok();
        let status = child.wait().await?;
        // The child may have ended by itself just before.
        let is_killed = is_sent && is_of_kill(status);
        self.state.send_modify(|state| state.is_killed = is_killed);
        Ok(status)
    }

    /// Waits for the end of the child, or of `context`; a child that has ended comes first.
    async fn wait_within(
        &mut self,
        context: &Context,
    ) -> io::Result<Result<ExitStatus, Cancelled>> {
        let child = self.child.get();
        match context.run(child.wait()).await {
            Ok(status) => status.map(Ok),
            Err(cancelled) => Ok(child.try_wait()?.ok_or(cancelled)),
        }
    }
}

impl Drop for Supervisor {
    /// Comes before the destructor of [`Held`].
    fn drop(&mut self) {
        self.state
            .send_if_modified(|state| state.id.take().is_some());
    }
}

/// Whether a child that was killed may have ended by that.
#[cfg(unix)]
fn is_of_kill(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;

    status.signal() == Some(rustix::process::Signal::KILL.as_raw())
}

/// Whether a child that was killed may have ended by that; nothing tells.
#[cfg(not(unix))]
const fn is_of_kill(_status: ExitStatus) -> bool {
    true
}

/// A child until it is reaped (invariant 2).
pub(super) struct Held(Option<Child>);

impl Held {
    pub(super) const fn new(child: Child) -> Self {
        Self(Some(child))
    }

    fn get(&mut self) -> &mut Child {
        self.0.as_mut().expect("it is taken out by the destructor")
    }

    /// Asks the child to end; whether that is possible.
    #[cfg(unix)]
    fn ask(&mut self) -> bool {
        // There is none once it was reaped (invariant 1).
        let number = self.get().id();
        number.and_then(number_of).is_some_and(|child| {
            rustix::process::kill_process(child, rustix::process::Signal::TERM).is_ok()
        })
    }

    #[cfg(not(unix))]
    #[expect(clippy::unused_self, reason = "as on Unix")]
    fn ask(&mut self) -> bool {
        false
    }
}

#[cfg(unix)]
fn number_of(child: u32) -> Option<rustix::process::Pid> {
    rustix::process::Pid::from_raw(child.cast_signed())
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(mut child) = self.0.take() else {
            return;
        };
        if child.id().is_none() {
            return;
        }
        child.start_kill().ok();
        #[cfg(unix)]
        reap(child);
    }
}

/// Reaps a child that was killed, though there may be no runtime any more.
#[cfg(unix)]
fn reap(mut child: Child) {
    use rustix::io::retry_on_intr;
    use rustix::process::{WaitId, WaitIdOptions, waitid};

    let thread = std::thread::Builder::new().name(String::from("reaper"));
    let reaping = thread.spawn(move || {
        let until = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        if let Some(number) = child.id().and_then(number_of) {
            // Only waits: `child` itself has to know that it was reaped.
            retry_on_intr(|| waitid(WaitId::Pid(number), until)).ok();
        }
        child.try_wait().ok();
    });
    // Without a thread, tokio reaps it as soon as there is a runtime.
    drop(reaping);
}
