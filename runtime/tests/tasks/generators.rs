//! Streams that an async function produces inside of them.

use std::cell::Cell;
use std::future::{pending, ready};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use cancel_context::stream::{CancellableStream, Yielder, generate, try_generate};
use cancel_context::task::{JoinError, exit_task};
use cancel_context::{Cancelled, Context, cancellable, private};
use futures::stream::{FusedStream, FuturesUnordered};
use futures::{FutureExt, Stream, StreamExt, TryStreamExt, join};
use tokio::sync::oneshot;

use crate::support::OnDrop;
use crate::support::panics;
use crate::support::tasks::{HandTask, yields};

/// The next item, which is there.
#[track_caller]
fn now<S: Stream>(stream: &mut Pin<&mut S>) -> Option<S::Item> {
    stream.next().now_or_never().expect("it is pending")
}

async fn counts(mut yielder: Yielder<u32>) {
    for number in 0.. {
        yielder.send(number).await;
    }
}

// guarantee D6
#[test]
fn a_producer_runs_only_as_far_as_its_consumer_asks() {
    let reached = Cell::new(0);
    let numbers = generate(&Context::background(), async |mut yielder| {
        for number in 1..=2 {
            reached.set(number);
            yielder.send(number).await;
        }
        reached.set(3);
    });
    let mut numbers = pin!(numbers);
    assert_eq!(reached.get(), 0, "nothing runs before it is polled");
    for number in 1..=2 {
        assert_eq!(now(&mut numbers).unwrap().unwrap(), number);
        assert_eq!(reached.get(), number);
    }
    assert!(now(&mut numbers).is_none() && numbers.is_terminated());
    assert_eq!(reached.get(), 3);
    assert!(now(&mut numbers).is_none());
}

// guarantee D6
#[tokio::test]
async fn no_item_is_lost_or_doubled() {
    let numbers = generate(&Context::background(), async |mut yielder| {
        for number in 0..1000_usize {
            tokio::task::yield_now().await;
            yielder.send(number).await;
            yields(number % 3).await;
        }
    });
    let got: Vec<_> = numbers.try_collect().await.unwrap();
    assert_eq!(got, (0..1000).collect::<Vec<_>>());
}

// guarantees A4, D6
#[test]
fn a_context_that_has_ended_never_starts_the_producer() {
    let (ctx, canceller) = Context::background().with_cancel();
    canceller.cancel();
    let mut numbers = pin!(generate(&ctx, async |_: Yielder<()>| unreachable!()));
    assert!(now(&mut numbers).unwrap().is_err());
    assert!(now(&mut numbers).is_none());
}

/// A producer that notes the path of its context while it runs and when it ends.
async fn notes_paths(log: Arc<Mutex<Vec<String>>>, mut yielder: Yielder<String>) {
    let _witness = OnDrop::new(move || log.lock().unwrap().push(Context::current().path()));
    loop {
        yielder.send(Context::current().path()).await;
    }
}

// guarantee D6
#[test]
fn dropping_the_consumer_runs_all_destructors_of_the_producer_in_its_context() {
    let (ctx, log) = (Context::background().with_name("job"), Arc::default());
    let mut paths = Box::pin(generate(&ctx, |yielder| {
        notes_paths(Arc::clone(&log), yielder)
    }));
    assert_eq!(now(&mut paths.as_mut()).unwrap().unwrap(), "job");
    drop(paths);
    assert_eq!(*log.lock().unwrap(), ["job"]);
}

// guarantees A4, D6
#[test]
fn a_cancel_ends_a_producer_at_its_send_and_the_error_names_that() {
    let (ctx, canceller) = Context::background().with_name("job").with_cancel();
    let (log, line) = (Arc::<Mutex<Vec<String>>>::default(), line!() + 5);
    let numbers = generate(&ctx, async |mut yielder| {
        let log = Arc::clone(&log);
        let _witness = OnDrop::new(move || log.lock().unwrap().push(Context::current().path()));
        for number in 1.. {
            yielder.send(number).await;
        }
    });
    let mut numbers = pin!(numbers);
    assert_eq!(now(&mut numbers).unwrap().unwrap(), 1);
    canceller.cancel_with("one is enough");
    let error = now(&mut numbers).unwrap().unwrap_err();
    assert_eq!(*log.lock().unwrap(), ["job"], "in that same poll");
    assert_eq!(error.cause().to_string(), "one is enough");
    let left = format!("left {}:{line}:", file!());
    assert!(error.to_string().contains(&left), "{error}");
    assert!(now(&mut numbers).is_none());
}

#[cancellable]
async fn counts_once(mut yielder: Yielder<u32>) -> Result<(), Cancelled> {
    yielder.send(1).await;
    pending::<()>().await;
    Ok(())
}

