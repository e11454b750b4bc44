//! Shields inside of streams that end with a context.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use cancel_context::stream::{CancellableStream, UntilCancelled, generate};
use cancel_context::{Cancelled, Context, cancellable};
use futures::stream::{FuturesUnordered, iter, poll_fn};
use futures::{FutureExt, Stream, StreamExt};
use tokio::sync::oneshot;

use crate::support::tasks::HandTask;

/// The next item, which is there.
#[track_caller]
fn now<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    stream.next().now_or_never().expect("it is pending")
}

// guarantees A10, D6
#[test]
fn a_shield_inside_is_waited_for_also_after_another_item() {
    let (ctx, canceller) = Context::background().with_cancel();
    let (release, released) = oneshot::channel::<()>();
    let (go, gone) = oneshot::channel::<()>();
    let shield = ctx.shield(|_| async move { released.await.is_ok() });
    let jobs = [shield.boxed(), async { gone.await.is_err() }.boxed()];
    let mut results = iter(jobs).buffer_unordered(2).until_cancelled(&ctx);
    assert!(results.next().now_or_never().is_none());
    go.send(()).unwrap();
    assert!(!now(&mut results).unwrap().unwrap());
    canceller.cancel();
    assert!(results.next().now_or_never().is_none(), "it waits");
    release.send(()).unwrap();
    assert!(now(&mut results).unwrap().unwrap(), "the shield has ended");
    assert!(now(&mut results).unwrap().is_err());
}

// guarantees A10, D6
#[test]
fn a_shield_that_is_pending_in_the_poll_of_an_item_is_waited_for() {
    let (ctx, canceller) = Context::background().with_cancel();
    let (release, released) = oneshot::channel::<()>();
    let mut shield = Box::pin(ctx.shield(|_| released));
    let mut is_done = false;
    let mut states = poll_fn(|task| {
        is_done = is_done || shield.poll_unpin(task).is_ready();
        Poll::Ready(Some(is_done))
    })
    .until_cancelled(&ctx);
    assert!(!now(&mut states).unwrap().unwrap());
    canceller.cancel();
    assert!(!now(&mut states).unwrap().unwrap(), "it goes on meanwhile");
    release.send(()).unwrap();
    assert!(now(&mut states).unwrap().unwrap(), "the shield has ended");
    assert!(now(&mut states).unwrap().is_err());
}

// guarantees A10, D6; the symptom: a shield that was first pending in the poll of an item was dropped by a cancel
#[test]
fn a_shield_that_is_not_polled_again_is_waited_for_although_its_first_poll_gave_an_item() {
    let (ctx, canceller) = Context::background().with_cancel();
    let (release, released) = oneshot::channel::<()>();
    let shield = ctx.shield(|_| async move { released.await.is_ok() });
    let jobs = [shield.boxed(), async { false }.boxed()];
    let mut results = iter(jobs).buffer_unordered(2).until_cancelled(&ctx);
    assert!(!now(&mut results).unwrap().unwrap());
    canceller.cancel();
    for _ in 0..3 {
        assert!(results.next().now_or_never().is_none(), "it waits");
    }
    release.send(()).unwrap();
    assert!(now(&mut results).unwrap().unwrap(), "the shield has ended");
    assert!(now(&mut results).unwrap().is_err());
}

// guarantees A10, D6; the symptom: as above, in a generator
#[test]
fn a_shield_of_a_producer_that_has_just_sent_is_waited_for() {
    let (ctx, canceller) = Context::background().with_cancel();
    let (release, released) = oneshot::channel::<()>();
    let is_done = Cell::new(false);
    let numbers = generate(&ctx, async |mut yielder| {
        let shield = ctx.shield(|_| released).map(|_| is_done.set(true));
        let send = yielder.send(1);
        let jobs = [shield.boxed_local(), send.boxed_local()];
        FuturesUnordered::from_iter(jobs).count().await;
    });
    let mut numbers = pin!(numbers);
    assert_eq!(now(&mut numbers).unwrap().unwrap(), 1);
    canceller.cancel();
    assert!(numbers.next().now_or_never().is_none(), "it waits");
    release.send(()).unwrap();
    assert!(now(&mut numbers).is_none(), "the producer has ended");
    assert!(is_done.get());
}

#[cancellable]
async fn first_error<T>(
    mut results: UntilCancelled<impl Stream<Item = T> + Unpin>,
) -> Result<(), Cancelled> {
    while let Some(result) = results.next().await {
        result?;
    }
    Ok(())
}

// guarantees A10, D6; the symptom: an annotated loop over the stream left it, and dropped the shield inside
#[test]
fn the_await_of_an_annotated_loop_waits_for_a_shield_that_is_not_polled_again() {
    for is_other in [false, true] {
        let (ctx, canceller) = Context::background().with_cancel();
        let (release, released) = oneshot::channel::<()>();
        let is_done = Rc::new(Cell::new(false));
        let noted = Rc::clone(&is_done);
        let shield = ctx.shield(|_| released).map(move |_| noted.set(true));
        let jobs = [shield.boxed_local(), async {}.boxed_local()];
        let results = iter(jobs).buffer_unordered(2);
        // In the scope of another context, the stream does not see the cancel at all.
        let (other, _other_canceller) = Context::background().with_cancel();
        let inner = if is_other { &other } else { &ctx };
        let mut task = HandTask::new(first_error(&ctx, results.until_cancelled(inner)));
        task.assert_pending();
        canceller.cancel();
        task.assert_pending();
        release.send(()).unwrap();
        assert!(task.run_woken().is_err());
        assert!(is_done.get(), "the shield was dropped");
    }
}
