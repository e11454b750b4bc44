//! A loop that works every 500 ms until its context ends, and all the ways to end it.
//!
//! ```sh
//! cargo run -p examples --bin worker
//! ```
//!
//! The same loop runs six times. Each time something else ends its context: a call, a timeout, a
//! deadline, a call with a cause, SIGINT, and whichever of a user and a signal comes first. After
//! each run you see why the loop stopped: the kind, the cause, and the one-line error with both ends,
//! the await that was left and what ended the context. All of it takes 13 seconds.

use std::io;
use std::time::{Duration, Instant};

use cancel_context::{Cancelled, Context, cancellable, signal};
use examples::Stopwatch;
use tokio::time::sleep;

const PERIOD: Duration = Duration::from_millis(500);

/// Nothing in here asks whether it should go on: every `.await` is a place to leave.
#[cancellable]
async fn work(clock: Stopwatch) -> Result<(), Cancelled> {
    for unit in 1_u32.. {
        clock.say(format_args!("worked on unit {unit}"));
        sleep(PERIOD).await;
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let root = Context::background();
    // Some contexts end by themselves.
    let nobody = std::future::ready(());

    let (ctx, canceller) = root.with_cancel();
    let user = async {
        sleep(Duration::from_secs(2)).await;
        canceller.cancel();
    };
    run("by hand after 2 s", &ctx, user).await;

    let ctx = root.with_timeout(Duration::from_secs(3));
    run("by a timeout of 3 s", &ctx, nobody.clone()).await;

    let ctx = root.with_deadline(Instant::now() + Duration::from_secs(5));
    run("by a deadline 5 s ahead", &ctx, nobody).await;

    let (ctx, canceller) = root.with_cancel();
    let user = async {
        sleep(Duration::from_secs(1)).await;
        canceller.cancel_with("the disk is full");
    };
    run("with a cause", &ctx, user).await;

    let ctx = signal::context()?;
    run("by SIGINT", &ctx, press_ctrl_c()).await;

    let (user_context, canceller) = root.with_cancel();
    let ctx = Context::any([user_context, signal::context()?]);
    let user = async {
        sleep(Duration::from_secs(1)).await;
        canceller.cancel_with("the user was first");
    };
    run("by a user or a signal", &ctx, user).await;
    Ok(())
}

/// Works until `ctx` ends, while somebody may end it, and says why it did.
async fn run(how: &str, ctx: &Context, somebody: impl Future<Output = ()>) {
    println!("-- ended {how}");
    let clock = Stopwatch::start();
    let (outcome, ()) = tokio::join!(work(ctx, clock), somebody);
    if let Err(cancelled) = outcome {
        clock.say(format_args!("stopped: {}", cancelled.kind()));
        clock.say(format_args!("cause:   {}", cancelled.cause()));
        clock.say(format_args!("error:   {cancelled}"));
    }
}

async fn press_ctrl_c() {
    sleep(Duration::from_secs(1)).await;
    examples::interrupt_self().expect("this system has signals");
}