// guarantees A5, D6
#[test]
fn an_annotated_producer_leaves_with_its_own_error_and_only_once() {
    let (ctx, canceller) = Context::background().with_cancel();
    let mut numbers = pin!(try_generate(&ctx, |yielder| counts_once(&ctx, yielder)));
    assert_eq!(now(&mut numbers).unwrap().unwrap(), 1);
    assert!(numbers.next().now_or_never().is_none());
    canceller.cancel();
    let error = now(&mut numbers).unwrap().unwrap_err();
    assert_eq!(error.site().unwrap().expression(), "pending::<()>()");
    assert!(now(&mut numbers).is_none() && numbers.is_terminated());
    assert!(now(&mut numbers).is_none());
}

// guarantee D6
#[test]
fn the_error_of_a_producer_is_the_last_item() {
    let numbers = try_generate(&Context::background(), async |mut yielder| {
        yielder.send(1).await;
        Err(String::from("disk full"))
    });
    let mut numbers = pin!(numbers);
    assert_eq!(now(&mut numbers), Some(Ok(1)));
    assert_eq!(now(&mut numbers), Some(Err(String::from("disk full"))));
    assert_eq!(now(&mut numbers), None);
}

// guarantee D6
#[test]
fn what_a_producer_waits_for_wakes_its_consumer() {
    let (sender, receiver) = oneshot::channel();
    let numbers = generate(&Context::background(), async |mut yielder| {
        yielder.send(receiver.await.unwrap()).await;
    });
    let mut task = HandTask::new(numbers.try_collect::<Vec<_>>());
    task.assert_pending();
    thread::spawn(|| sender.send(7)).join().unwrap().unwrap();
    assert_eq!(task.run_woken().unwrap(), [7]);
}

// guarantee D6
#[test]
fn a_send_behind_a_waker_of_its_own_goes_on_when_the_next_item_is_asked_for() {
    let numbers = generate(&Context::background(), async |mut yielder| {
        for number in 0..5 {
            let mut sends = FuturesUnordered::new();
            sends.push(yielder.send(number));
            sends.next().await;
        }
    });
    let mut task = HandTask::new(numbers.try_collect::<Vec<_>>());
    assert_eq!(task.assert_ready().unwrap(), [0, 1, 2, 3, 4]);
}

// guarantee D6
#[test]
fn a_send_that_was_polled_is_delivered_though_it_is_dropped() {
    let numbers = generate(&Context::background(), async |mut yielder| {
        assert!(yielder.send(1).now_or_never().is_none());
        drop(yielder.send(0));
        assert!(yielder.send(2).now_or_never().is_none(), "1 is on its way");
        yielder.send(3).await;
        assert!(yielder.send(4).now_or_never().is_none());
    });
    let mut task = HandTask::new(numbers.try_collect::<Vec<_>>());
    assert_eq!(task.assert_ready().unwrap(), [1, 3, 4]);
}

// guarantee D6
#[test]
fn an_error_waits_for_the_item_before_it() {
    let numbers = try_generate(&Context::background(), async |mut yielder| {
        assert!(yielder.send(1).now_or_never().is_none());
        Err(String::from("disk full"))
    });
    let mut numbers = pin!(numbers);
    assert_eq!(now(&mut numbers), Some(Ok(1)));
    assert_eq!(now(&mut numbers), Some(Err(String::from("disk full"))));
    assert_eq!(now(&mut numbers), None);
}

