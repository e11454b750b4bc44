//! Nested `async` blocks and async closures: their awaits find the context they are polled in.

use std::future::{Future, pending, ready};

use cancel_context::{Cancelled, Context, cancellable};
use futures::FutureExt;
use futures::future::BoxFuture;
use tests::{Polled, Trace, complete};

// guarantee A3
#[test]
fn a_nested_block_is_unwound_and_the_function_leaves() {
    #[cancellable]
    async fn joins(trace: &Trace) -> Result<usize, Cancelled> {
        let block = async {
            let _block = trace.drops("block");
            pending::<()>().await;
            trace.note("went on");
            1
        };
        let counted = block.await;
        trace.note("function went on");
        Ok(counted)
    }
    let trace = Trace::default();
    let (ctx, canceller) = Context::background().with_cancel();
    let mut call = Polled::new(joins(&ctx, &trace));
    call.waits();
    canceller.cancel();
    let error = call.completes().unwrap_err();
    assert_eq!(trace.take(), "-block");
    assert_eq!(error.site().unwrap().expression(), "pending::<()>()");
}

// guarantee A3
#[test]
fn a_nested_block_checks_before_each_operand() {
    #[cancellable(implicit)]
    async fn loops(trace: &Trace, canceller: cancel_context::Canceller) -> usize {
        let block = async {
            for turn in 0.. {
                trace.note_value("operand", ready(())).await;
                if turn == 1 {
                    canceller.cancel();
                }
            }
        };
        block.await;
        1
    }
    let trace = Trace::default();
    let (ctx, canceller) = Context::background().with_cancel();
    let mut scope = Polled::new(ctx.run(loops(&trace, canceller)));
    scope.completes().unwrap_err();
    assert_eq!(trace.take(), "operand operand");
}

// guarantee A3
#[test]
fn async_closures_and_blocks_in_closures_are_checked() {
    #[cancellable(implicit)]
    async fn calls(trace: &Trace) -> Option<u8> {
        let closure = async |value: u8| {
            let _closure = trace.drops("closure");
            ready(()).await;
            value
        };
        let block = |value: u8| async move {
            let _block = trace.drops("block");
            pending::<()>().await;
            value
        };
        let sum = closure(1).await + block(2).await;
        trace.note("went on");
        Some(sum)
    }
    let trace = Trace::default();
    let (ctx, canceller) = Context::background().with_cancel();
    let mut scope = Polled::new(ctx.run(calls(&trace)));
    scope.waits();
    canceller.cancel();
    scope.completes().unwrap_err();
    assert_eq!(trace.take(), "-closure -block");
}

// guarantee A7
#[test]
fn a_nested_block_does_what_it_did_outside_of_any_scope() {
    #[cancellable]
    async fn results() -> Result<Vec<Result<u8, String>>, Cancelled> {
        let fails = async {
            ready(Err::<u8, String>("no".into())).await?;
            Ok(1)
        };
        let returns = async {
            if ready(true).await {
                return Ok(2);
            }
            Ok(3)
        };
        let breaks = async {
            let mut value = 0;
            loop {
                value += ready(1).await;
                if value == 4 {
                    break Ok::<u8, String>(value);
                }
            }
        };
        Ok(vec![fails.await, returns.await, breaks.await])
    }
    let results = complete(results(&Context::background())).unwrap();
    assert_eq!(results, [Err("no".into()), Ok(2), Ok(4)]);
}

// guarantee A8
#[test]
fn blocks_before_the_tail_of_a_sync_function_are_checked() {
    #[cancellable(implicit)]
    fn boxed(trace: &Trace) -> BoxFuture<'_, Result<u8, Cancelled>> {
        let before = async {
            let _before = trace.drops("before");
            pending::<()>().await;
            1
        };
        Box::pin(async move {
            let value = before.await;
            trace.note("went on");
            Ok(value)
        })
    }
    #[cancellable(implicit)]
    fn mapped(trace: &Trace) -> impl Future<Output = Vec<u8>> + '_ {
        let values = (0..2).map(|value| async move {
            let _value = trace.drops("value");
            pending::<()>().await;
            value
        });
        futures::future::join_all(values)
    }
    let trace = Trace::default();
    let (ctx, canceller) = Context::background().with_cancel();
    let mut first = Polled::new(ctx.run(boxed(&trace)));
    let mut second = Polled::new(ctx.run(mapped(&trace)));
    first.waits();
    second.waits();
    canceller.cancel();
    first.completes().expect("leaves by itself").unwrap_err();
    assert_eq!(trace.take(), "-before");
    second.completes().unwrap_err();
    assert_eq!(trace.take(), "-value -value");
}

// guarantee A3
#[test]
fn awaits_in_macros_and_awaiting_macros_of_nested_blocks_are_checked() {
    #[cancellable]
    async fn runs(trace: &Trace) -> Result<(), Cancelled> {
        let macros = async {
            let _macros = trace.drops("macros");
            assert_eq!(ready(1).await, 1);
            let (one, two) = tokio::join!(ready(1), pending::<u8>());
            println!("{one} {two}");
        };
        let selects = async {
            let _selects = trace.drops("selects");
            tokio::select! {
                () = pending() => trace.note("first"),
                () = pending() => trace.note("second"),
            }
        };
        futures::join!(macros, selects);
        Ok(())
    }
    let trace = Trace::default();
    let (ctx, canceller) = Context::background().with_cancel();
    let mut call = Polled::new(runs(&ctx, &trace));
    call.waits();
    canceller.cancel();
    call.completes().unwrap_err();
    assert_eq!(trace.take(), "-macros -selects", "each where it was left");
}

// guarantee A10
#[test]
fn a_shield_holds_in_a_nested_block() {
    #[cancellable]
    async fn cleans(trace: &Trace) -> Result<(), Cancelled> {
        async {
            #[shield]
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            trace.note("cleaned");
        }
        .await;
        Ok(())
    }
    let trace = Trace::default();
    let (ctx, canceller) = Context::background().with_cancel();
    let mut call = Polled::new(cleans(&ctx, &trace));
    assert!(call.poll().is_pending());
    canceller.cancel();
    call.completes().unwrap();
    assert_eq!(trace.take(), "cleaned");
}

// guarantee A7; scenario 25
#[test]
fn a_nested_block_is_send_and_static_when_it_was() {
    fn is_both<T: Send + 'static>(future: T) -> T {
        future
    }
    #[cancellable]
    async fn sends() -> Result<u8, Cancelled> {
        let block = is_both(async { ready(1).await });
        let boxed: BoxFuture<'static, u8> = async move { block.await + ready(1).await }.boxed();
        Ok(boxed.await)
    }
    assert_eq!(complete(sends(&Context::background())).unwrap(), 2);
}
