//! Implicit functions in situations that a plausible design fails. The numbers are those of the
//! scenarios that are also tested with explicit functions.

use std::future::{Future, pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, Waker};
use std::time::Duration;

use cancel_context::private::{children, waiting};
use cancel_context::{Cancelled, Canceller, Context, cancellable, outside};
use futures::stream::{self, FuturesUnordered};
use futures::{FutureExt, StreamExt};
use tests::{Polled, Trace, WakeCounter, complete};

#[cancellable(implicit)]
async fn wait() -> Result<(), Cancelled> {
    pending::<()>().await;
    Ok(())
}

#[cancellable(implicit)]
async fn wait_for_ever() -> usize {
    pending::<()>().await;
    1
}

// guarantee A4; scenario 1
#[test]
fn the_error_travels_up_and_each_caller_sees_it_once() {
    #[cancellable(implicit)]
    async fn middle(trace: &Trace) -> Result<(), Cancelled> {
        wait().await.inspect_err(|_| trace.note("middle"))
    }
    #[cancellable(implicit)]
    async fn outer(trace: &Trace) -> Result<(), Cancelled> {
        middle(trace).await.inspect_err(|_| trace.note("outer"))
    }
    let trace = Trace::default();
    let (ctx, canceller) = Context::background().with_cancel();
    let mut scope = Polled::new(ctx.run(outer(&trace)));
    scope.waits();
    canceller.cancel();
    scope.completes().unwrap().unwrap_err();
    assert_eq!(trace.take(), "middle outer");
}

/// Ready in its second poll, before which it cancels.
struct CancelsThenReady(Canceller, bool);

impl Future for CancelsThenReady {
    type Output = u8;

