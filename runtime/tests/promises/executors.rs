//! Awaits that change their task, waker, thread or executor, and races of a cancel against polls.

use std::future::{pending, poll_fn};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use cancel_context::private::{children, waiting};
use cancel_context::{Cancelled, Context};
use futures::FutureExt;
use futures::channel::oneshot;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::task::LocalSet;

use crate::support::random::Random;
use crate::support::tasks::{HandTask, nested, poll_with};
use crate::support::wakers::CountingWaker;

const LONG: Duration = Duration::from_secs(3600);

// guarantee A4; the symptom: a task whose future had moved was never woken; scenario 10
#[tokio::test]
async fn a_future_polled_in_one_task_and_moved_to_another_ends_there() {
    let (context, canceller) = Context::background().with_cancel();
    let first = CountingWaker::new();
    let mut future = nested(&context, 3);
    assert!(poll_with(future.as_mut(), &first.waker()).is_pending());
    let (polled, is_polled) = oneshot::channel();
    let mut polled = Some(polled);
    let task = tokio::spawn(poll_fn(move |task| {
        let result = future.as_mut().poll(task);
        polled.take().map(|polled| polled.send(()));
        result
    }));
    is_polled.await.unwrap();
    assert_eq!(waiting(&context), 1);
    canceller.cancel();
    assert_eq!(task.await.unwrap().unwrap(), 3);
    assert_eq!((first.wakes(), first.alive()), (0, 0));
}

// guarantee A4, D1; scenario 11
#[test]
fn a_future_polled_in_a_scope_and_then_elsewhere_behaves_by_where_it_is_polled() {
    let (first, first_canceller) = Context::background().with_name("first").with_cancel();
    let (second, second_canceller) = Context::background().with_name("second").with_cancel();
    let (own, own_canceller) = Context::background().with_cancel();
    let mut seen = Vec::new();
    let mut future = Box::pin(own.run(poll_fn(|_| {
        seen.push(Context::current());
        Poll::<()>::Pending
    })));
    let mut in_first = HandTask::new(first.run(poll_fn(|task| {
        assert!(future.as_mut().poll(task).is_pending());
        Poll::Ready(())
    })));
    in_first.assert_ready().unwrap();
    drop(in_first);
    first_canceller.cancel();
    let mut in_second = HandTask::new(second.run(future.as_mut()));
    in_second.assert_pending();
    second_canceller.cancel();
    assert!(in_second.run_woken().is_err());
    drop(in_second);
    let mut plain = HandTask::new(future);
    plain.assert_pending();
    own_canceller.cancel();
    assert_eq!(plain.wakes(), 1);
    assert!(plain.run_woken().is_err());
    drop(plain);
    assert!(seen.iter().all(|context| *context == own));
}

// guarantee A4
#[test]
fn an_await_left_in_a_scope_that_completed_is_registered_where_it_is_polled_next() {
    let (context, canceller) = Context::background().with_cancel();
    let mut inner = Box::pin(context.run(pending::<()>()));
    let mut scope = HandTask::new(context.run(poll_fn(|task| {
        // The scope promises a registration, and then completes without one.
        assert!(inner.as_mut().poll(task).is_pending());
        Poll::Ready(())
    })));
    scope.assert_ready().unwrap();
    drop(scope);
    let mut next = HandTask::new(inner);
    next.assert_pending();
    assert_eq!(waiting(&context), 1);
    canceller.cancel();
    assert_eq!(next.wakes(), 1);
    assert!(next.run_woken().is_err());
}

// guarantee A4; scenario 19
#[test]
fn whichever_waker_was_used_last_is_the_one_that_is_woken() {
    let (context, canceller) = Context::background().with_cancel();
    let counters: [_; 4] = std::array::from_fn(|_| CountingWaker::new());
    let mut future = nested(&context, 5);
    for counter in &counters {
        assert!(poll_with(future.as_mut(), &counter.waker()).is_pending());
        assert_eq!(waiting(&context), 1);
    }
    canceller.cancel();
    assert_eq!(counters.each_ref().map(|it| it.wakes()), [0, 0, 0, 1]);
    assert!(counters.iter().all(|counter| counter.alive() == 0));
}

