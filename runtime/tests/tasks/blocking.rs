//! Blocking waits, on threads that may.

use std::future::{pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use cancel_context::task::{JoinError, exit_task};
use cancel_context::{Cancelled, Context, cancellable};
use futures::FutureExt;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

/// A future that says when it was polled first, and is pending for ever.
async fn says(begun: mpsc::Sender<()>) {
    begun.send(()).unwrap();
    pending::<()>().await;
}

/// The text of the panic that `action` ends with.
fn refusal_of<T>(action: impl FnOnce() -> T) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(action)) else {
        panic!("it was not refused");
    };
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast::<&str>().expect("a text")).to_owned(),
    }
}

// guarantee D5
#[test]
fn a_thread_of_its_own_waits_for_a_future_and_gives_its_value() {
    let (sender, receiver) = oneshot::channel();
    let ctx = Context::background();
    let waiter = thread::spawn(move || ctx.block_on(receiver));
    sender.send(7).unwrap();
    assert_eq!(waiter.join().unwrap().unwrap().unwrap(), 7);
}

// guarantee D5
#[test]
fn a_thread_that_waits_goes_on_when_its_context_is_cancelled_and_says_where_it_waited() {
    let (ctx, canceller) = Context::background().with_name("job").with_cancel();
    let (begun, has_begun) = mpsc::channel();
    let waiter = thread::spawn(move || ctx.block_on(says(begun)));
    has_begun.recv().unwrap();
    canceller.cancel_with("enough");
    let text = waiter.join().unwrap().unwrap_err().to_string();
    assert!(text.contains("(enough): left "), "{text}");
    assert!(text.contains("tests/tasks/blocking.rs:"), "{text}");
    assert!(text.ends_with("; in job"), "{text}");
}

// guarantee D5
#[test]
fn a_cancelled_context_never_polls_what_is_to_be_waited_for() {
    let (ctx, canceller) = Context::background().with_cancel();
    canceller.cancel();
    let waited = ctx.block_on(async { unreachable!("it begins") as u8 });
    assert!(waited.is_err());
    assert!(ctx.blocking_sleep(LONG).is_err());
    assert!(!ctx.blocking_cancelled().is_timeout());
}

// guarantees D5, A4
#[test]
fn a_value_that_is_there_when_the_context_ends_is_not_thrown_away() {
    let (ctx, canceller) = Context::background().with_cancel();
    let both = ctx.block_on(async {
        canceller.cancel();
        2
    });
    assert_eq!(both.unwrap(), 2);
}

// guarantee D5; the symptom: a channel of `std` inside used up the thread's token, and the thread slept on
#[test]
fn a_wake_up_is_not_lost_to_other_code_that_parks_the_thread() {
    let mut polls = 0;
    let polled = Context::background().block_on(poll_fn(|task| {
        polls += 1;
        if polls == 2 {
            return Poll::Ready(7);
        }
        task.waker().wake_by_ref();
        // Takes the token that the wake-up has left.
        thread::park();
        Poll::Pending
    }));
    assert_eq!(polled.unwrap(), 7);
}

// guarantees D5, C3
#[test]
fn deadlines_end_a_blocking_wait_without_a_runtime_and_without_a_time_driver() {
    let wait = || {
        let began = Instant::now();
        let ctx = Context::background().with_timeout(Duration::from_millis(20));
        assert!(ctx.block_on(pending::<()>()).unwrap_err().is_timeout());
        let root = Context::background();
        root.blocking_sleep(Duration::from_millis(20)).unwrap();
        began.elapsed() >= Duration::from_millis(40)
    };
    assert!(wait());
    let bare = Builder::new_current_thread().build().unwrap();
    assert!(bare.block_on(bare.spawn_blocking(wait)).unwrap());
}

// guarantee D5
#[tokio::test]
async fn timers_of_the_runtime_work_in_what_a_blocking_task_waits_for() {
    let task = Context::background().spawn_blocking(|ctx| {
        ctx.block_on(async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            tokio::spawn(ready(7)).await.unwrap()
        })
    });
    assert_eq!(task.await.unwrap().unwrap(), 7);
}

// guarantees D5, C3
#[tokio::test(start_paused = true)]
async fn a_blocking_sleep_goes_by_the_paused_clock_of_its_runtime() {
    let began = Instant::now();
    let mut task = Context::background().spawn_blocking(|ctx| ctx.blocking_sleep(LONG));
    while (&mut task).now_or_never().is_none() {
        tokio::time::advance(LONG / 4).await;
    }
    assert!(began.elapsed() < LONG / 4);
}

// guarantees D5, D1
#[tokio::test]
async fn what_is_waited_for_is_in_the_scope_of_the_given_context_only() {
    #[cancellable(implicit)]
    async fn path() -> String {
        tokio::task::yield_now().await;
        Context::current().path()
    }

    let outer = Context::background().with_name("outer");
    let task = outer.spawn_blocking(|_| {
        let inner = Context::background().with_name("inner");
        let path = inner.block_on(path()).unwrap();
        (path, Context::current().path())
    });
    assert_eq!(
        task.await.unwrap(),
        (String::from("inner"), String::from("outer"))
    );
}

// guarantees D5, D4
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exit_task_is_refused_in_what_a_thread_waits_for() {
    let root = Context::background();
    let wait = || Context::background().block_on(exit_task());
    let outside = "outside of a task";

    let thread = thread::spawn(move || refusal_of(wait));
    assert!(thread.join().unwrap().contains(outside));
    let blocking = root.spawn_blocking(move |_| refusal_of(wait));
    assert!(blocking.await.unwrap().contains(outside));
    // It is in a task that could be left, though not from here.
    let in_place = root.spawn(async move { tokio::task::block_in_place(|| refusal_of(wait)) });
    assert!(in_place.await.unwrap().contains(outside));
}

// guarantee D5
#[tokio::test]
async fn waiting_in_async_code_is_refused() {
    let ctx = Context::background();
    let refused = "Cannot start a runtime from within a runtime";
    let task = ctx.spawn({
        let ctx = ctx.clone();
        async move { refusal_of(|| ctx.block_on(ready(()))) }
    });
    assert!(task.await.unwrap().contains(refused));
    assert!(refusal_of(|| ctx.blocking_sleep(LONG)).contains(refused));
}

// guarantees D5, D2
#[tokio::test]
async fn a_blocking_task_is_waited_for_and_gives_the_error_it_left_with() {
    let (ctx, canceller) = Context::background().with_cancel();
    let (begun, has_begun) = mpsc::channel();
    let task = ctx.spawn_blocking(|ctx| -> Result<(), Cancelled> { ctx.block_on(says(begun)) });
    tokio::task::spawn_blocking(move || has_begun.recv().unwrap())
        .await
        .unwrap();
    canceller.cancel_with("enough");
    match task.await {
        Ok(Err(end)) | Err(JoinError::Cancelled(end)) => {
            assert_eq!(end.cause().to_string(), "enough");
        }
        other => panic!("{other:?}"),
    }
}
