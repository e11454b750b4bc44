//! What the work is done in: contexts, runtimes, cores.

use std::pin::Pin;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use cancel_context::{Canceller, Context};
use tokio::runtime::{Builder, Runtime};

use crate::by_hand::LONG;
use crate::hand;

/// A context that nobody cancels as long as its canceller lives.
pub(crate) fn root() -> (Context, Canceller) {
    Context::background().with_cancel()
}

/// A tokio runtime whose timer is armed for something earlier than anything that is measured, as that of
/// a server is, so that a later timer wakes nobody: that favours tokio's own timers most.
///
/// The work is done on the thread that has entered it, not on its one worker, which sleeps.
pub(crate) struct Timers {
    runtime: Runtime,
    _earlier: Pin<Box<dyn Future<Output = ()>>>,
}

impl Timers {
    pub(crate) fn new() -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_time()
            .build()
            .expect("the system can start one more thread");
        let entered = runtime.enter();
        runtime.spawn(tokio::time::sleep(LONG / 2));
        let context = Context::background().with_timeout(LONG / 2);
        let earlier = Box::pin(async move {
            context.cancelled().await;
        });
        let earlier = hand::wait(earlier);
        // The one worker arms both before it comes to this one, which is due last of all that is to be done.
        let last = runtime.spawn(tokio::time::sleep(Duration::from_millis(1)));
        runtime.block_on(last).expect("it sleeps, and no more");
        drop(entered);
        Self {
            runtime,
            _earlier: earlier,
        }
    }

    /// Until what is returned is dropped, timers are those of this runtime.
    pub(crate) fn enter(&self) -> impl Sized + '_ {
        self.runtime.enter()
    }
}

/// A tokio runtime on this thread.
pub(crate) fn current_thread() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("the system can make a timer")
}

/// Has two threads do `work` at the same time, on a core each where the system can pin them; what it
/// took the slower one.
pub(crate) fn on_two_cores(work: impl Fn() -> Duration + Sync) -> Duration {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let barrier = Barrier::new(2);
    let run = |index: usize| {
        if let Some(core) = cores.get(index) {
            core_affinity::set_for_current(*core);
        }
        barrier.wait();
        work()
    };
    thread::scope(|scope| {
        let threads = [0, 1].map(|index| scope.spawn(move || run(index)));
        let taken = threads.map(|thread| thread.join().expect("the work does not panic"));
        taken[0].max(taken[1])
    })
}
