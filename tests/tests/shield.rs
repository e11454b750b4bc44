//! Shields: what is awaited in one runs to completion.

use std::future::ready;
use std::time::Duration;

use cancel_context::private::waiting;
use cancel_context::{Cancelled, Context, cancellable};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tests::{Polled, Trace, complete};
use tokio::sync::Notify;

/// Waits on `gate`, and notes that it went on.
#[cancellable]
async fn step(gate: &Notify, trace: &Trace, name: &'static str) -> Result<u8, Cancelled> {
    gate.notified().await;
    trace.note(name);
    Ok(7)
}

/// Cancels while the call waits, and shows that it waits on until the gate is opened.
#[track_caller]
fn outlives_the_cancel<'a, T, F>(gate: &Notify, call: impl FnOnce(Context) -> F) -> T
where
    F: Future<Output = T> + 'a,
{
    let (ctx, canceller) = Context::background().with_cancel();
    let mut call = Polled::new(call(ctx));
    call.waits();
    canceller.cancel();
    call.waits();
    call.waits();
    gate.notify_waiters();
    call.completes()
}

// guarantee A10
#[test]
fn a_shielded_statement_completes_and_the_next_await_leaves() {
    #[cancellable]
    async fn saves(gate: &Notify, trace: &Trace) -> Result<(), Cancelled> {
        #[shield]
        step(ctx, gate, trace, "saved").await?;
        trace.note("after");
        ready(()).await;
        trace.note("never");
        Ok(())
    }
    let (gate, trace) = (Notify::new(), Trace::default());
    let left = outlives_the_cancel(&gate, |ctx| saves(ctx, &gate, &trace));
    assert_eq!(left.unwrap_err().site().unwrap().expression(), "ready(())");
    assert_eq!(trace.take(), "saved after");
}

// guarantee A10
#[test]
fn a_shielded_let_and_a_shielded_block_give_their_values() {
    #[cancellable]
    async fn saves(gate: &Notify, trace: &Trace) -> Result<u8, Cancelled> {
        #[shield]
        let first = step(ctx, gate, trace, "first").await?;
        #[shield]
        let Some(second) = Some(ready(2).await) else {
            unreachable!()
        };
        #[shield]
        {
            ready(()).await;
            trace.note("block");
        }
        Ok(first + second)
    }
    let (gate, trace) = (Notify::new(), Trace::default());
    let sum = outlives_the_cancel(&gate, |ctx| saves(ctx, &gate, &trace));
    assert_eq!(sum.unwrap(), 9);
    assert_eq!(trace.take(), "first block");
}

// guarantee A10
#[test]
fn an_argument_alone_can_be_shielded() {
    #[cancellable]
    async fn saves(gate: &Notify, trace: &Trace) -> Result<(), Cancelled> {
        let check = (
            #[shield]
            step(ctx, gate, trace, "argument").await,
            ready(()).await,
        );
        check.0?;
        Ok(())
    }
    let (gate, trace) = (Notify::new(), Trace::default());
    let left = outlives_the_cancel(&gate, |ctx| saves(ctx, &gate, &trace));
    assert_eq!(left.unwrap_err().site().unwrap().expression(), "ready(())");
    assert_eq!(trace.take(), "argument");
}

// guarantee A10
#[test]
fn inside_of_a_shield_the_context_is_live_and_has_the_same_values() {
    #[cancellable]
    async fn looks() -> Result<(bool, bool, Option<u8>), Cancelled> {
        #[shield]
        let inside = {
            let current = async { Context::current().is_cancelled() }.await;
            (ctx.is_cancelled(), current, ctx.value().copied())
        };
        assert!(ctx.is_cancelled());
        Ok(inside)
    }
    let (ctx, canceller) = Context::background().with_value(7_u8).with_cancel();
    canceller.cancel();
    let mut call = Polled::new(looks(&ctx));
    assert_eq!(call.completes().unwrap(), (false, false, Some(7)));
}

