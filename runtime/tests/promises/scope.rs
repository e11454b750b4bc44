//! Scopes: `run`, the current context, nesting, and executors of all kinds.

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use cancel_context::private::waiting;
use cancel_context::{Cancelled, Context, Kind, outside};
use futures::FutureExt;
use futures::channel::oneshot;

use crate::support::tasks::{HandTask, yields};
use crate::support::{OnDrop, cause_of, panics};

// guarantee D1
#[test]
fn inside_a_scope_its_context_is_the_current_one_and_outside_it_is_not() {
    let context = Context::background().with_name("outer");
    let inner = context.with_name("inner");
    let mut task = HandTask::new(context.run(async {
        let before = Context::current();
        let within = inner.run(async { Context::current() }).await.unwrap();
        yields(1).await;
        (before, within, Context::current())
    }));
    task.assert_pending();
    assert_eq!(Context::current(), Context::background());
    let (before, within, after) = task.run_woken().unwrap();
    assert_eq!((before, after), (context.clone(), context));
    assert_eq!(within, inner);
    assert_eq!(Context::current(), Context::background());
}

// guarantee D1
#[test]
fn a_cancelled_context_never_polls_the_future() {
    let (context, canceller) = Context::background().with_cancel();
    let is_dropped = Cell::new(false);
    canceller.cancel_with("before");
    let on_drop = OnDrop::new(|| is_dropped.set(true));
    let mut task = HandTask::new(context.run(async move {
        let _on_drop = on_drop;
        panic!("it was polled");
    }));
    let cancelled: Cancelled = task.assert_ready().unwrap_err();
    assert_eq!(cancelled.cause().to_string(), "before");
    assert!(is_dropped.get(), "the future is dropped in that poll");
}

// guarantee D1, A4; scenario 2
#[test]
fn a_value_that_is_ready_in_the_poll_that_finds_the_cancel_is_delivered() {
    let (context, canceller) = Context::background().with_cancel();
    let (sender, receiver) = oneshot::channel::<u8>();
    let mut task = HandTask::new(context.run(receiver));
    task.assert_pending();
    canceller.cancel();
    sender.send(7).unwrap();
    assert_eq!(task.assert_ready().unwrap(), Ok(7));
}

// guarantee D1, A5
#[test]
fn on_a_cancel_the_pending_future_is_dropped_in_that_same_poll() {
    let (context, canceller) = Context::background().with_cancel();
    let is_dropped = Rc::new(Cell::new(false));
    let dropped = Rc::clone(&is_dropped);
    let mut task = HandTask::new(context.run(async move {
        let _on_drop = OnDrop::new(move || dropped.set(true));
        pending::<()>().await;
    }));
    task.assert_pending();
    canceller.cancel_with("enough");
    assert_eq!(task.wakes(), 1);
    assert!(!is_dropped.get());
    let cancelled = task.assert_ready().unwrap_err();
    assert_eq!(
        (cancelled.kind(), is_dropped.get()),
        (Kind::Cancelled, true)
    );
}

// guarantee D1; scenario 11
#[test]
fn a_scope_polled_again_after_it_ended_panics_and_does_not_hang() {
    panics::watch();
    let (context, canceller) = Context::background().with_cancel();
    canceller.cancel();
    let mut task = HandTask::new(context.run(pending::<()>()));
    assert!(task.assert_ready().is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| task.poll())).is_err());
}

// guarantee D1, A4; scenario 15
#[test]
fn the_inner_scope_of_a_child_reports_first() {
    let (outer, canceller) = Context::background().with_name("outer").with_cancel();
    let inner = outer.with_name("inner").with_cancel();
    let mut task = HandTask::new(outer.run(async {
        let cancelled = inner.0.run(pending::<()>()).await.unwrap_err();
        (cancelled.path().to_owned(), "the outer one went on")
    }));
    task.assert_pending();
    canceller.cancel();
    let (path, text) = task.run_woken().unwrap();
    assert_eq!(
        (path.as_str(), text),
        ("outer/inner", "the outer one went on")
    );
}

