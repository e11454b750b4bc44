//! Streams that end with a context.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use cancel_context::stream::{CancellableStream, UntilCancelled};
use cancel_context::task::{JoinError, exit_task};
use cancel_context::{Cancelled, Context, Kind, cancellable, private};
use futures::stream::{FusedStream, iter, once, pending, poll_fn, repeat, unfold};
use futures::{FutureExt, Stream, StreamExt};
use tokio::sync::oneshot;

use crate::support::OnDrop;
use crate::support::tasks::{HandTask, yields};

/// The next item, which is there.
#[track_caller]
fn now<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    stream.next().now_or_never().expect("it is pending")
}

/// 0, 1, 2 …, each after one poll that is pending.
fn slow_numbers() -> Pin<Box<impl Stream<Item = u32>>> {
    Box::pin(unfold(0, |number| async move {
        yields(1).await;
        Some((number, number + 1))
    }))
}

/// Notes the path of the current context when it is dropped.
fn witness() -> (OnDrop<impl FnOnce()>, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::default();
    let log: Arc<Mutex<Vec<String>>> = Arc::clone(&seen);
    let note = move || log.lock().unwrap().push(Context::current().path());
    (OnDrop::new(note), seen)
}

// guarantee D6
#[test]
fn with_a_context_that_lives_on_the_items_are_those_of_the_stream() {
    let (ctx, _canceller) = Context::background().with_cancel();
    let mut numbers = iter(1..=3).until_cancelled(&ctx);
    for number in 1..=3 {
        assert_eq!(now(&mut numbers).unwrap().unwrap(), number);
    }
    assert!(!numbers.is_terminated());
    assert!(now(&mut numbers).is_none() && numbers.is_terminated());
    assert!(now(&mut numbers).is_none());
}

// guarantees A4, D6
#[test]
fn a_context_that_has_ended_already_polls_nothing() {
    let (ctx, canceller) = Context::background().with_name("job").with_cancel();
    canceller.cancel_with("enough");
    let (witness, dropped) = witness();
    let mut stream = poll_fn(move |_| -> Poll<Option<()>> {
        let _ = &witness;
        unreachable!("it is polled")
    })
    .until_cancelled(&ctx);
    let error = now(&mut stream).unwrap().unwrap_err();
    assert_eq!(error.cause().to_string(), "enough");
    assert_eq!(*dropped.lock().unwrap(), ["job"], "in that same poll");
}

// guarantees A11, D6
#[test]
fn it_gives_one_error_and_then_none_for_ever() {
    let (ctx, canceller) = Context::background().with_cancel();
    let mut silence = pending::<()>().until_cancelled(&ctx);
    assert!(silence.next().now_or_never().is_none());
    canceller.cancel();
    assert!(now(&mut silence).unwrap().is_err());
    assert!(silence.is_terminated());
    for _ in 0..3 {
        assert!(now(&mut silence).is_none());
    }
}

// guarantees A4, D6
#[test]
fn an_item_that_is_ready_in_the_poll_of_the_cancel_is_delivered() {
    let (ctx, canceller) = Context::background().with_cancel();
    let mut numbers = poll_fn(|_| {
        canceller.cancel();
        Poll::Ready(Some(7))
    })
    .until_cancelled(&ctx);
    assert_eq!(now(&mut numbers).unwrap().unwrap(), 7);
    assert!(now(&mut numbers).unwrap().is_err());
    assert!(now(&mut numbers).is_none());
}

// guarantees A4, D6
#[test]
fn an_item_that_is_ready_when_the_context_was_found_ended_is_delivered() {
    let (ctx, canceller) = Context::background().with_cancel();
    let mut polls = 0;
    let mut numbers = Box::pin(poll_fn(move |_| {
        polls += 1;
        canceller.cancel();
        if polls == 1 {
            Poll::Pending
        } else {
            Poll::Ready(Some(7))
        }
    }))
    .until_cancelled(&ctx);
    assert_eq!(now(&mut numbers).unwrap().unwrap(), 7);
    assert!(now(&mut numbers).unwrap().is_err());
}

// guarantees A4, D6
#[test]
fn an_item_that_became_ready_before_the_cancelled_context_is_looked_at_is_delivered() {
    let (ctx, canceller) = Context::background().with_cancel();
    let (sender, receiver) = oneshot::channel();
    let mut answer = once(receiver).until_cancelled(&ctx);
    assert!(answer.next().now_or_never().is_none());
    sender.send(7).unwrap();
    canceller.cancel();
    assert_eq!(now(&mut answer).unwrap().unwrap(), Ok(7));
    assert!(now(&mut answer).unwrap().is_err());
}