// guarantee A10
#[test]
fn the_method_shields_a_closure_of_the_context() {
    #[cancellable]
    async fn saves(gate: &Notify, trace: &Trace) -> Result<u8, Cancelled> {
        let saved = ctx
            .shield(|ctx| async move { step(&ctx, gate, trace, "saved").await })
            .await?;
        Ok(saved)
    }
    let (gate, trace) = (Notify::new(), Trace::default());
    let saved = outlives_the_cancel(&gate, |ctx| saves(ctx, &gate, &trace));
    assert_eq!(saved.unwrap(), 7);
    assert_eq!(trace.take(), "saved");
    let (ctx, canceller) = Context::background().with_cancel();
    canceller.cancel();
    gate.notify_one();
    assert_eq!(
        complete(saves(&ctx, &gate, &trace)).unwrap(),
        7,
        "it is no check"
    );
}

// guarantee A10
#[test]
fn enclosing_awaits_and_scopes_wait_for_a_shield() {
    #[cancellable]
    async fn outer(gate: &Notify, trace: &Trace) -> Result<u8, Cancelled> {
        let result = middle(ctx, gate, trace).await;
        trace.note("outer");
        result
    }
    #[cancellable]
    async fn middle(gate: &Notify, trace: &Trace) -> Result<u8, Cancelled> {
        #[shield]
        let saved = step(ctx, gate, trace, "saved").await?;
        trace.note("middle");
        Ok(saved)
    }
    let (gate, trace) = (Notify::new(), Trace::default());
    let saved = outlives_the_cancel(&gate, |ctx| outer(ctx, &gate, &trace));
    assert_eq!(saved.unwrap(), 7);
    assert_eq!(trace.take(), "saved middle outer");
    let scoped = outlives_the_cancel(&gate, |ctx| {
        let (gate, trace) = (&gate, &trace);
        async move { ctx.run(outer(&ctx, gate, trace)).await }
    });
    assert_eq!(scoped.unwrap().unwrap(), 7);
    assert_eq!(trace.take(), "saved middle outer");
}

// guarantee A10; scenario 14
#[test]
fn a_shield_does_not_spin() {
    #[cancellable]
    async fn saves(gate: &Notify, trace: &Trace) -> Result<(), Cancelled> {
        for name in ["1", "2", "3", "4", "5"] {
            #[shield]
            step(ctx, gate, trace, name).await?;
        }
        Ok(())
    }
    let (gate, trace) = (Notify::new(), Trace::default());
    let (ctx, canceller) = Context::background().with_cancel();
    let mut call = Polled::new(saves(&ctx, &gate, &trace));
    call.waits();
    canceller.cancel();
    for _ in 0..4 {
        call.waits();
        gate.notify_waiters();
    }
    call.waits();
    gate.notify_waiters();
    call.completes().unwrap();
    assert_eq!(trace.take(), "1 2 3 4 5");
    assert!(call.polls() < 20, "{} polls", call.polls());
}

// guarantee A10
#[tokio::test(start_paused = true)]
async fn a_timeout_of_its_own_ends_a_shield() {
    #[cancellable]
    async fn saves(gate: &Notify, trace: &Trace) -> Result<u8, Cancelled> {
        #[shield(timeout = Duration::from_secs(3))]
        let saved = step(ctx, gate, trace, "never").await?;
        Ok(saved)
    }
    let (gate, trace) = (Notify::new(), Trace::default());
    let started = tokio::time::Instant::now();
    let (ctx, canceller) = Context::background().with_cancel();
    let call = saves(&ctx, &gate, &trace);
    tokio::pin!(call);
    assert!(futures::poll!(call.as_mut()).is_pending());
    canceller.cancel();
    let left = call.await.unwrap_err();
    assert!(left.is_timeout());
    assert_eq!(started.elapsed().as_secs(), 3);
    assert_eq!(trace.take(), "");
}

// guarantee A10
#[tokio::test(start_paused = true)]
async fn a_shield_without_an_annotated_callee_is_ended_by_its_timeout_too() {
    #[cancellable]
    async fn saves() -> Result<u8, Cancelled> {
        #[shield(timeout = Duration::from_secs(3))]
        std::future::pending::<()>().await;
        Ok(7)
    }
    let (ctx, canceller) = Context::background().with_cancel();
    canceller.cancel();
    let started = tokio::time::Instant::now();
    let call = tokio::time::timeout(Duration::from_secs(60), saves(&ctx));
    assert!(
        call.await
            .expect("ends by itself")
            .unwrap_err()
            .is_timeout()
    );
    assert_eq!(started.elapsed().as_secs(), 3);
}

