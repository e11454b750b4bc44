//! Equal workers, stopped by one signal and waited for, also when one of them panics.
//!
//! ```sh
//! cargo run -p examples --bin broadcast
//! ```
//!
//! What Go does with a `chan struct{}` that is closed, and a `WaitGroup`. The signal is one cancellable
//! root, which is one allocation however many wait for it; a [`TaskGroup`] waits for the workers. First
//! run: somebody gives the signal, and all of them stop at the await they are in. Second run: nobody
//! does, and one worker panics. In Go that is the end of the process, or, recovered in the wrong place,
//! of a `WaitGroup` that waits for ever. Here the panic is on stderr at once, the others are told why they
//! stop, and the panic goes on in the task that waits, when they have ended.

use std::panic;
use std::time::Duration;

use cancel_context::task::{JoinError, TaskGroup};
use cancel_context::{Cancelled, Context, cancellable};
use examples::Stopwatch;
use tokio::time::sleep;

const WORKERS: u32 = 4;
const UNIT: Duration = Duration::from_millis(50);

/// How many units each worker has done.
type Done = Vec<u32>;

/// Works until its context ends, and counts the units in `done`.
#[cancellable]
async fn work(done: &mut u32, breaks_after: Option<u32>) -> Result<(), Cancelled> {
    loop {
        sleep(UNIT).await;
        *done += 1;
        assert!(Some(*done) != breaks_after, "unit {done} is broken");
    }
}

/// Workers that stop when `ctx` ends; one of them panics after so many units, if any.
fn workers(ctx: &Context, clock: Stopwatch, breaks_after: Option<u32>) -> TaskGroup<u32> {
    let mut group = TaskGroup::new(ctx);
    for worker in 1..=WORKERS {
        let breaks_after = breaks_after.filter(|_| worker == 2);
        group.spawn(async move |ctx| {
            let mut done = 0;
            if let Err(cancelled) = work(&ctx, &mut done, breaks_after).await {
                clock.say(format_args!("worker {worker}: stopped: {cancelled}"));
            }
            Ok::<_, Cancelled>(done)
        });
    }
    group
}

/// Waits for all in a task, which is told of a panic as whoever waits is.
async fn wait(clock: Stopwatch, group: TaskGroup<u32>) {
    let waiter = Context::background().spawn(group.wait());
    let all: Result<Result<Done, JoinError>, JoinError> = waiter.await;
    match all.and_then(|all| all) {
        Ok(done) => clock.say(format_args!("all have ended; units: {done:?}")),
        Err(error) => clock.say(format_args!("who waits is told: {error}")),
    }
}

/// Has the stopwatch say when a panic is reported, besides what is printed on stderr.
fn time_panics(clock: Stopwatch) {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        clock.say("a panic is reported");
        report(panic);
    }));
}

#[tokio::main]
async fn main() {
    println!("-- somebody gives the signal");
    let clock = Stopwatch::start();
    let (ctx, canceller) = Context::background().with_cancel();
    let group = workers(&ctx, clock, None);
    sleep(UNIT * 5).await;
    clock.say("the signal");
    canceller.cancel_with("enough work");
    wait(clock, group).await;

    println!("-- one of them panics");
    let clock = Stopwatch::start();
    time_panics(clock);
    let (ctx, _canceller) = Context::background().with_cancel();
    wait(clock, workers(&ctx, clock, Some(3))).await;
    clock.say(format_args!("the root has ended: {}", ctx.is_cancelled()));
}
