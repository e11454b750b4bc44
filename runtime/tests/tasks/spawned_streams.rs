//! Streams whose producer is a task.

use std::future::pending;
use std::sync::{Arc, Mutex};

use cancel_context::stream::{Spawned, spawn};
use cancel_context::task::{JoinError, exit_task};
use cancel_context::{Cancelled, Context, Kind};
use futures::stream::FusedStream;
use futures::{FutureExt, Stream, StreamExt, TryStreamExt};
use tokio::sync::oneshot;

use crate::support::panics;

/// What `stream` gives after its last value.
async fn end_of<T>(stream: &mut Spawned<T>) -> JoinError {
    let Some(Err(error)) = stream.next().await else {
        panic!("it ends without an error");
    };
    assert!(stream.is_terminated() && stream.next().await.is_none());
    error
}

// guarantee D6
#[tokio::test]
async fn all_items_come_in_order_and_then_the_end() {
    let numbers = spawn(&Context::background(), 3, async |_, sender| {
        for number in 0..100 {
            sender.send(number).await.unwrap();
        }
        Ok::<_, Cancelled>(())
    });
    let got: Vec<_> = numbers.try_collect().await.unwrap();
    assert_eq!(got, (0..100).collect::<Vec<_>>());
}

// guarantee D6
#[tokio::test]
async fn the_producer_is_ahead_by_the_capacity_at_most() {
    let (full, is_full) = oneshot::channel();
    let mut numbers = spawn(&Context::background(), 2, async |_, sender| {
        sender.try_send(1).unwrap();
        sender.try_send(2).unwrap();
        full.send(sender.try_send(3).is_err()).unwrap();
        Ok::<_, Cancelled>(())
    });
    assert!(is_full.await.unwrap());
    assert_eq!(numbers.size_hint(), (2, None));
    assert_eq!(numbers.next().await.unwrap().unwrap(), 1);
}

// guarantee D6; the symptom: the classic leaking generator
#[tokio::test]
async fn dropping_the_consumer_ends_a_producer_that_waits_for_something_else() {
    let (ctx, _canceller) = Context::background().with_name("job").with_cancel();
    let (ended, is_ended) = oneshot::channel();
    let mut numbers = spawn(&ctx, 1, async |ctx, sender| {
        let watched = ctx.clone();
        tokio::spawn(async move { ended.send(watched.cancelled().await) });
        sender.send(1).await.unwrap();
        pending::<()>().await;
        Ok::<_, Cancelled>(())
    });
    assert_eq!(numbers.next().await.unwrap().unwrap(), 1);
    drop(numbers);
    let cancelled = is_ended.await.unwrap();
    assert_eq!(cancelled.kind(), Kind::Cancelled);
    assert_eq!(
        cancelled.cause().to_string(),
        "the consumer of the stream is gone"
    );
    assert!(cancelled.origin().to_string().contains(file!()));
    assert!(!ctx.is_cancelled());
    assert_no_tasks().await;
}

/// All tasks of the runtime end.
async fn assert_no_tasks() {
    let metrics = tokio::runtime::Handle::current().metrics();
    for _ in 0..100 {
        if metrics.num_alive_tasks() == 0 {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("{} tasks are left", metrics.num_alive_tasks());
}

// guarantee D6
#[tokio::test]
async fn a_cancel_ends_it_after_the_items_that_are_there() {
    let (ctx, canceller) = Context::background().with_cancel();
    let (sent, is_sent) = oneshot::channel();
    let mut numbers = spawn(&ctx, 2, async |_, sender| {
        sender.send(1).await.unwrap();
        sent.send(()).unwrap();
        pending::<()>().await;
        Ok::<_, Cancelled>(())
    });
    is_sent.await.unwrap();
    canceller.cancel_with("enough");
    assert_eq!(numbers.next().await.unwrap().unwrap(), 1);
    let error = end_of(&mut numbers).await.into_cancelled().unwrap();
    assert_eq!(error.cause().to_string(), "enough");
}

// guarantee D6
#[tokio::test]
async fn a_context_that_has_ended_never_starts_the_producer() {
    let (ctx, canceller) = Context::background().with_cancel();
    canceller.cancel();
    let mut stream = spawn(
        &ctx,
        1,
        async |_, _sender: tokio::sync::mpsc::Sender<()>| {
            unreachable!("it runs");
            #[expect(unreachable_code, reason = "gives the type of the error")]
            Ok::<_, Cancelled>(())
        },
    );
    assert!(end_of(&mut stream).await.cancelled().is_some());
}

// guarantees D4, D6
#[tokio::test]
async fn the_consumer_is_told_how_the_producer_has_ended() {
    panics::watch();
    let ctx = Context::background();
    let mut fails = spawn::<u8, _, _>(&ctx, 1, async |_, _| Err("disk full"));
    assert_eq!(end_of(&mut fails).await.to_string(), "disk full");

    let inner = ctx.with_timeout(std::time::Duration::ZERO);
    let mut leaves = spawn::<u8, _, _>(&ctx, 1, async move |_, _| inner.check());
    assert!(end_of(&mut leaves).await.cancelled().unwrap().is_timeout());

    // The symptom: a producer whose error is that of `io` had failed, though it left because of its context.
    let inner = ctx.with_timeout(std::time::Duration::ZERO);
    let mut leaves = spawn::<u8, _, _>(&ctx, 1, async move |_, _| -> std::io::Result<()> {
        Ok(inner.check()?)
    });
    assert!(end_of(&mut leaves).await.cancelled().unwrap().is_timeout());

    let error = || std::io::Error::other(std::io::Error::other("disk full"));
    let mut fails = spawn::<u8, _, _>(&ctx, 1, async move |_, _| Err(error()));
    assert!(matches!(end_of(&mut fails).await, JoinError::Failed(_)));

    let mut panics = spawn::<u8, _, Cancelled>(&ctx, 1, async |_, _| panic!("on purpose"));
    let JoinError::Panicked(panic) = end_of(&mut panics).await else {
        panic!("it says so");
    };
    assert!(panic.to_string().contains("on purpose"));

    let mut exits = spawn::<u8, _, Cancelled>(&ctx, 1, async |_, _| match exit_task().await {});
    assert!(matches!(end_of(&mut exits).await, JoinError::Exited));
}

// guarantee D6
#[tokio::test]
async fn the_producer_works_although_nobody_asks_yet() {
    let steps = Arc::new(Mutex::new(Vec::new()));
    let (done, is_done) = oneshot::channel();
    let noted = Arc::clone(&steps);
    let mut numbers = spawn(&Context::background(), 1, async move |_, sender| {
        noted.lock().unwrap().push(1);
        sender.send(1).await.unwrap();
        done.send(()).unwrap();
        Ok::<_, Cancelled>(())
    });
    is_done.await.unwrap();
    assert_eq!(*steps.lock().unwrap(), [1]);
    assert_eq!(numbers.next().now_or_never().unwrap().unwrap().unwrap(), 1);
}