// guarantee A10
#[test]
fn a_select_and_a_join_can_be_shielded() {
    #[cancellable]
    async fn saves(gate: &Notify, trace: &Trace) -> Result<u8, Cancelled> {
        #[shield]
        let first = tokio::select! {
            result = step(ctx, gate, trace, "selected") => result?,
            () = std::future::pending() => 0,
        };
        #[shield]
        let (second, third) = tokio::join!(ready(2), ready(3));
        Ok(first + second + third)
    }
    let (gate, trace) = (Notify::new(), Trace::default());
    let sum = outlives_the_cancel(&gate, |ctx| saves(ctx, &gate, &trace));
    assert_eq!(sum.unwrap(), 12);
    assert_eq!(trace.take(), "selected");
}

// guarantee A10; scenario 7
#[test]
fn a_shield_waits_for_itself_beside_a_member_that_leaves() {
    #[cancellable]
    async fn both(gate: &Notify, trace: &Trace) -> Result<u8, Cancelled> {
        let (saved, waited) = tokio::join!(shielded(ctx, gate, trace), waits(ctx, trace));
        assert!(waited.is_err());
        saved
    }
    #[cancellable]
    async fn shielded(gate: &Notify, trace: &Trace) -> Result<u8, Cancelled> {
        #[shield]
        let saved = step(ctx, gate, trace, "saved").await?;
        Ok(saved)
    }
    #[cancellable]
    async fn waits(trace: &Trace) -> Result<(), Cancelled> {
        tests::pending(trace, "waits").await;
        Ok(())
    }
    let (gate, trace) = (Notify::new(), Trace::default());
    let saved = outlives_the_cancel(&gate, |ctx| both(ctx, &gate, &trace));
    assert_eq!(saved.unwrap(), 7);
    assert_eq!(trace.take(), "waits waits -waits saved");
}

#[cancellable]
async fn member(index: usize, gates: &[Notify], trace: &Trace) -> Result<usize, Cancelled> {
    #[shield]
    step(ctx, &gates[index], trace, "member").await?;
    Ok(index)
}

/// Opens the gates one by one: only the member that is woken is polled.
fn opens_one_by_one(call: &mut Polled<'_, usize>, gates: &[Notify]) -> usize {
    for gate in gates {
        call.waits();
        gate.notify_waiters();
    }
    call.completes()
}

// guarantee A10; scenario 29
#[test]
fn twenty_shields_behind_wakers_of_their_own_all_complete() {
    #[cancellable]
    async fn all(gates: &[Notify], trace: &Trace) -> Result<usize, Cancelled> {
        let mut members: FuturesUnordered<_> = (0..gates.len())
            .map(|index| member(ctx, index, gates, trace))
            .collect();
        let mut sum = 0;
        while let Some(index) = ctx.shield(|_| members.next()).await {
            sum += index?;
        }
        Ok(sum)
    }
    #[cancellable]
    async fn unshielded(gates: &[Notify], trace: &Trace) -> Result<usize, Cancelled> {
        let members = (0..gates.len()).map(|index| member(ctx, index, gates, trace));
        let results = futures::future::join_all(members).await;
        results.into_iter().sum()
    }
    for (count, joined) in [(20, false), (40, true)] {
        let gates: Vec<_> = std::iter::repeat_with(Notify::new).take(count).collect();
        let trace = Trace::default();
        let (ctx, canceller) = Context::background().with_cancel();
        let call = async {
            let result = if joined {
                unshielded(&ctx, &gates, &trace).await
            } else {
                all(&ctx, &gates, &trace).await
            };
            result.expect("every member is shielded")
        };
        let mut call = Polled::new(call);
        call.waits();
        canceller.cancel();
        let sum = opens_one_by_one(&mut call, &gates);
        assert_eq!(sum, count * (count - 1) / 2);
        drop(call);
        assert_eq!(waiting(&ctx), 0);
    }
}

// guarantee A10
#[test]
fn a_shield_does_not_hold_against_a_dropped_caller() {
    #[cancellable]
    async fn saves(trace: &Trace) -> Result<(), Cancelled> {
        #[shield]
        tests::pending(trace, "shielded").await;
        Ok(())
    }
    let trace = Trace::default();
    let mut call = Polled::new(saves(Context::background(), &trace));
    call.waits();
    drop(call);
    assert_eq!(trace.take(), "shielded -shielded");
}