    fn poll(mut self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<u8> {
        if std::mem::replace(&mut self.1, true) {
            self.0.cancel();
            return Poll::Ready(7);
        }
        Poll::Pending
    }
}

// guarantee A4; scenario 2
#[test]
fn a_value_that_is_ready_in_the_poll_of_the_cancel_is_delivered() {
    #[cancellable(implicit)]
    async fn takes(future: CancelsThenReady) -> usize {
        usize::from(future.await)
    }
    let (ctx, canceller) = Context::background().with_cancel();
    let mut scope = Polled::new(ctx.run(takes(CancelsThenReady(canceller, false))));
    scope.waits();
    assert_eq!(scope.completes().unwrap(), 7);
}

// guarantee A4; scenario 3
#[test]
fn a_loop_over_a_ready_future_ends() {
    #[cancellable(implicit)]
    async fn spins(canceller: Canceller) {
        for turn in 0_u32.. {
            if turn == 1_000 {
                canceller.cancel();
            }
            ready(()).await;
            assert!(turn <= 1_000);
        }
    }
    let (ctx, canceller) = Context::background().with_cancel();
    complete(ctx.run(spins(canceller))).unwrap_err();
}

// guarantee A10; scenario 7
#[test]
fn a_shield_beside_a_member_that_is_unwound_completes_first() {
    #[cancellable(implicit)]
    async fn shielded(trace: &Trace) {
        let _shielded = trace.drops("shielded");
        #[shield]
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        trace.note("shield is done");
        ready(()).await;
        trace.note("not reached");
    }
    #[cancellable(implicit)]
    async fn both(trace: &Trace) -> usize {
        let _both = trace.drops("both");
        let ((), counted) = tokio::join!(shielded(trace), wait_for_ever());
        trace.note("not reached");
        counted
    }
    let trace = Trace::default();
    let (ctx, canceller) = Context::background().with_cancel();
    let mut scope = Polled::new(ctx.run(both(&trace)));
    assert!(scope.poll().is_pending());
    canceller.cancel();
    scope.completes().unwrap_err();
    assert_eq!(trace.take(), "shield is done -shielded -both");
}

// guarantee A3; scenario 8
#[test]
fn select_is_as_it_was_and_a_losing_arm_leaves_nothing() {
    #[cancellable(implicit)]
    async fn picks(values: Vec<Option<u8>>, enabled: bool) -> usize {
        let mut sum = 0;
        for value in values {
            sum += tokio::select! {
                biased;
                Some(value) = ready(value) => usize::from(value),
                count = wait_for_ever(), if enabled => count,
                else => 100,
            };
        }
        sum
    }
    let (ctx, canceller) = Context::background().with_cancel();
    let mut scope = Polled::new(ctx.run(picks(vec![Some(1), None, Some(2)], false)));
    assert_eq!(scope.completes().unwrap(), 103);
    let mut stuck = Polled::new(ctx.run(picks(vec![Some(1), None], true)));
    stuck.waits();
    assert_eq!(waiting(&ctx), 1, "of the scope");
    canceller.cancel();
    stuck.completes().unwrap_err();
    assert_eq!(waiting(&ctx), 0);
}

// guarantee A3; scenario 8
#[test]
fn a_select_without_an_enabled_arm_panics_as_it_did() {
    #[cancellable(implicit)]
    async fn none_is_enabled(enabled: bool) -> u8 {
        tokio::select! {
            value = ready(1), if enabled => value,
        }
    }
    let panic = catch_unwind(|| complete(none_is_enabled(false))).unwrap_err();
    let text = panic.downcast_ref::<&str>().unwrap();
    assert!(text.contains("all branches are disabled"), "{text}");
}

// guarantee A3; scenario 9
#[test]
fn fifty_members_of_a_set_all_end() {
    #[cancellable(implicit)]
    async fn unordered<T>(members: Vec<impl Future<Output = T>>) -> usize {
        members
            .into_iter()
            .collect::<FuturesUnordered<_>>()
            .count()
            .await
    }
    #[cancellable(implicit)]
    async fn buffered<T>(members: Vec<impl Future<Output = T>>) -> usize {
        stream::iter(members).buffer_unordered(50).count().await
    }
    let fifty = || 0..50;
    let (ctx, canceller) = Context::background().with_cancel();
    let mut returning = Polled::new(ctx.run(unordered(fifty().map(|_| wait()).collect())));
    let mut unwound = Polled::new(ctx.run(unordered(fifty().map(|_| wait_for_ever()).collect())));
    let mut buffer = Polled::new(ctx.run(buffered(fifty().map(|_| wait()).collect())));
    let mut unwound_buffer =
        Polled::new(ctx.run(buffered(fifty().map(|_| wait_for_ever()).collect())));
    let scopes = [
        &mut returning,
        &mut unwound,
        &mut buffer,
        &mut unwound_buffer,
    ];
    for scope in scopes {
        scope.waits();
    }
    canceller.cancel();
    for (name, end) in [
        ("returning", returning.completes().ok()),
        ("buffer", buffer.completes().ok()),
    ] {
        // The values of the members are delivered, unless the await around them leaves first.
        assert!(end.is_none_or(|ended| ended == 50), "{name}");
    }
    unwound.completes().unwrap_err();
    unwound_buffer.completes().unwrap_err();
    assert_eq!(waiting(&ctx), 0);
}

// guarantee A2; scenario 10
#[test]
fn a_future_that_moved_to_another_task_ends_there() {
    for call in [
        wait_for_ever().map(|_| ()).boxed(),
        wait().map(|_| ()).boxed(),
    ] {
        let (ctx, canceller) = Context::background().with_cancel();
        let mut call = ctx.run(call).boxed();
        let (first, second) = (Arc::<WakeCounter>::default(), Arc::<WakeCounter>::default());
        for counter in [&first, &second] {
            let waker = Waker::from(Arc::clone(counter));
            let polled = call.as_mut().poll(&mut Task::from_waker(&waker));
            assert!(polled.is_pending());
        }
        canceller.cancel();
        assert_eq!((first.count(), second.count()), (0, 1));
        assert!(call.now_or_never().is_some());
    }
}

// guarantee A2; scenario 11
#[test]
fn a_future_behaves_by_the_scope_it_is_polled_in() {
    let (first, first_canceller) = Context::background().with_cancel();
    let (second, second_canceller) = Context::background().with_cancel();
    let mut call = Box::pin(wait_for_ever());
    Polled::new(first.run(call.as_mut())).waits();
    // In plain code, and then in another scope, the first one's end means nothing.
    first_canceller.cancel();
    Polled::new(call.as_mut()).waits();
    let mut scope = Polled::new(second.run(call.as_mut()));
    scope.waits();
    second_canceller.cancel();
    scope.completes().unwrap_err();
}

// guarantee A2; scenario 12
#[tokio::test(start_paused = true)]
async fn a_derived_timeout_ends_only_its_call_and_the_parent_ends_it_too() {
    #[cancellable(implicit)]
    async fn limits(trace: &Trace) -> usize {
        let limit = Duration::from_secs(1);
        let ended = Context::current().timeout(limit, wait_for_ever()).await;
        trace.note(if ended.unwrap_err().is_timeout() {
            "timeout"
        } else {
            "cancel"
        });
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        trace.note("goes on");
        let longer = Context::current().with_timeout(Duration::from_secs(60));
        longer.run(wait_for_ever()).await.unwrap_or_default()
    }
    let trace = Trace::default();
    let (ctx, canceller) = Context::background().with_cancel();
    let (end, ()) = tokio::join!(ctx.run(limits(&trace)), async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!((waiting(&ctx), children(&ctx)), (1, 1));
        canceller.cancel();
    });
    // The inner scope reports first, as a value that the function then returns.
    assert!(end.is_ok_and(|sum| sum == 0));
    assert_eq!(trace.take(), "timeout goes on");
    assert_eq!((waiting(&ctx), children(&ctx)), (0, 0));
}

