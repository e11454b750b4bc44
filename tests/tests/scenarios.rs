//! Situations that a plausible design fails: other executors and wakers, moved and forgotten
//! futures, streams, spawned blocks, races.

use std::future::{pending, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Waker};
use std::time::Duration;

use cancel_context::private::{children, waiting};
use cancel_context::{Cancelled, Context, cancellable, outside};
use futures::stream::{self, FuturesUnordered};
use futures::{FutureExt, StreamExt};
use tests::{Polled, Trace, WakeCounter, complete};

#[cancellable]
async fn wait() -> Result<(), Cancelled> {
    pending::<()>().await;
    Ok(())
}

// guarantee A3; scenario 9
#[test]
fn fifty_members_of_an_unordered_set_all_end() {
    #[cancellable]
    async fn collects() -> Result<usize, Cancelled> {
        let members: FuturesUnordered<_> = (0..50).map(|_| wait(ctx)).collect();
        let ends: Vec<_> = members.collect().await;
        Ok(ends.iter().filter(|end| end.is_err()).count())
    }
    #[cancellable]
    async fn buffers() -> Result<usize, Cancelled> {
        let members = stream::iter((0..50).map(|_| wait(ctx)));
        let ends: Vec<_> = members.buffer_unordered(50).collect().await;
        Ok(ends.iter().filter(|end| end.is_err()).count())
    }
    let (ctx, canceller) = Context::background().with_cancel();
    let mut collects = Polled::new(collects(&ctx));
    let mut buffers = Polled::new(buffers(&ctx));
    collects.waits();
    buffers.waits();
    canceller.cancel();
    // The awaits around the sets leave too, unless the members' results are delivered first.
    for end in [collects.completes(), buffers.completes()] {
        assert!(end.is_err() || end.is_ok_and(|ended| ended == 50));
    }
    assert_eq!(waiting(&ctx), 0);
}

// guarantee A3; scenario 10
#[test]
fn a_future_that_moved_to_another_task_is_woken_there() {
    let (ctx, canceller) = Context::background().with_cancel();
    let mut call = wait(ctx.clone()).boxed();
    let (first, second) = (Arc::<WakeCounter>::default(), Arc::<WakeCounter>::default());
    for counter in [&first, &second] {
        let waker = Waker::from(Arc::clone(counter));
        assert!(
            call.as_mut()
                .poll(&mut Task::from_waker(&waker))
                .is_pending()
        );
    }
    assert_eq!(waiting(&ctx), 1);
    canceller.cancel();
    assert_eq!((first.count(), second.count()), (0, 1));
    assert!(matches!(call.now_or_never(), Some(Err(_))));
}

// guarantee A4; scenario 19
#[test]
fn another_waker_at_each_poll_is_kept_in_nested_calls() {
    #[cancellable]
    async fn nested() -> Result<(), Cancelled> {
        let ctx = ctx.with_name("narrowed");
        wait(&ctx).await
    }
    let (ctx, canceller) = Context::background().with_cancel();
    let mut call = Polled::new(nested(&ctx));
    let counters: Vec<_> = (0..10).map(|_| Arc::<WakeCounter>::default()).collect();
    for counter in &counters {
        assert!(
            call.poll_with(&Waker::from(Arc::clone(counter)))
                .is_pending()
        );
    }
    canceller.cancel();
    let (last, before) = counters.split_last().unwrap();
    assert!(last.count() >= 1, "the last waker is woken");
    assert!(before.iter().all(|counter| counter.count() == 0));
    call.completes().unwrap_err();
}

// guarantee A1; scenario 12
#[tokio::test(start_paused = true)]
async fn a_derived_timeout_ends_only_its_call_and_the_parent_ends_it_too() {
    #[cancellable]
    async fn limits(trace: &Trace) -> Result<(), Cancelled> {
        let limited = ctx.with_timeout(Duration::from_secs(1));
        let end = wait(&limited).await.unwrap_err();
        trace.note(if end.is_timeout() {
            "timeout"
        } else {
            "cancel"
        });
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        trace.note("goes on");
        wait(&ctx.with_timeout(Duration::from_secs(60))).await
    }
    let trace = Trace::default();
    let (ctx, canceller) = Context::background().with_cancel();
    let call = ctx.run(limits(&ctx, &trace));
    let (end, ()) = tokio::join!(call, async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(waiting(&ctx), 1, "of the scope");
        assert_eq!(children(&ctx), 1, "the limit that is waited for");
        canceller.cancel();
    });
    assert!(!end.unwrap().unwrap_err().is_timeout());
    assert_eq!(trace.take(), "timeout goes on");
    assert_eq!((waiting(&ctx), children(&ctx)), (0, 0));
}

macro_rules! levels {
    ($($name:ident calls $callee:ident;)*) => {$(
        #[cancellable]
        async fn $name() -> Result<(), Cancelled> {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            $callee(ctx).await
        }
    )*};
}
levels! {
    one calls wait; two calls one; three calls two; four calls three; five calls four;
    six calls five; seven calls six; eight calls seven; nine calls eight; ten calls nine;
}

// guarantee B8; scenario 13
#[test]
fn ten_nested_functions_have_one_registration_and_leave_none() {
    let (ctx, canceller) = Context::background().with_cancel();
    let mut call = Polled::new(ten(&ctx));
    for _ in 0..50 {
        assert!(call.poll().is_pending());
        assert_eq!(waiting(&ctx), 1);
    }
    call.waits();
    let wakes = call.wakes();
    assert_eq!(waiting(&ctx), 1);
    canceller.cancel();
    assert_eq!(call.wakes(), wakes + 1);
    call.completes().unwrap_err();
    assert_eq!(waiting(&ctx), 0);
    drop(call);
    drop(canceller);
    assert_eq!(ctx.handle_count(), 1);
}

