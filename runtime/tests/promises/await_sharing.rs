//! How nested awaits share one registration, and what they do behind other wakers and executors.

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use cancel_context::Context;
use cancel_context::private::{children, waiting};
use futures::future::join_all;
use futures::stream::{self, FuturesUnordered, StreamExt};

use crate::support::tasks::{HandTask, nested, poll_with, yields};
use crate::support::wakers::{ActingWaker, CountingWaker};

const LONG: Duration = Duration::from_secs(3600);

// guarantee A4, B8; scenario 1
#[test]
fn ten_nested_scopes_of_one_context_share_one_registration() {
    let (context, canceller) = Context::background().with_cancel();
    let mut task = HandTask::new(nested(&context, 10));
    for _ in 0..100 {
        task.assert_pending();
        assert_eq!(waiting(&context), 1);
    }
    assert_eq!(task.counter().clones(), 1);
    canceller.cancel();
    assert_eq!(task.wakes(), 1);
    assert_eq!(
        task.run_woken().unwrap(),
        10,
        "the innermost left first, then each caller"
    );
    assert_eq!(waiting(&context), 0);
}

// guarantee A4, B8; scenario 13
#[test]
fn a_thousand_awaits_in_one_scope_make_one_registration() {
    let (context, _canceller) = Context::background().with_cancel();
    let mut task = HandTask::new(context.run(async {
        for _ in 0..1000 {
            context.with_name("same end").run(yields(1)).await.unwrap();
        }
        pending::<()>().await;
    }));
    for _ in 0..1001 {
        task.assert_pending();
        assert_eq!(waiting(&context), 1);
    }
    assert_eq!(task.counter().clones(), 1);
}

// guarantee A4, B8; scenario 12
#[test]
fn a_derived_timeout_within_a_scope_costs_a_constant_number_of_registrations() {
    let (context, canceller) = Context::background().with_cancel();
    let inner = context.with_timeout(LONG);
    let mut task = HandTask::new(context.run(inner.run(async {
        for _ in 0..1000 {
            inner.run(yields(1)).await.unwrap();
        }
        pending::<()>().await;
    })));
    for _ in 0..1001 {
        task.assert_pending();
        assert_eq!(
            (waiting(&context), waiting(&inner), children(&context)),
            (1, 1, 1)
        );
    }
    assert_eq!(task.counter().clones(), 2);
    canceller.cancel_with("parent");
    // The inner scope reports first, as a value of the outer one.
    assert_eq!(
        task.run_woken().unwrap().unwrap_err().cause().to_string(),
        "parent"
    );
    assert_eq!((waiting(&context), children(&context)), (0, 0));
}

// guarantee A4, D1
#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn a_derived_timeout_ends_only_its_call() {
    let (context, _canceller) = Context::background().with_cancel();
    let result = context.run(async {
        let limited = context
            .timeout(Duration::from_secs(1), pending::<()>())
            .await;
        assert!(limited.unwrap_err().is_timeout());
        context
            .sleep(Duration::from_secs(1))
            .await
            .map(|()| "went on")
    });
    assert_eq!(result.await.unwrap().unwrap(), "went on");
    assert_eq!(children(&context), 0);
}

// guarantee A4; scenario 9
#[test]
fn members_of_a_set_and_of_a_buffered_stream_all_end() {
    let (context, canceller) = Context::background().with_cancel();
    let member = || {
        let context = context.clone();
        async move { context.run(pending::<()>()).await }
    };
    let set = (0..50).map(|_| member()).collect::<FuturesUnordered<_>>();
    let buffered = stream::iter((0..50).map(|_| member())).buffer_unordered(50);
    let all = async { futures::join!(set.collect::<Vec<_>>(), buffered.collect::<Vec<_>>()) };
    let mut alone = HandTask::new(all);
    let mut in_scope = HandTask::new(context.run(async {
        let set = (0..50).map(|_| member()).collect::<FuturesUnordered<_>>();
        set.collect::<Vec<_>>().await
    }));
    alone.assert_pending();
    in_scope.assert_pending();
    assert_eq!(waiting(&context), 151);
    canceller.cancel();
    let (set, buffered) = alone.run_woken();
    let members = [set, buffered, in_scope.run_woken().unwrap()].concat();
    assert_eq!(members.len(), 150);
    assert!(members.iter().all(Result::is_err));
    assert_eq!(waiting(&context), 0);
}

// guarantee A4
#[test]
fn a_join_of_many_members_in_a_scope_all_leave_before_the_scope_does() {
    for count in [2, 29, 64] {
        let (context, canceller) = Context::background().with_cancel();
        let members = (0..count).map(|_| context.run(pending::<()>()));
        let mut task = HandTask::new(context.run(join_all(members)));
        task.assert_pending();
        canceller.cancel();
        assert_eq!(task.run_woken().unwrap().len(), count);
    }
}

// guarantee A4; with a cancel between two polls of which only one is of the scope's own waker
#[test]
fn awaits_behind_a_waker_of_their_own_register_for_themselves() {
    let (context, canceller) = Context::background().with_cancel();
    let counter = CountingWaker::new();
    let mut member = Box::pin(context.run(pending::<()>()));
    let foreign = counter.waker();
    let mut task = HandTask::new(context.run(poll_fn(|_| poll_with(member.as_mut(), &foreign))));
    task.assert_pending();
    assert_eq!(waiting(&context), 2);
    canceller.cancel();
    assert_eq!((counter.wakes(), task.wakes()), (1, 1));
    assert!(task.run_woken().unwrap().is_err());
}

