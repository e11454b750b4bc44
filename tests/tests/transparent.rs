//! With a context that is not cancelled, an annotated function does what it did.

#![expect(clippy::unused_async, reason = "what is awaited need not await")]

use std::cell::RefCell;
use std::fmt::Debug;
use std::future::ready;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use cancel_context::{Cancelled, Context, cancellable};
use tests::{Polled, Trace, complete, panic_text};

type Done = Result<(), Cancelled>;

/// Defines a function several times from the same tokens, runs them, and compares what they traced.
macro_rules! assert_same_trace {
    ($expected:literal, |$trace:ident| $($body:tt)*) => {{
        async fn plain($trace: &Trace) -> Done {
            $($body)*
            #[allow(unreachable_code)]
            Ok(())
        }
        #[cancellable]
        async fn annotated($trace: &Trace) -> Done {
            $($body)*
            #[allow(unreachable_code)]
            Ok(())
        }
        #[cancellable(implicit)]
        async fn implicit($trace: &Trace) -> Done {
            $($body)*
            #[allow(unreachable_code)]
            Ok(())
        }
        // Its awaits have no value to leave with.
        #[cancellable(implicit)]
        async fn nested($trace: &Trace) -> Done {
            async {
                $($body)*
                #[allow(unreachable_code)]
                Ok(())
            }
            .await
        }
        let trace = Trace::default();
        complete(plain(&trace)).expect("is live");
        let expected = trace.take();
        assert_eq!(expected, $expected);
        complete(annotated(Context::background(), &trace)).expect("is live");
        assert_eq!(trace.take(), expected);
        let (ctx, _canceller) = Context::background().with_cancel();
        complete(ctx.run(implicit(&trace))).expect("is live").expect("is live");
        assert_eq!(trace.take(), expected, "implicit");
        complete(implicit(&trace)).expect("is live");
        assert_eq!(trace.take(), expected, "implicit, in no scope");
        complete(ctx.run(nested(&trace))).expect("is live").expect("is live");
        assert_eq!(trace.take(), expected, "nested");
    }};
}

/// Notes `name` when it is polled, and its drop.
async fn noted(trace: &Trace, name: &'static str) -> tests::Dropped {
    trace.note(name);
    trace.drops(name)
}

// guarantee A7
#[test]
fn locals_are_dropped_in_the_same_order() {
    assert_same_trace!("a b c d -d -b -a", |trace|
        let _a = noted(trace, "a").await;
        let _b = noted(trace, "b").await;
        let c = noted(trace, "c").await;
        std::mem::forget(c);
        let _d = noted(trace, "d").await;
    );
}

// guarantee A7
#[test]
fn temporaries_of_a_statement_live_as_long() {
    assert_same_trace!("a b used -b -a after", |trace|
        drop_last(&noted(trace, "a").await, &noted(trace, "b").await, trace).await;
        trace.note("after");
    );
    assert_same_trace!("held -held ready after", |trace|
        ready(&trace.note_value("held", trace.drops("held"))).await;
        trace.note("ready");
        trace.note("after");
    );
}

async fn drop_last(_: &tests::Dropped, _: &tests::Dropped, trace: &Trace) {
    trace.note("used");
}

// guarantee A7
#[test]
fn temporaries_of_scrutinees_and_conditions_live_as_long() {
    assert_same_trace!("a body -a after", |trace|
        match held(&noted(trace, "a").await).await {
            Some(()) => trace.note("body"),
            None => trace.note("never"),
        }
        trace.note("after");
    );
    assert_same_trace!("a -a body after", |trace|
        if holds(&noted(trace, "a").await).await {
            trace.note("body");
        }
        trace.note("after");
    );
    assert_same_trace!("a body -a after", |trace|
        if let Some(()) = held(&noted(trace, "a").await).await {
            trace.note("body");
        }
        trace.note("after");
    );
    assert_same_trace!("a -a body a -a body after", |trace|
        let mut rounds = 0;
        while holds(&noted(trace, "a").await).await {
            trace.note("body");
            rounds += 1;
            if rounds == 2 {
                break;
            }
        }
        trace.note("after");
    );
}

async fn hold(_: &tests::Dropped) {}

async fn held(_: &tests::Dropped) -> Option<()> {
    Some(())
}

async fn holds(_: &tests::Dropped) -> bool {
    true
}

// guarantee A7
#[test]
fn an_extended_temporary_stays_extended() {
    assert_same_trace!("a after -a", |trace|
        let _a = &noted(trace, "a").await;
        trace.note("after");
    );
}