macro_rules! levels {
    ($($name:ident calls $callee:ident;)*) => {$(
        #[cancellable(implicit)]
        async fn $name() -> usize {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            $callee().await
        }
    )*};
}
levels! {
    one calls wait_for_ever; two calls one; three calls two; four calls three; five calls four;
    six calls five; seven calls six; eight calls seven; nine calls eight; ten calls nine;
}

// guarantee B8; scenario 13
#[test]
fn ten_nested_functions_and_a_thousand_awaits_make_one_registration() {
    let (ctx, canceller) = Context::background().with_cancel();
    let mut scope = Polled::new(ctx.run(ten()));
    for _ in 0..500 {
        assert!(scope.poll().is_pending());
        assert_eq!(waiting(&ctx), 1);
    }
    scope.waits();
    canceller.cancel();
    scope.completes().unwrap_err();
    assert_eq!(waiting(&ctx), 0);
    drop((scope, canceller));
    assert_eq!(ctx.handle_count(), 1);
}

// guarantee A10; scenario 14
#[tokio::test(start_paused = true)]
async fn a_shield_with_five_sleeps_inside_completes_without_spinning() {
    #[cancellable]
    async fn explicit(naps: u64) -> Result<(), Cancelled> {
        for _ in 0..naps {
            ctx.sleep(Duration::from_secs(1)).await?;
        }
        Ok(())
    }
    #[cancellable(implicit)]
    async fn implicit(naps: u64) {
        for _ in 0..naps {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
    #[cancellable(implicit)]
    async fn shields() -> usize {
        #[shield]
        implicit(5).await;
        Context::current()
            .shield(|ctx| async move { explicit(&ctx, 5).await })
            .await
            .map_or(0, |()| 10)
    }
    let (ctx, canceller) = Context::background().with_cancel();
    let mut canceller = Some(canceller);
    let mut call = Box::pin(ctx.run(shields()));
    let mut polls = 0;
    let end = std::future::poll_fn(|task| {
        polls += 1;
        let polled = call.as_mut().poll(task);
        drop(canceller.take());
        polled
    })
    .await;
    assert_eq!(end.unwrap(), 10);
    assert!(polls < 40, "{polls} polls");
}

// guarantee D1; scenario 15
#[test]
fn the_inner_scope_of_a_child_reports_first_and_an_unrelated_one_is_dropped_whole() {
    #[cancellable(implicit)]
    async fn opens(inner: &Context, trace: &Trace) -> usize {
        let _opens = trace.drops("opens");
        match inner.run(wait_for_ever()).await {
            Ok(count) => count,
            Err(_) => trace.note_value("inner", 0),
        }
    }
    let trace = Trace::default();
    for (is_child, expected) in [(true, "inner -opens"), (false, "-opens")] {
        let (outer, canceller) = Context::background().with_cancel();
        let parent = if is_child {
            outer.clone()
        } else {
            Context::background()
        };
        let (inner, _kept) = parent.with_cancel();
        let mut scope = Polled::new(outer.run(opens(&inner, &trace)));
        scope.waits();
        canceller.cancel();
        assert_eq!(scope.completes().is_ok(), is_child);
        assert_eq!(trace.take(), expected);
    }
}

// guarantee A4; scenario 16
#[test]
fn a_future_that_cancels_in_its_own_poll_is_left_in_that_poll() {
    struct Cancels(Option<Canceller>);
    impl Future for Cancels {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<()> {
            drop(self.0.take());
            Poll::Pending
        }
    }
    #[cancellable(implicit)]
    async fn awaits(future: Cancels) -> usize {
        future.await;
        1
    }
    let (ctx, canceller) = Context::background().with_cancel();
    let mut scope = Polled::new(ctx.run(awaits(Cancels(Some(canceller)))));
    assert!(scope.poll().is_ready());
}

// guarantee A7; scenario 17
#[test]
fn a_panic_inside_leaves_the_thread_as_it_was() {
    #[cancellable(implicit)]
    async fn panics() -> usize {
        ready(()).await;
        panic!("on purpose")
    }
    let (ctx, canceller) = Context::background().with_cancel();
    let mut scope = Polled::new(ctx.run(panics()));
    catch_unwind(AssertUnwindSafe(|| scope.poll())).unwrap_err();
    assert_eq!(Context::current(), Context::background());
    canceller.cancel();
    // The next task on the thread is in no scope.
    Polled::new(wait_for_ever()).waits();
}

// guarantee A3; scenario 18
#[test]
fn cancel_works_on_executors_of_other_crates() {
    fn ends(
        block_on: impl FnOnce(
            Pin<Box<dyn Future<Output = Result<usize, Cancelled>> + Send>>,
        ) -> Result<usize, Cancelled>
        + Send,
    ) {
        let (ctx, canceller) = Context::background().with_cancel();
        let barrier = std::sync::Barrier::new(2);
        std::thread::scope(|threads| {
            let task = threads.spawn(|| {
                let mut call = Box::pin(ctx.run(wait_for_ever()));
                let waker = Waker::noop();
                assert!(
                    call.as_mut()
                        .poll(&mut Task::from_waker(waker))
                        .is_pending()
                );
                barrier.wait();
                block_on(call)
            });
            barrier.wait();
            canceller.cancel();
            task.join().unwrap().unwrap_err();
        });
    }
    ends(futures::executor::block_on);
    ends(smol::block_on);
    ends(|call| smol::block_on(smol::spawn(call)));
}

// guarantee A4; scenario 19
#[test]
fn another_waker_at_each_poll_is_kept() {
    let (ctx, canceller) = Context::background().with_cancel();
    let mut scope = Polled::new(ctx.run(three()));
    scope.waits();
    let counters: Vec<_> = (0..10).map(|_| Arc::<WakeCounter>::default()).collect();
    for counter in &counters {
        let waker = Waker::from(Arc::clone(counter));
        assert!(scope.poll_with(&waker).is_pending());
    }
    canceller.cancel();
    let (last, before) = counters.split_last().unwrap();
    assert_eq!(last.count(), 1, "the last waker is woken");
    assert!(before.iter().all(|counter| counter.count() == 0));
    scope.completes().unwrap_err();
}

// guarantee B8; scenario 20
#[test]
fn a_forgotten_call_is_at_most_a_leak() {
    let (ctx, canceller) = Context::background().with_cancel();
    let mut scope = Box::pin(ctx.run(async {
        let mut call = Box::pin(wait_for_ever());
        assert!(futures::poll!(call.as_mut()).is_pending());
        std::mem::forget(call);
        wait_for_ever().await
    }));
    let waker = Waker::noop();
    assert!(
        scope
            .as_mut()
            .poll(&mut Task::from_waker(waker))
            .is_pending()
    );
    canceller.cancel();
    assert!(scope.as_mut().poll(&mut Task::from_waker(waker)).is_ready());
}

// guarantee A2; scenario 21
#[tokio::test]
async fn in_a_plain_task_without_a_scope_nothing_is_unwound() {
    let (ctx, canceller) = Context::background().with_cancel();
    let (sender, receiver) = tokio::sync::oneshot::channel::<usize>();
    #[expect(clippy::items_after_statements, reason = "beside its only caller")]
    #[cancellable(implicit)]
    async fn receives(receiver: tokio::sync::oneshot::Receiver<usize>) -> usize {
        receiver.await.unwrap_or_default()
    }
    let task = ctx
        .run(async { Some(tokio::spawn(receives(receiver))) })
        .await
        .unwrap()
        .unwrap();
    canceller.cancel();
    tokio::task::yield_now().await;
    sender.send(7).unwrap();
    assert_eq!(task.await.unwrap(), 7);
}

// guarantee A4; scenario 23
#[tokio::test]
async fn an_exhausted_budget_does_not_hide_the_cancel_and_is_not_burnt() {
    #[cancellable(implicit)]
    async fn receives(receiver: &mut tokio::sync::mpsc::UnboundedReceiver<u8>) -> usize {
        let mut count = 0;
        while receiver.recv().await.is_some() {
            count += 1;
        }
        count
    }
    for is_unconstrained in [false, true] {
        let (ctx, canceller) = Context::background().with_cancel();
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        (0..10_000).for_each(|_| sender.send(0).unwrap());
        canceller.cancel_with("at once");
        let call = async {
            let call = receives(&mut receiver);
            if is_unconstrained {
                tokio::task::unconstrained(call).await
            } else {
                call.await
            }
        };
        ctx.run(call).await.unwrap_err();
        assert_eq!(receiver.len(), 10_000);
    }
}

// guarantee A3; scenario 24
#[test]
fn a_loop_over_a_stream_ends_at_the_next_item_or_wait() {
    #[cancellable(implicit)]
    async fn sums(numbers: impl stream::Stream<Item = usize>, canceller: Canceller) -> usize {
        let mut numbers = std::pin::pin!(numbers);
        let mut sum = 0;
        while let Some(number) = numbers.next().await {
            sum += number;
            if number == 5 {
                canceller.cancel();
            }
            assert!(number <= 5);
        }
        sum
    }
    let unfolded = stream::unfold(0, |n| ready(Some((n, n + 1))));
    let (ctx, canceller) = Context::background().with_cancel();
    complete(ctx.run(sums(unfolded, canceller))).unwrap_err();
    let generated = async_stream::stream! {
        for n in 0.. {
            tokio::task::yield_now().await;
            yield n;
        }
    };
    let (ctx, canceller) = Context::background().with_cancel();
    complete(ctx.run(sums(generated, canceller))).unwrap_err();
}

// guarantee D1; scenario 26
#[tokio::test]
async fn a_task_of_a_local_set_polled_within_a_scope_is_not_in_it() {
    let (ctx, canceller) = Context::background().with_cancel();
    let local = tokio::task::LocalSet::new();
    let (sender, receiver) = tokio::sync::oneshot::channel::<usize>();
    #[expect(clippy::items_after_statements, reason = "beside its only caller")]
    #[cancellable(implicit)]
    async fn receives(receiver: tokio::sync::oneshot::Receiver<usize>) -> usize {
        assert_eq!(Context::current(), Context::background());
        receiver.await.unwrap_or_default()
    }
    let task = local.spawn_local(receives(receiver));
    let mut scope = Box::pin(ctx.run(local.run_until(wait_for_ever())));
    assert!(futures::poll!(scope.as_mut()).is_pending());
    canceller.cancel();
    scope.await.unwrap_err();
    sender.send(7).unwrap();
    assert_eq!(local.run_until(task).await.unwrap(), 7);
}

// guarantee A9; scenario 27
#[test]
fn a_block_on_outside_of_the_scope_works() {
    #[cancellable(implicit)]
    async fn blocks(canceller: Canceller) -> usize {
        ready(()).await;
        canceller.cancel();
        outside(|| futures::executor::block_on(doubles(4)))
    }
    #[cancellable(implicit)]
    async fn doubles(n: usize) -> usize {
        tokio::task::yield_now().await;
        n * 2
    }
    let (ctx, canceller) = Context::background().with_cancel();
    assert_eq!(complete(ctx.run(blocks(canceller))).unwrap(), 8);
}

// guarantee A6
#[tokio::test]
async fn in_blocking_code_nobody_would_drop_it_so_nothing_is_unwound() {
    let (ctx, canceller) = Context::background().with_cancel();
    let work = ctx.spawn_blocking(move |ctx| {
        canceller.cancel();
        assert!(ctx.is_cancelled());
        futures::executor::block_on(async {
            // It has a value to leave with, and does; the other one has none, and goes on.
            assert!(wait().await.is_err());
            doubles_at_once(4).await
        })
    });
    assert_eq!(work.await.unwrap(), 8);
}

#[cancellable(implicit)]
async fn doubles_at_once(n: usize) -> usize {
    ready(n).await * 2
}

// guarantee A6; scenario 28
#[test]
fn the_other_owner_of_a_shared_future_gets_a_panic_and_does_not_hang() {
    let (ctx, canceller) = Context::background().with_cancel();
    let shared = wait_for_ever().boxed().shared();
    let mut scope = Polled::new(ctx.run(shared.clone()));
    let mut other = Polled::new(shared);
    scope.waits();
    other.waits();
    canceller.cancel();
    scope.completes().unwrap_err();
    assert!(other.wakes() > 0, "it is woken to find out");
    catch_unwind(AssertUnwindSafe(|| other.poll())).unwrap_err();
}

// guarantee A10; scenario 29
#[test]
fn shields_behind_wakers_of_their_own_all_complete() {
    #[cancellable(implicit)]
    async fn shields(trace: &Trace) {
        #[shield]
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        trace.note("done");
    }
    #[cancellable(implicit)]
    async fn unordered(trace: &Trace) -> usize {
        (0..20)
            .map(|_| shields(trace))
            .collect::<FuturesUnordered<_>>()
            .count()
            .await
    }
    #[cancellable(implicit)]
    async fn joined(trace: &Trace) -> usize {
        futures::future::join_all((0..40).map(|_| shields(trace)))
            .await
            .len()
    }
    let trace = Trace::default();
    for count in [20, 40] {
        let (ctx, canceller) = Context::background().with_cancel();
        let members = async {
            if count == 20 {
                unordered(&trace).await
            } else {
                joined(&trace).await
            }
        };
        let mut scope = Polled::new(ctx.run(members));
        assert!(scope.poll().is_pending());
        canceller.cancel();
        drop(scope.completes());
        assert_eq!(trace.take().split(' ').count(), count);
    }
}

// guarantee A3; scenario 30
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_thousand_races_of_cancel_and_poll_lose_no_wake() {
    #[cancellable(implicit)]
    async fn yields() -> usize {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        wait_for_ever().await
    }
    for _ in 0..3_000 {
        let (ctx, canceller) = Context::background().with_cancel();
        let task = ctx.spawn(yields());
        let cancel = tokio::spawn(async move { canceller.cancel() });
        cancel.await.unwrap();
        task.await.unwrap_err();
    }
}
