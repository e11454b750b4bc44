//! A producer of integers whose consumer stops after the fifth: the producer ends, nothing leaks.
//!
//! ```sh
//! cargo run -p examples --bin generator
//! ```
//!
//! The classic leak of Go: a goroutine that sends integers for ever, and waits for ever once nobody
//! receives. Here the consumer has what it wanted after five and cancels; you see the producer leave
//! the send it was waiting in, then the numbers of live tasks and of contexts, which are what they
//! were before. A second consumer just goes away, and the producer finds nobody to
//! send to.

use cancel_context::{Cancelled, Context, cancellable};
use examples::Stopwatch;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};

/// Sends 1, 2, 3 … until the context ends or nobody receives any more.
#[cancellable]
async fn generate(numbers: mpsc::Sender<u64>) -> Result<(), Cancelled> {
    for number in 1.. {
        if numbers.send(number).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Starts a producer that lives as long as `ctx`.
fn integers(ctx: &Context) -> (mpsc::Receiver<u64>, JoinHandle<Result<(), Cancelled>>) {
    let (sender, receiver) = mpsc::channel(1);
    (receiver, tokio::spawn(generate(ctx.clone(), sender)))
}

/// Takes five integers, then cancels the producer and waits for its end.
async fn cancelling_consumer(ctx: &Context, clock: Stopwatch) -> Result<(), JoinError> {
    let (ctx, canceller) = ctx.with_cancel();
    let (mut numbers, producer) = integers(&ctx);
    take_five(&mut numbers, clock).await;
    canceller.cancel_with("five are enough");
    // The receiver is still there: only the cancel can end the producer.
    report(clock, producer.await?);
    Ok(())
}

/// Takes five integers and drops the receiver; the producer's context does not end.
async fn returning_consumer(ctx: &Context, clock: Stopwatch) -> Result<(), JoinError> {
    let (mut numbers, producer) = integers(ctx);
    take_five(&mut numbers, clock).await;
    drop(numbers);
    report(clock, producer.await?);
    Ok(())
}

async fn take_five(numbers: &mut mpsc::Receiver<u64>, clock: Stopwatch) {
    for _ in 0..5 {
        if let Some(number) = numbers.recv().await {
            clock.say(format_args!("received {number}"));
        }
    }
}

fn report(clock: Stopwatch, end: Result<(), Cancelled>) {
    match end {
        Ok(()) => clock.say("producer ended: nobody receives any more"),
        Err(cancelled) => clock.say(format_args!("producer stopped: {cancelled}")),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), JoinError> {
    let clock = Stopwatch::start();
    let ctx = Context::background().with_name("numbers");
    let live = || {
        (
            Handle::current().metrics().num_alive_tasks(),
            ctx.handle_count(),
        )
    };
    let before = live();

    println!("-- a consumer that cancels");
    cancelling_consumer(&ctx, clock).await?;
    println!("-- a consumer that just goes away");
    returning_consumer(&ctx, clock).await?;

    let (tasks, contexts) = live();
    clock.say(format_args!(
        "live tasks: {tasks}, as before: {}",
        tasks == before.0
    ));
    clock.say(format_args!(
        "live contexts: {contexts}, as before: {}",
        contexts == before.1
    ));
    Ok(())
}
