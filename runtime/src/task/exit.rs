//! Leaving a task from within, from any depth of calls (Go's `runtime.Goexit`).
//!
//! `exit_task` is pending for ever; the body of the task ([`crate::task::body`]) drops what it runs after the
//! poll in which that was awaited, whatever the poll gave. So no code between the two can catch it.
//!
//! Invariants:
//! 1. `STAGE` is that of the innermost body which this thread polls. A body restores what it found there, also
//!    when the poll panics.
//! 2. A body is of one tokio task. Another task that is polled within that poll, as those of a `LocalSet` are,
//!    is in no body unless it has one of its own.

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context as Task, Poll};

use crate::frame::TaskId;

#[derive(Clone, Copy)]
enum Stage {
    /// No body is polled.
    Outside,
    /// That of this task.
    Inside(TaskId),
    /// That of this task, which is to end after this poll.
    Leaving,
}

thread_local! {
    static STAGE: Cell<Stage> = const { Cell::new(Stage::Outside) };
}

/// Restores the stage of the body above (invariant 1).
struct Restore(Stage);

impl Restore {
    fn enter(stage: Stage) -> Self {
        Self(STAGE.replace(stage))
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        STAGE.set(self.0);
    }
}

/// Runs `poll` as that of the body of the current task; whether the task is to end after it.
pub(super) fn within<R>(poll: impl FnOnce() -> R) -> (R, bool) {
    let _restore = Restore::enter(Stage::Inside(TaskId::current()));
    let polled = poll();
    (polled, matches!(STAGE.get(), Stage::Leaving))
}

/// Runs `action` in no task's body.
pub(crate) fn outside<R>(action: impl FnOnce() -> R) -> R {
    let _restore = Restore::enter(Stage::Outside);
    action()
}

/// Ends the current task, from any depth of calls; Go's `runtime.Goexit`.
///
/// The task is dropped whole after the poll in which this is awaited, past `select!`, `timeout`, `join!` and
/// groups inside of the task: every destructor runs, and no code between can catch it. Its
/// [`JoinHandle`](super::JoinHandle) gives [`JoinError::Exited`](super::JoinError::Exited). Other tasks go on.
///
/// It works in tasks that [`Context::spawn`](crate::Context::spawn) and its kin have started, in the members of
/// a group of tasks, and in what is spawned with `inherit_spawns`, which ends as an aborted task does. The
/// output has no values: `match exit_task().await {}` has any type.
///
/// # Panics
///
/// The future panics when it is polled elsewhere: in `main`, in a task that was spawned otherwise, in
/// `spawn_blocking`, in [`block_on`](crate::Context::block_on), or inside of [`outside`](crate::outside). A task that
/// blocks on it by another executor's `block_on` cannot be told from one that awaits it, and blocks for ever.
///
/// # Cancel safety
///
/// Once it was polled, the task ends, also if the future is dropped then.
///
/// # Examples
///
/// ```
/// use cancel_context::Context;
/// use cancel_context::task::{JoinError, exit_task};
///
/// async fn load(id: u32) -> String {
///     if id == 0 {
///         match exit_task().await {}
///     }
///     format!("user {id}")
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let task = Context::background().spawn(load(0));
/// assert!(matches!(task.await, Err(JoinError::Exited)));
/// # }
/// ```
pub fn exit_task() -> ExitTask {
    ExitTask(())
}

/// The future of [`exit_task`].
#[must_use = "futures do nothing unless polled"]
pub struct ExitTask(());

impl Future for ExitTask {
    type Output = Infallible;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<Infallible> {
        let is_inside = match STAGE.get() {
            Stage::Leaving => true,
            Stage::Inside(task) => task == TaskId::current(),
            Stage::Outside => false,
        };
        assert!(
            is_inside,
            "`exit_task` was awaited outside of a task that a context or a group has spawned"
        );
        STAGE.set(Stage::Leaving);
        Poll::Pending
    }
}

impl fmt::Debug for ExitTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExitTask")
    }
}