// guarantee A3; scenario 18
#[test]
fn cancel_works_on_an_executor_of_another_crate() {
    let (ctx, canceller) = Context::background().with_cancel();
    let barrier = std::sync::Barrier::new(2);
    std::thread::scope(|threads| {
        let task = threads.spawn(|| {
            futures::executor::block_on(async {
                let mut call = Box::pin(wait(&ctx));
                assert!(futures::poll!(call.as_mut()).is_pending());
                barrier.wait();
                call.await
            })
        });
        barrier.wait();
        canceller.cancel();
        task.join().unwrap().unwrap_err();
    });
}

// guarantee B8; scenario 20
#[test]
fn a_forgotten_call_is_at_most_a_leak() {
    let (ctx, canceller) = Context::background().with_cancel();
    let mut call = Box::pin(wait(ctx.clone()));
    let counter = Arc::<WakeCounter>::default();
    let waker = Waker::from(Arc::clone(&counter));
    assert!(
        call.as_mut()
            .poll(&mut Task::from_waker(&waker))
            .is_pending()
    );
    std::mem::forget(call);
    canceller.cancel();
    assert!(ctx.is_cancelled());
    assert_eq!(counter.count(), 1);
    complete(wait(&ctx)).unwrap_err();
}

// guarantee A3; scenario 22
#[tokio::test]
async fn a_nested_block_that_is_spawned_runs_on() {
    #[cancellable]
    async fn spawns() -> Result<(), Cancelled> {
        #[cancellable(allow(detached))]
        let task = tokio::spawn(async {
            tokio::task::yield_now().await;
            assert_eq!(Context::current().path(), "", "is in no scope");
        });
        task.await.expect("is not stopped");
        Ok(())
    }
    let (ctx, canceller) = Context::background().with_cancel();
    let mut call = Box::pin(spawns(&ctx));
    assert!(futures::poll!(call.as_mut()).is_pending());
    canceller.cancel();
    let alive = tokio::runtime::Handle::current().metrics();
    assert_eq!(alive.num_alive_tasks(), 1);
    call.await.unwrap_err();
    assert_eq!(alive.num_alive_tasks(), 1, "the task is still there");
}

// guarantee A4; scenario 23
#[tokio::test]
async fn an_exhausted_budget_does_not_hide_the_cancel() {
    #[cancellable]
    async fn drains(
        receiver: &mut tokio::sync::mpsc::UnboundedReceiver<u8>,
    ) -> Result<(), Cancelled> {
        loop {
            receiver.recv().await;
        }
    }
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..1_000 {
        sender.send(0).unwrap();
    }
    for unconstrained in [false, true] {
        let (ctx, canceller) = Context::background().with_cancel();
        let sender = sender.clone();
        let feeding = async move {
            (0..1_000).for_each(|_| sender.send(0).unwrap());
            canceller.cancel();
        };
        let call = async {
            if unconstrained {
                tokio::task::unconstrained(drains(&ctx, &mut receiver)).await
            } else {
                drains(&ctx, &mut receiver).await
            }
        };
        let (end, ()) = tokio::join!(call, feeding);
        end.unwrap_err();
    }
}

// guarantee A3; scenario 24
#[test]
fn a_loop_over_a_stream_ends_at_the_next_item_or_wait() {
    #[cancellable]
    async fn sums(
        mut numbers: Pin<Box<dyn futures::Stream<Item = u32> + '_>>,
        sum: &mut u32,
    ) -> Result<(), Cancelled> {
        while let Some(number) = numbers.next().await {
            *sum += number;
        }
        Ok(())
    }
    let (ctx, canceller) = Context::background().with_cancel();
    let cancels_at_three = stream::unfold(0, |number| {
        if number == 3 {
            canceller.cancel();
        }
        ready(Some((number, number + 1)))
    });
    let mut sum = 0;
    complete(sums(&ctx, Box::pin(cancels_at_three), &mut sum)).unwrap_err();
    assert_eq!(sum, 6, "the item that came with the cancel is delivered");

    let (ctx, canceller) = Context::background().with_cancel();
    let ends_up_pending = stream::iter([1, 2]).chain(stream::pending());
    let mut sum = 0;
    let mut call = Polled::new(sums(&ctx, Box::pin(ends_up_pending), &mut sum));
    call.waits();
    canceller.cancel();
    call.completes().unwrap_err();
    drop(call);
    assert_eq!(sum, 3);
}

// guarantee A9; scenario 27
#[tokio::test]
async fn a_block_on_outside_of_the_scope_works() {
    #[cancellable]
    async fn blocks() -> Result<Context, Cancelled> {
        tokio::task::yield_now().await;
        Ok(outside(|| {
            futures::executor::block_on(async { Context::current() })
        }))
    }
    let ctx = Context::background().with_name("scope");
    let current = ctx.run(blocks(&ctx)).await.unwrap().unwrap();
    assert_eq!(current, Context::background());
}

// guarantee B4; scenario 30
#[test]
fn three_thousand_races_of_cancel_and_poll_lose_no_wake() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let races = async {
        for round in 0..3_000_u32 {
            let (ctx, canceller) = Context::background().with_cancel();
            let task = tokio::spawn(three(ctx));
            let cancel = tokio::spawn(async move {
                for _ in 0..round % 4 {
                    std::hint::spin_loop();
                }
                canceller.cancel();
            });
            cancel.await.unwrap();
            assert!(task.await.unwrap().is_err());
        }
    };
    runtime
        .block_on(async { tokio::time::timeout(Duration::from_secs(60), races).await })
        .expect("a wake was lost");
}