// guarantee A7
#[test]
fn operands_are_evaluated_in_the_same_order() {
    assert_same_trace!("l r", |trace|
        let _sum = trace.note_value("l", ready(1)).await + trace.note_value("r", ready(2)).await;
    );
    assert_same_trace!("receiver argument", |trace|
        let text = trace.note_value("receiver", ready(String::from("a"))).await
            .replace('a', trace.note_value("argument", ready("b")).await);
        assert_eq!(text, "b");
    );
    assert_same_trace!("value index", |trace|
        let mut values = [0, 0];
        values[trace.note_value("index", ready(1)).await] =
            trace.note_value("value", ready(7)).await;
        assert_eq!(values, [0, 7]);
    );
}

// guarantee A7
#[test]
fn return_break_continue_and_the_question_mark_mean_the_same() {
    assert_same_trace!("0 2 out", |trace|
        let found = 'outer: loop {
            for round in 0..4 {
                if ready(round == 1).await {
                    continue;
                }
                if ready(round == 3).await {
                    break 'outer ready("out").await;
                }
                trace.note(round.to_string());
            }
        };
        trace.note(found);
        let early: Result<(), Cancelled> = ready(Ok(())).await;
        early?;
        return ready(Ok(())).await;
    );
}

// guarantee A7
#[test]
fn a_future_that_is_dropped_while_it_waits_drops_the_same() {
    async fn plain(trace: &Trace) {
        let _a = noted(trace, "a").await;
        hold(&noted(trace, "b").await).await;
        tests::pending(trace, "c").await;
    }
    #[cancellable]
    async fn annotated(trace: &Trace) -> Done {
        let _a = noted(trace, "a").await;
        hold(&noted(trace, "b").await).await;
        tests::pending(trace, "c").await;
        Ok(())
    }
    let trace = Trace::default();
    let mut call = Polled::new(plain(&trace));
    call.waits();
    drop(call);
    let expected = trace.take();
    let mut call = Polled::new(annotated(Context::background(), &trace));
    call.waits();
    drop(call);
    assert_eq!(trace.take(), expected);
    assert_eq!(expected, "a b -b c -c -a");
}

// guarantee A7; scenario 17
#[test]
fn panics_pass_through_with_their_text() {
    #[cancellable]
    async fn fails(trace: &Trace) -> Done {
        let _a = trace.drops("a");
        async { panic!("inside {}", 1) }.await;
        Ok(())
    }
    let trace = Trace::default();
    let (ctx, _canceller) = Context::background().with_cancel();
    let text = panic_text(|| complete(fails(&ctx, &trace)));
    assert_eq!(text, "inside 1");
    assert_eq!(trace.take(), "-a");
    // The thread is as before: the next call works, in a scope and without.
    assert_eq!(Context::current(), Context::background());
    let text = panic_text(|| complete(ctx.run(fails(&ctx, &trace))));
    assert_eq!(text, "inside 1");
    assert_eq!(Context::current(), Context::background());
}

fn assert_send<T: Send>(value: T) -> T {
    value
}

fn assert_static<T: 'static>(value: T) -> T {
    value
}

// guarantee A7; scenario 25
#[test]
fn a_future_is_send_when_it_was() {
    struct Queue<T>(Mutex<Vec<T>>);
    impl<T: Debug + Send> Queue<T> {
        #[cancellable]
        async fn put(&self, value: &mut Option<T>, _trace: &Trace) -> Result<usize, Cancelled> {
            let value = ready(value.take()).await;
            {
                let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                values.extend(value);
            }
            ready(&self.0).await;
            match ready(self).await.0.lock() {
                Ok(values) => Ok(values.len()),
                Err(_) => Ok(0),
            }
        }
    }
    let queue = Queue(Mutex::default());
    let (mut value, trace) = (Some(1), Trace::default());
    let call = assert_send(queue.put(Context::background(), &mut value, &trace));
    assert_eq!(complete(call).unwrap(), 1);
}

// guarantee A7; scenario 25
#[test]
fn a_value_that_is_not_send_may_live_between_awaits() {
    #[cancellable]
    async fn counts() -> Result<usize, Cancelled> {
        let first = ready(1).await;
        let count = {
            let shared = Rc::new(RefCell::new(first));
            *shared.borrow_mut() += 1;
            *shared.borrow()
        };
        ready(()).await;
        Ok(count)
    }
    let call = assert_send(assert_static(counts(Context::background())));
    assert_eq!(complete(call).unwrap(), 2);
}

// guarantee A7
#[tokio::test]
async fn an_owned_context_can_be_spawned_with() {
    #[cancellable]
    async fn job(shared: Arc<str>) -> Result<usize, Cancelled> {
        tokio::task::yield_now().await;
        Ok(shared.len())
    }
    let ctx = Context::background().with_name("job");
    let task = tokio::spawn(job(ctx.clone(), Arc::from("four")));
    assert_eq!(task.await.unwrap().unwrap(), 4);
}