// guarantee D1; the symptom: a scope that was not cancelled claimed the cancellation of another; scenario 15
#[test]
fn the_end_of_an_unrelated_outer_scope_drops_the_inner_whole() {
    let (outer, canceller) = Context::background().with_cancel();
    let (inner, _inner_canceller) = Context::background().with_cancel();
    let has_resumed = Rc::new(Cell::new(false));
    let resumed = Rc::clone(&has_resumed);
    let scope = inner.clone();
    let mut task = HandTask::new(outer.run(async move {
        let result = scope.run(pending::<()>()).await;
        resumed.set(true);
        result
    }));
    task.assert_pending();
    assert_eq!((waiting(&outer), waiting(&inner)), (1, 1));
    canceller.cancel_with("outer");
    assert_eq!(task.run_woken().unwrap_err().cause().to_string(), "outer");
    assert!(!has_resumed.get());
    assert_eq!((waiting(&outer), waiting(&inner)), (0, 0));
}

// guarantee D1
#[test]
fn the_end_of_an_unrelated_inner_scope_leaves_the_outer_one_alone() {
    let (outer, _outer_canceller) = Context::background().with_cancel();
    let (inner, canceller) = Context::background().with_cancel();
    let mut task = HandTask::new(outer.run(async move {
        let cancelled = inner.run(pending::<()>()).await.unwrap_err();
        yields(2).await;
        cancelled.cause().to_string()
    }));
    task.assert_pending();
    canceller.cancel_with("inner");
    assert_eq!(task.run_woken().unwrap(), "inner");
}

// guarantee D1; the symptom: a result that was fine became a cancellation because an outer context
// was cancelled
#[test]
fn a_future_that_completes_under_a_cancelled_context_keeps_its_value() {
    let (outer, canceller) = Context::background().with_cancel();
    let inner = outer.without_cancel();
    let result = outer.run(async { inner.run(async { canceller.cancel() }).await });
    assert!(result.now_or_never().unwrap().unwrap().is_ok());
}

// guarantee D1, A11
#[test]
fn a_cancelled_scope_stays_cancelled_for_every_later_wait() {
    let (context, canceller) = Context::background().with_cancel();
    canceller.cancel();
    for _ in 0..3 {
        assert!(context.run(async {}).now_or_never().unwrap().is_err());
        assert!(
            context
                .sleep(Duration::MAX)
                .now_or_never()
                .unwrap()
                .is_err()
        );
        assert!(
            context
                .timeout(Duration::MAX, async {})
                .now_or_never()
                .unwrap()
                .is_err()
        );
        assert!(context.cancelled().now_or_never().is_some());
    }
}

// guarantee D1; scenario 16
#[test]
fn a_future_that_cancels_in_its_own_poll_leaves_without_a_wake_from_outside() {
    let (context, canceller) = Context::background().with_cancel();
    let mut task = HandTask::new(context.run(poll_fn(|_| {
        canceller.cancel_with("from inside");
        Poll::<()>::Pending
    })));
    assert_eq!(
        task.assert_ready().unwrap_err().cause().to_string(),
        "from inside"
    );
    assert_eq!(waiting(&context), 0);
}

// guarantee D1
#[test]
fn a_panic_inside_restores_the_current_context_and_leaves_no_promise() {
    panics::watch();
    let (context, canceller) = Context::background().with_cancel();
    let mut panicking = HandTask::new(context.run(async {
        yields(1).await;
        context
            .run(async { panic!("a scope panics on purpose") })
            .await
    }));
    panicking.assert_pending();
    assert!(catch_unwind(AssertUnwindSafe(|| panicking.poll())).is_err());
    assert_eq!(Context::current(), Context::background());
    drop(panicking);
    assert_eq!(waiting(&context), 0);
    // The next task on this thread registers for itself.
    let mut next = HandTask::new(context.run(pending::<()>()));
    next.assert_pending();
    canceller.cancel();
    assert_eq!(next.wakes(), 1);
    assert!(next.assert_ready().is_err());
}