// guarantee D6
#[test]
fn a_stream_that_is_always_ready_ends_after_a_cancel() {
    let (ctx, canceller) = Context::background().with_cancel();
    let mut ones = repeat(1).until_cancelled(&ctx);
    for _ in 0..100 {
        assert_eq!(now(&mut ones).unwrap().unwrap(), 1);
    }
    canceller.cancel();
    assert!(now(&mut ones).unwrap().is_err());
}

// guarantees C2, D6
#[tokio::test]
async fn a_stream_that_is_always_ready_ends_at_a_deadline_though_its_loop_never_yields() {
    let ctx = Context::background().with_timeout(Duration::from_millis(5));
    let mut ones = repeat(1).until_cancelled(&ctx);
    let error = loop {
        if let Err(error) = ones.next().await.unwrap() {
            break error;
        }
    };
    assert_eq!(error.kind(), Kind::DeadlineExceeded);
}

// guarantees C3, D6
#[tokio::test(start_paused = true)]
async fn a_pending_stream_ends_at_its_deadline() {
    let ctx = Context::background().with_timeout(Duration::from_secs(3600));
    let mut silence = pending::<()>().until_cancelled(&ctx);
    let error = silence.next().await.unwrap().unwrap_err();
    assert!(error.is_timeout());
}

// guarantees B4, D6
#[test]
fn a_cancel_from_another_thread_wakes_a_pending_stream() {
    let (ctx, canceller) = Context::background().with_cancel();
    let (polled, is_polled) = mpsc::channel();
    let other = thread::spawn(move || {
        is_polled.recv().unwrap();
        canceller.cancel_with("from elsewhere");
    });
    let mut silence = poll_fn(|_| -> Poll<Option<()>> {
        // Nobody listens any more the second time.
        polled.send(()).ok();
        Poll::Pending
    })
    .until_cancelled(&ctx);
    let error = futures::executor::block_on(silence.next());
    let cause = error.unwrap().unwrap_err().cause();
    assert_eq!(cause.to_string(), "from elsewhere");
    other.join().unwrap();
}

// guarantee D6
#[test]
fn its_context_is_the_current_one_while_the_stream_is_polled_and_dropped() {
    let (ctx, canceller) = Context::background().with_name("job").with_cancel();
    let paths = |count: usize| {
        let (witness, dropped) = witness();
        let paths = iter(0..count).map(move |_| {
            let _ = &witness;
            Context::current().path()
        });
        (paths.until_cancelled(&ctx), dropped)
    };
    let (mut ends, dropped) = paths(1);
    assert_eq!(now(&mut ends).unwrap().unwrap(), "job");
    assert!(now(&mut ends).is_none());
    assert_eq!(*dropped.lock().unwrap(), ["job"], "it has ended");

    let (given_up, dropped) = paths(1);
    drop(given_up);
    assert_eq!(*dropped.lock().unwrap(), ["job"], "the consumer has gone");

    let (mut stopped, dropped) = paths(2);
    assert!(now(&mut stopped).unwrap().is_ok());
    canceller.cancel();
    assert!(now(&mut stopped).unwrap().is_err());
    assert_eq!(*dropped.lock().unwrap(), ["job"], "the context has");
    assert_eq!(Context::current().path(), "");
}

// guarantees B8, D6
#[test]
fn it_waits_for_the_context_once_and_leaves_nothing_behind() {
    let (root, _root_canceller) = Context::background().with_cancel();
    let (ctx, canceller) = root.with_cancel();
    let mut numbers = slow_numbers().until_cancelled(&ctx);
    for number in 0..10 {
        let mut task = HandTask::new(numbers.next());
        task.assert_pending();
        assert_eq!(private::waiting(&ctx), 1);
        assert_eq!(task.assert_ready().unwrap().unwrap(), number);
    }
    assert_eq!(private::children(&root), 1);
    drop(numbers);
    assert_eq!((private::waiting(&ctx), private::children(&root)), (0, 0));

    let mut silence = pending::<()>().until_cancelled(&ctx);
    let mut task = HandTask::new(silence.next());
    task.assert_pending();
    canceller.cancel();
    assert!(task.run_woken().unwrap().is_err());
    assert_eq!(task.wakes(), 1);
    assert_eq!((private::waiting(&ctx), private::children(&root)), (0, 0));
}

#[cancellable(implicit)]
async fn answers() -> usize {
    std::future::pending::<()>().await;
    0
}

