//! What is not ours, kept away from the threads that have to go on: callbacks and destructors of the program, and
//! an output that may be full.

use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::waiters::guarded;

/// How long something is waited for that ought to take no time.
const PATIENCE: Duration = Duration::from_secs(1);

/// What tells that an action is done.
pub(super) struct Done(oneshot::Receiver<()>);

impl Done {
    /// Waits until it is done, but not for long.
    pub(super) async fn soon(self) {
        timeout(PATIENCE, self.0).await.ok();
    }
}

/// Runs `action` on a thread of its own; on this one only if the system has no other.
pub(super) fn aside(action: impl FnOnce() + Send + 'static) -> Done {
    let (sender, done) = oneshot::channel();
    let errand = Errand(Some((action, sender)));
    let thread = thread::Builder::new().name(String::from("shutdown"));
    // If there is none, the errand is dropped here, and so runs.
    drop(thread.spawn(move || drop(errand)));
    Done(done)
}

/// Runs its action when it is dropped.
struct Errand<F: FnOnce()>(Option<(F, oneshot::Sender<()>)>);

impl<F: FnOnce()> Drop for Errand<F> {
    fn drop(&mut self) {
        if let Some((action, done)) = self.0.take() {
            guarded(action);
            // Dropping it would do as well.
            done.send(()).ok();
        }
    }
}