// guarantee A4; each behind a waker of its own, the outer ones the first to wait
#[test]
fn of_nested_scopes_the_innermost_is_woken_first() {
    let (context, canceller) = Context::background().with_cancel();
    let (woken, polls) = (Arc::new(Mutex::new(Vec::new())), Cell::new(0));
    let waker = |name| {
        let woken = Arc::clone(&woken);
        ActingWaker::on_wake(move || woken.lock().unwrap().push(name))
    };
    let (middle, inner) = (waker("middle"), waker("inner"));
    let mut innermost = pin!(context.run(pending::<()>()));
    let mut nested = pin!(context.run(poll_fn(|_| {
        if polls.get() > 2 {
            assert!(poll_with(innermost.as_mut(), &inner).is_pending());
        }
        Poll::<()>::Pending
    })));
    let mut scope = pin!(context.run(poll_fn(|_| {
        polls.set(polls.get() + 1);
        if polls.get() > 1 {
            assert!(poll_with(nested.as_mut(), &middle).is_pending());
        }
        Poll::<()>::Pending
    })));
    let outer = waker("outer");
    for waiters in 1..=3 {
        assert!(poll_with(scope.as_mut(), &outer).is_pending());
        assert_eq!(waiting(&context), waiters);
    }
    canceller.cancel();
    assert_eq!(*woken.lock().unwrap(), ["inner", "middle", "outer"]);
}

// guarantee A4
#[test]
fn the_outer_scope_polls_once_more_for_an_await_that_was_polled_before_the_cancel() {
    let (context, canceller) = Context::background().with_cancel();
    let inner = context.run(pending::<()>());
    // After the inner await was polled, and before the outer one looks.
    let overtaken = poll_fn({
        let mut inner = Box::pin(inner);
        let mut polls = 0;
        move |task| {
            let polled = inner.as_mut().poll(task);
            polls += 1;
            if polls == 1 {
                assert!(polled.is_pending());
                canceller.cancel_with("in between");
            }
            polled
        }
    });
    let mut task = HandTask::new(context.run(overtaken));
    let inner = task.assert_ready().expect("the outer one has not left");
    assert_eq!(inner.unwrap_err().cause().to_string(), "in between");
}

// guarantees A4, A11; whoever polls in a loop of its own, inside of one poll of the scope, is not kept there
#[cfg(feature = "macros")]
#[test]
fn an_await_that_is_polled_again_in_the_poll_in_which_it_was_cancelled_leaves() {
    #[cancel_context::cancellable(implicit)]
    async fn wait() -> Result<(), cancel_context::Cancelled> {
        pending().await
    }

    let (context, canceller) = Context::background().with_cancel();
    let counter = CountingWaker::new();
    let mut member = Box::pin(wait());
    let mut polls = 0;
    let mut task = HandTask::new(context.run(poll_fn(|_| {
        loop {
            let polled = poll_with(member.as_mut(), &counter.waker());
            canceller.cancel();
            polls += 1;
            if polled.is_ready() {
                return polled;
            }
            assert!(polls < 3, "it does not see the end");
        }
    })));
    assert!(task.assert_ready().unwrap().is_err());
}

// guarantee A4
#[test]
fn a_stubborn_future_below_holds_the_scope_up_for_one_poll_only() {
    let (context, canceller) = Context::background().with_cancel();
    let stubborn = poll_fn(|_| {
        // Looks in each poll and never leaves.
        let unrelated = Context::background().with_cancel();
        let mut scope = Box::pin(unrelated.0.run(pending::<()>()));
        assert!(poll_with(scope.as_mut(), &CountingWaker::new().waker()).is_pending());
        Poll::<()>::Pending
    });
    let mut task = HandTask::new(context.run(stubborn));
    task.assert_pending();
    canceller.cancel();
    assert!(task.run_woken().is_err());
    assert!(task.wakes() <= 2);
}

// guarantee B8; scenario 20
#[test]
fn a_forgotten_scope_is_a_leak_at_most() {
    let (context, canceller) = Context::background().with_cancel();
    let mut task = HandTask::new(nested(&context, 2));
    task.assert_pending();
    let counter = Arc::clone(task.counter());
    std::mem::forget(task.into_future());
    let mut other = HandTask::new(context.run(pending::<()>()));
    other.assert_pending();
    canceller.cancel();
    assert_eq!((counter.wakes(), other.wakes()), (1, 1));
    assert!(other.run_woken().is_err());
}

// guarantee B8; the symptom: the loser of a select left a node on a token that was never cancelled; scenario 8
#[tokio::test]
async fn the_losing_arm_of_a_select_leaves_no_registration() {
    let (context, _canceller) = Context::background().with_cancel();
    let child = context.with_cancel();
    for _ in 0..100 {
        tokio::select! {
            biased;
            _ = child.0.cancelled() => unreachable!("nobody cancels"),
            _ = child.0.run(pending::<()>()) => unreachable!("nobody cancels"),
            () = tokio::task::yield_now() => {}
        }
        assert_eq!((waiting(&child.0), children(&context)), (0, 0));
    }
}