// guarantee D6; the symptom: a cancel after the last item replaced the error of a producer that had returned
#[test]
fn how_a_producer_has_ended_is_said_although_the_context_ends_before_the_next_item_is_asked_for() {
    for outcome in [Ok(()), Err(Failure::OfProducer)] {
        let (ctx, canceller) = Context::background().with_cancel();
        let numbers = try_generate(&ctx, async |mut yielder| {
            assert!(yielder.send(1).now_or_never().is_none());
            outcome
        });
        let mut numbers = pin!(numbers);
        assert_eq!(now(&mut numbers), Some(Ok(1)));
        canceller.cancel();
        assert_eq!(now(&mut numbers), outcome.err().map(Err));
        assert_eq!(now(&mut numbers), None);
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Failure {
    OfProducer,
    Cancelled,
}

impl From<Cancelled> for Failure {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

// guarantee D6, and bad input; the symptom: a send in a task of its own hung
#[tokio::test]
async fn a_send_outside_of_its_stream_is_refused() {
    panics::watch();
    let kept = Arc::new(Mutex::new(None));
    let given = Arc::clone(&kept);
    let mut nothing = pin!(generate(&Context::background(), |yielder: Yielder<u8>| {
        *given.lock().unwrap() = Some(yielder);
        pending()
    }));
    assert!(nothing.next().now_or_never().is_none());
    let mut yielder = kept.lock().unwrap().take().unwrap();
    let refused = AssertUnwindSafe(yielder.send(7)).catch_unwind().await;
    let payload = refused.expect_err("it was not refused");
    let text = payload.downcast_ref::<&str>().unwrap();
    assert!(text.contains("outside of the stream"), "{text}");
}

// guarantee D6
#[tokio::test]
async fn one_generator_may_consume_another() {
    let ctx = Context::background();
    let squares = generate(&ctx, async |mut yielder| {
        let mut numbers = pin!(generate(&ctx, counts));
        while let Some(Ok(number)) = numbers.next().await {
            yielder.send(number * number).await;
        }
    });
    let first: Vec<_> = squares.take(4).try_collect().await.unwrap();
    assert_eq!(first, [0, 1, 4, 9]);
}

// guarantees D4, D6
#[tokio::test]
async fn exit_task_in_a_producer_ends_the_task_that_polls_it() {
    let (ctx, log) = (Context::background().with_name("job"), Arc::default());
    let (inner, given) = (ctx.clone(), Arc::clone(&log));
    let task = ctx.spawn(async move {
        let numbers = generate(&inner, async move |mut yielder| {
            let seen: Arc<Mutex<Vec<String>>> = given;
            let _witness =
                OnDrop::new(move || seen.lock().unwrap().push(Context::current().path()));
            yielder.send(1).await;
            match exit_task().await {}
        });
        let mut numbers = pin!(numbers);
        assert_eq!(numbers.next().await.unwrap().unwrap(), 1);
        numbers.next().await;
        unreachable!("it goes on after the exit")
    });
    let ended: Result<(), JoinError> = task.await;
    assert!(matches!(ended, Err(JoinError::Exited)));
    assert_eq!(*log.lock().unwrap(), ["job"]);
}

// guarantee D6
#[tokio::test]
async fn a_select_that_is_lost_leaves_the_producer_where_it_is() {
    let (ctx, _canceller) = Context::background().with_cancel();
    let numbers = generate(&ctx, async |mut yielder| {
        for number in 0..20 {
            yields(1).await;
            yielder.send(number).await;
            yields(1).await;
        }
    });
    let (mut numbers, mut got, mut lost) = (pin!(numbers), Vec::new(), 0);
    loop {
        tokio::select! {
            biased;
            next = numbers.next() => match next {
                Some(number) => got.push(number.unwrap()),
                None => break,
            },
            () = ready(()) => lost += 1,
        }
    }
    assert_eq!(got, (0..20).collect::<Vec<_>>());
    assert!(lost >= 20);
}

// guarantees B8, D6
#[test]
fn it_waits_for_the_context_once_and_leaves_nothing_behind() {
    let (ctx, canceller) = Context::background().with_cancel();
    let mut numbers = Box::pin(generate(&ctx, async |mut yielder| {
        for number in 0.. {
            join!(yields(1), yields(2));
            yielder.send(number).await;
        }
    }));
    for number in 0..10 {
        let mut task = HandTask::new(numbers.next());
        task.assert_pending();
        assert_eq!(private::waiting(&ctx), 1);
        assert_eq!(task.run_woken().unwrap().unwrap(), number);
    }
    drop(numbers);
    assert_eq!((private::waiting(&ctx), private::children(&ctx)), (0, 0));
    canceller.cancel();
}

// guarantees C3, D6
#[tokio::test(start_paused = true)]
async fn a_deadline_ends_a_producer_in_the_middle_of_another_wait() {
    let ctx = Context::background().with_timeout(Duration::from_millis(2500));
    let ended = AtomicBool::new(false);
    let ticks = generate(&ctx, async |mut yielder| {
        let _ended = OnDrop::new(|| ended.store(true, SeqCst));
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            yielder.send(()).await;
        }
    });
    let ticks: Vec<_> = ticks.collect().await;
    assert!(ended.load(SeqCst));
    let [Ok(()), Ok(()), Err(error)] = &ticks[..] else {
        panic!("{ticks:?}");
    };
    assert!(error.is_timeout());
}

// guarantees D1, D6
#[tokio::test]
async fn it_is_sent_and_boxed_like_any_other_stream() {
    let (ctx, canceller) = Context::background().with_cancel();
    let numbers: Pin<Box<dyn Stream<Item = Result<u32, Cancelled>> + Send>> =
        Box::pin(generate(&Context::background(), counts));
    let mut both = numbers.until_cancelled(&ctx);
    let task = tokio::spawn(async move {
        let first = both.next().await.unwrap().unwrap().unwrap();
        canceller.cancel();
        (first, both.next().await.unwrap().is_err())
    });
    assert_eq!(task.await.unwrap(), (0, true));
}