// guarantees A6, D6
#[test]
fn the_error_names_the_await_inside_that_was_left() {
    let (ctx, canceller) = Context::background().with_cancel();
    let mut answers = Box::pin(once(answers())).until_cancelled(&ctx);
    assert!(answers.next().now_or_never().is_none());
    canceller.cancel();
    let error = now(&mut answers).unwrap().unwrap_err();
    let site = error.site().unwrap().expression();
    assert_eq!(site, "std::future::pending::<()>()");
}

// guarantees D6, G1
#[test]
fn the_error_names_the_place_of_the_stream_if_no_await_is_known() {
    let (ctx, canceller) = Context::background().with_cancel();
    let (mut silence, line) = (pending::<()>().until_cancelled(&ctx), line!());
    canceller.cancel();
    let error = now(&mut silence).unwrap().unwrap_err().to_string();
    assert!(
        error.contains(&format!("left {}:{line}:", file!())),
        "{error}"
    );
}

// guarantees D4, D6
#[tokio::test]
async fn exit_task_behind_it_ends_the_whole_task() {
    let (ctx, _canceller) = Context::background().with_name("job").with_cancel();
    let (witness, dropped) = witness();
    let inner = ctx.clone();
    let task = ctx.spawn(async move {
        let exits = once(async move {
            let _witness = witness;
            match exit_task().await {}
        });
        let mut exits = Box::pin(exits.until_cancelled(&inner));
        let _: Option<Result<(), Cancelled>> = exits.next().await;
        unreachable!("it goes on after the exit")
    });
    let ended: Result<(), JoinError> = task.await;
    assert!(matches!(ended, Err(JoinError::Exited)));
    assert_eq!(*dropped.lock().unwrap(), ["job"]);
}

// guarantee D6
#[tokio::test]
async fn a_select_that_is_lost_loses_no_item() {
    let (ctx, _canceller) = Context::background().with_cancel();
    let mut numbers = slow_numbers().take(20).until_cancelled(&ctx);
    let (mut got, mut lost) = (Vec::new(), 0);
    loop {
        tokio::select! {
            biased;
            next = numbers.next() => match next {
                Some(number) => got.push(number.unwrap()),
                None => break,
            },
            () = std::future::ready(()) => lost += 1,
        }
    }
    assert_eq!(got, (0..20).collect::<Vec<_>>());
    assert!(lost >= 20);
}

#[cancellable]
async fn sum(
    mut numbers: UntilCancelled<impl Stream<Item = u32> + Unpin>,
    seen: Arc<AtomicUsize>,
) -> Result<u32, Cancelled> {
    let mut sum = 0;
    while let Some(number) = numbers.next().await {
        sum += number?;
        seen.fetch_add(1, SeqCst);
    }
    Ok(sum)
}

// guarantees A3, D6
#[tokio::test]
async fn an_annotated_loop_over_it_leaves_with_its_error() {
    let (ctx, canceller) = Context::background().with_cancel();
    let seen = Arc::new(AtomicUsize::new(0));
    let numbers = slow_numbers().take(4).until_cancelled(&ctx);
    assert_eq!(sum(&ctx, numbers, Arc::clone(&seen)).await.unwrap(), 6);

    let stops = slow_numbers().inspect(move |&number| {
        if number == 2 {
            canceller.cancel_with("two is enough");
        }
    });
    let seen = Arc::new(AtomicUsize::new(0));
    let error = sum(&ctx, stops.until_cancelled(&ctx), Arc::clone(&seen)).await;
    assert_eq!(error.unwrap_err().cause().to_string(), "two is enough");
    assert_eq!(seen.load(SeqCst), 3, "the item of that poll was delivered");
}

// guarantee D6
#[test]
fn size_hints_count_the_error_that_may_come() {
    let (ctx, canceller) = Context::background().with_cancel();
    assert_eq!(iter(0..3).until_cancelled(&ctx).size_hint(), (1, Some(4)));
    assert_eq!(iter(0..0).until_cancelled(&ctx).size_hint(), (0, Some(1)));
    assert_eq!(repeat(0).until_cancelled(&ctx).size_hint(), (1, None));
    let never = iter(0..3).until_cancelled(&Context::background());
    assert_eq!(never.size_hint(), (3, Some(3)), "nothing ends it");
    canceller.cancel();
    let mut ended = iter(0..3).until_cancelled(&ctx);
    assert!(now(&mut ended).unwrap().is_err());
    assert_eq!(ended.size_hint(), (0, Some(0)));
    assert!(
        format!("{ended:?}").contains("has_ended: true"),
        "{ended:?}"
    );
}