// guarantee D1; scenario 26
#[tokio::test]
async fn a_task_of_a_local_set_polled_within_a_scope_is_not_in_it_and_does_not_park() {
    let (context, canceller) = Context::background().with_name("scope").with_cancel();
    let local = LocalSet::new();
    let (sender, receiver) = oneshot::channel::<u8>();
    let task = local.spawn_local(async move {
        let current = Context::current();
        (current, receiver.await)
    });
    let scope = context.run(local.run_until(async {
        tokio::task::yield_now().await;
        canceller.cancel();
        pending::<()>().await;
    }));
    assert!(scope.await.is_err());
    sender.send(7).unwrap();
    let (current, value) = local.run_until(task).await.unwrap();
    assert_eq!(value, Ok(7));
    assert_eq!(current, Context::background());
}

// guarantee D1, A10
#[tokio::test]
async fn a_shield_in_a_task_of_a_local_set_does_not_hold_up_the_scope_around_the_set() {
    let (context, canceller) = Context::background().with_cancel();
    let local = LocalSet::new();
    let inner = context.clone();
    let task = local.spawn_local(async move { inner.shield(|_| pending::<()>()).await });
    let scope = context.run(local.run_until(async {
        tokio::task::yield_now().await;
        canceller.cancel();
        pending::<()>().await;
    }));
    let limited = tokio::time::timeout(Duration::from_secs(5), scope).await;
    assert!(limited.expect("the scope is not held up").is_err());
    task.abort();
}

// guarantee A4; tokio's budget for one poll is used up; scenario 23
#[tokio::test]
async fn a_cancel_is_seen_although_the_budget_is_used_up() {
    for is_unconstrained in [false, true] {
        let (context, canceller) = Context::background().with_cancel();
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let mut rounds = 0_u32;
        let scope = context.run(async {
            loop {
                sender.send(()).unwrap();
                receiver.recv().await.unwrap();
                rounds += 1;
                if rounds == 10_000 {
                    canceller.cancel();
                }
                if rounds > 10_000 {
                    context
                        .with_name("an await that looks")
                        .run(async {})
                        .await?;
                }
            }
        });
        let result: Result<Result<(), Cancelled>, Cancelled> = if is_unconstrained {
            tokio::task::unconstrained(scope).await
        } else {
            scope.await
        };
        assert!(result.and_then(|inner| inner).is_err());
        assert!(rounds <= 10_001);
    }
}

// guarantee A4
#[tokio::test]
async fn waiting_for_a_cancel_burns_no_budget() {
    let (context, canceller) = Context::background().with_cancel();
    canceller.cancel();
    let mut polls = 0;
    let many = poll_fn(|task| {
        polls += 1;
        for _ in 0..1000 {
            assert!(context.cancelled().poll_unpin(task).is_ready());
        }
        Poll::Ready(())
    });
    many.await;
    assert_eq!(polls, 1);
}

// guarantee A4, B4; scenario 30
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_thousand_races_of_a_cancel_against_polls_lose_no_wake() {
    let mut random = Random::seeded();
    for _ in 0..3000 {
        let (context, canceller) = Context::background().with_cancel();
        let depth = random.below(4);
        let inner = context.with_timeout(LONG);
        let task = match random.below(3) {
            0 => tokio::spawn(nested(&context, depth)),
            1 => tokio::spawn(nested(&inner, depth)),
            _ => tokio::spawn(async move {
                let members: FuturesUnordered<_> = (0..3).map(|_| nested(&inner, depth)).collect();
                inner.run(members.collect::<Vec<_>>()).await.map(|_| depth)
            }),
        };
        for _ in 0..random.below(3) {
            tokio::task::yield_now().await;
        }
        if random.below(2) == 0 {
            canceller.cancel();
        } else {
            tokio::spawn(async move { canceller.cancel() });
        }
        let ended = tokio::time::timeout(Duration::from_secs(20), task).await;
        drop(ended.expect("a wake was lost").unwrap());
        assert_eq!((waiting(&context), children(&context)), (0, 0));
    }
}

// guarantee A4, B4
#[test]
fn polls_on_changing_threads_race_with_a_cancel() {
    for _ in 0..300 {
        let (context, canceller) = Context::background().with_cancel();
        let mut task = HandTask::new(nested(&context, 2));
        task.assert_pending();
        let barrier = Barrier::new(2);
        let ready = AtomicUsize::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                barrier.wait();
                for _ in 0..5 {
                    if task.poll().is_ready() {
                        ready.fetch_add(1, SeqCst);
                        return;
                    }
                }
            });
            barrier.wait();
            canceller.cancel();
        });
        if ready.load(SeqCst) == 0 {
            assert_eq!(task.run_woken().unwrap(), 2);
        }
    }
}