// guarantee D1; scenario 17
#[test]
fn a_panic_caught_inside_of_a_scope_leaves_the_scope_as_it_was() {
    panics::watch();
    let (context, canceller) = Context::background().with_cancel();
    let mut task = HandTask::new(context.run(async {
        let inner = Context::background().with_cancel().0.without_cancel();
        let panicking = inner.run(async { panic!("a child panics on purpose") });
        assert!(AssertUnwindSafe(panicking).catch_unwind().await.is_err());
        assert_eq!(Context::current(), context);
        pending::<()>().await;
    }));
    task.assert_pending();
    canceller.cancel();
    assert_eq!(task.wakes(), 1);
    assert!(task.run_woken().is_err());
}

// guarantee D1; scenario 18
#[test]
fn a_scope_works_on_a_simple_executor() {
    let (context, canceller) = Context::background().with_cancel();
    let canceller = std::thread::spawn(move || canceller.cancel_with("from a thread"));
    let result = futures::executor::block_on(context.run(pending::<()>()));
    assert_eq!(result.unwrap_err().cause().to_string(), "from a thread");
    canceller.join().unwrap();
}

// guarantee D1; scenario 27
#[test]
fn outside_of_any_scope_a_synchronous_executor_may_run_within_a_poll() {
    let (context, canceller) = Context::background().with_name("job").with_cancel();
    let result = context.run(async {
        outside(|| {
            assert_eq!(Context::current(), Context::background());
            let other = Context::background().with_name("other");
            let current = other.run(async {
                yields(3).await;
                Context::current().path()
            });
            assert_eq!(futures::executor::block_on(current).unwrap(), "other");
        });
        Context::current()
    });
    assert_eq!(result.now_or_never().unwrap().unwrap(), context);
    canceller.cancel_with("job");
    assert_eq!(outside(|| cause_of(&context)), "job");
}

// guarantee D1
#[test]
fn the_task_around_a_block_on_outside_of_scopes_is_still_woken() {
    let (context, canceller) = Context::background().with_cancel();
    let mut task = HandTask::new(context.run(async {
        outside(|| futures::executor::block_on(context.run(yields(2))).unwrap());
        pending::<()>().await;
    }));
    task.assert_pending();
    assert_eq!(waiting(&context), 1);
    canceller.cancel();
    assert_eq!(task.wakes(), 1);
    assert!(task.run_woken().is_err());
}

// guarantee D1
#[test]
fn a_scope_of_a_context_that_never_ends_just_runs() {
    for context in [
        Context::background(),
        Context::todo(),
        Context::background().with_name("n"),
    ] {
        let mut task = HandTask::new(context.run(async {
            yields(1).await;
            Context::current()
        }));
        task.assert_pending();
        assert_eq!(task.run_woken().unwrap(), context);
    }
}

// guarantee D1
#[test]
fn of_two_scopes_of_one_context_the_inner_one_reports_first() {
    let (context, canceller) = Context::background().with_cancel();
    let mut task = HandTask::new(context.run(async {
        let inner = context.with_name("same end").run(pending::<()>()).await;
        assert_eq!(waiting(&context), 0);
        inner
    }));
    task.assert_pending();
    assert_eq!(waiting(&context), 1, "one registration for both");
    canceller.cancel();
    assert!(task.run_woken().unwrap().is_err());
}

// guarantee B2
#[test]
fn a_timeout_and_a_sleep_end_with_their_context() {
    let (context, canceller) = Context::background().with_cancel();
    let long = Duration::from_secs(3600);
    let mut limited = HandTask::new(context.timeout(long, pending::<()>()));
    let call = line!() + 1;
    let mut asleep = HandTask::new(context.sleep(long));
    limited.assert_pending();
    asleep.assert_pending();
    canceller.cancel_with("both");
    assert_eq!(limited.run_woken().unwrap_err().cause().to_string(), "both");
    let woken = asleep.run_woken().unwrap_err().to_string();
    let named = format!("context canceled (both): left {}:{call}:", file!());
    assert!(woken.starts_with(&named), "{woken}");
    let root = Context::background();
    assert_eq!(
        root.timeout(long, async { 7 })
            .now_or_never()
            .unwrap()
            .unwrap(),
        7
    );
    let ended = root
        .timeout(Duration::ZERO, async {})
        .now_or_never()
        .unwrap();
    assert!(ended.unwrap_err().is_timeout());
    assert!(root.sleep(Duration::ZERO).now_or_never().unwrap().is_ok());
}
