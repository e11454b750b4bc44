//! A producer and two consumers over a channel: closing it against cancelling its context.
//!
//! ```sh
//! cargo run -p examples --bin pipeline
//! ```
//!
//! First run: the producer is done and closes the channel. The consumers take the values that are
//! still in it, one by one, write what they collected, and return. Second run: the context is
//! cancelled in the middle. The consumers leave at once, with values still in the channel; only what
//! is in `Drop` runs. You see who did what when, and how many values were left.
//!
//! What Go panics on cannot be written here. The one [`mpsc::Sender`] is owned by the producer, and
//! closing is dropping it: a second close would be a use after move. Consumers hold [`Values`], which
//! can only take the next value.

use std::sync::Arc;
use std::time::Duration;

use cancel_context::{Cancelled, Context, cancellable};
use examples::Stopwatch;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinError;
use tokio::time::sleep;

use values::Values;

/// The receiving side; the receiver, which could close the channel, stays private.
mod values {
    use super::{Arc, Mutex, mpsc};

    #[derive(Clone)]
    pub(crate) struct Values(Arc<Mutex<mpsc::Receiver<u32>>>);

    impl Values {
        pub(crate) fn channel(capacity: usize) -> (mpsc::Sender<u32>, Self) {
            let (sender, receiver) = mpsc::channel(capacity);
            (sender, Self(Arc::new(Mutex::new(receiver))))
        }

        /// The next value; `None` once the channel is closed and empty.
        pub(crate) async fn next(&self) -> Option<u32> {
            self.0.lock().await.recv().await
        }

        pub(crate) async fn left(&self) -> usize {
            self.0.lock().await.len()
        }
    }
}

/// Given back when its consumer ends, however it ends.
struct Connection {
    consumer: &'static str,
    clock: Stopwatch,
}

impl Drop for Connection {
    fn drop(&mut self) {
        let Self { consumer, clock } = self;
        clock.say(format_args!("{consumer}: gave its connection back"));
    }
}

#[cancellable]
async fn produce(values: mpsc::Sender<u32>, clock: Stopwatch) -> Result<(), Cancelled> {
    for value in 1..=12 {
        if values.send(value).await.is_err() {
            return Ok(());
        }
    }
    drop(values);
    clock.say("producer: sent all and closed the channel");
    Ok(())
}

#[cancellable]
async fn consume(
    consumer: &'static str,
    values: Values,
    clock: Stopwatch,
) -> Result<Vec<u32>, Cancelled> {
    let _connection = Connection { consumer, clock };
    let mut collected = Vec::new();
    while let Some(value) = values.next().await {
        sleep(Duration::from_millis(100)).await;
        clock.say(format_args!("{consumer}: worked on {value}"));
        collected.push(value);
    }
    sleep(Duration::from_millis(20)).await;
    clock.say(format_args!("{consumer}: wrote {} values", collected.len()));
    Ok(collected)
}

/// One producer, two consumers, and somebody who may end `ctx`; says how each ended.
async fn run(ctx: &Context, somebody: impl Future<Output = ()>) -> Result<(), JoinError> {
    let clock = Stopwatch::start();
    let (sender, values) = Values::channel(2);
    let producer = tokio::spawn(produce(ctx.clone(), sender, clock));
    let consumers = ["consumer 1", "consumer 2"].map(|name| {
        (
            name,
            tokio::spawn(consume(ctx.clone(), name, values.clone(), clock)),
        )
    });

    somebody.await;
    if let Err(cancelled) = producer.await? {
        clock.say(format_args!("producer: stopped: {cancelled}"));
    }
    for (name, consumer) in consumers {
        match consumer.await? {
            Ok(collected) => clock.say(format_args!("{name}: returned {collected:?}")),
            Err(cancelled) => clock.say(format_args!("{name}: stopped: {cancelled}")),
        }
    }
    clock.say(format_args!("left in the channel: {}", values.left().await));
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), JoinError> {
    println!("-- the channel is closed");
    run(&Context::background(), async {}).await?;

    println!("-- the context is cancelled after 250 ms");
    let (ctx, canceller) = Context::background().with_name("pipeline").with_cancel();
    let user = async {
        sleep(Duration::from_millis(250)).await;
        canceller.cancel_with("the result is no longer wanted");
    };
    run(&ctx, user).await
}
