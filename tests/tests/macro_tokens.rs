//! Awaits in the tokens of macros: each is checked, and what the macro prints stays the same.

#![expect(clippy::unused_async, reason = "what is awaited need not await")]

use std::fmt::Write as _;
use std::future::{pending, ready};

use cancel_context::{Cancelled, Canceller, Context, cancellable};
use tests::{Trace, complete};

/// A ready value; cancels as it is awaited.
async fn last<T>(canceller: &Canceller, value: T) -> T {
    canceller.cancel();
    value
}

/// Defines an annotated function and runs it twice: live, and with the context ended by its first
/// await, where the await in question has to be the one that is left.
macro_rules! assert_checked_in {
    ($left:literal, |$cancels:ident| $($body:tt)*) => {{
        #[cancellable]
        async fn annotated(canceller: Canceller, $cancels: bool) -> anyhow::Result<()> {
            if $cancels {
                last(&canceller, ()).await;
            }
            $($body)*
            Ok(())
        }
        let (ctx, canceller) = Context::background().with_cancel();
        complete(annotated(&ctx, canceller, false)).expect("is live");
        let (ctx, canceller) = Context::background().with_cancel();
        let error = complete(annotated(&ctx, canceller, true)).expect_err("is cancelled");
        let cancelled = error.downcast_ref::<Cancelled>().expect("is a cancellation");
        assert_eq!(cancelled.site().unwrap().expression(), $left);
    }};
    ($left:literal, $($body:tt)*) => {
        assert_checked_in!($left, |cancels| $($body)*)
    };
}

// guarantee A3
#[test]
fn formatting_macros_are_looked_into() {
    assert_checked_in!("ready(1)", assert_eq!(format!("{} {x}", ready(1).await, x = 2), "1 2"););
    assert_checked_in!("ready(1)", let x = format_args!("{}", ready(1).await).to_string(); drop(x););
    assert_checked_in!("ready(1)", print!("{}", ready(1).await););
    assert_checked_in!("ready(1)", println!("{x}", x = ready(1).await););
    assert_checked_in!("ready(1)", eprint!("{:>width$}", ready(1).await, width = 3););
    assert_checked_in!("ready(1)", std::eprintln!("{:?}", ready(1).await););
    assert_checked_in!("ready(1)", let mut out = String::new(); write!(out, "{}", ready(1).await)?;);
    assert_checked_in!("ready(1)", let mut out = String::new(); writeln!(out, "{}", ready(1).await)?;);
}

// guarantee A3
#[test]
fn assertions_are_looked_into() {
    assert_checked_in!("ready(true)", assert!(ready(true).await););
    assert_checked_in!("ready(1)", assert!(true, "{}", ready(1).await); ready(1).await;);
    assert_checked_in!("ready(1)", assert_eq!(ready(1).await, 1););
    assert_checked_in!("ready(1)", assert_ne!(0, ready(1).await, "not {}", 0););
    assert_checked_in!("ready(true)", debug_assert!(ready(true).await););
    assert_checked_in!("ready(1)", debug_assert_eq!(ready(1).await, 1););
    assert_checked_in!("ready(1)", debug_assert_ne!(ready(1).await, 0););
}

// guarantee A3
#[test]
#[expect(clippy::dbg_macro, reason = "it is what is tested")]
fn value_macros_are_looked_into() {
    assert_checked_in!("ready(1)", assert_eq!(vec![ready(1).await, 2], [1, 2]););
    assert_checked_in!("ready(1)", assert_eq!(vec![ready(1).await; 2], [1, 1]););
    assert_checked_in!("ready(2)", assert_eq!(vec![1; ready(2).await], [1, 1]););
    assert_checked_in!("ready(1)", assert!(matches!(ready(1).await, 1 | 2)););
    assert_checked_in!("ready(1)", assert!(matches!(ready(1).await, n if n == 1)););
    assert_checked_in!("ready(1)", assert_eq!(dbg!(ready(1).await), 1););
    assert_checked_in!("ready(1)", assert_eq!(dbg!(0, ready(1).await), (0, 1)););
}

// guarantee A3
#[test]
fn diverging_macros_are_looked_into() {
    assert_checked_in!("ready(1)", |fails| if fails {
        println!();
        panic!("{}", ready(1).await);
    });
    assert_checked_in!("ready(1)", |fails| if fails {
        todo!("{}", ready(1).await);
    });
    assert_checked_in!("ready(1)", |fails| if fails {
        unimplemented!("{}", ready(1).await);
    });
    assert_checked_in!("ready(1)", |fails| if fails {
        unreachable!("{}", ready(1).await);
    });
    assert_checked_in!("ready(1)", |fails| if fails {
        anyhow::bail!("{}", ready(1).await);
    });
}

// guarantee A3
#[test]
fn macros_of_anyhow_tokio_and_futures_are_looked_into() {
    assert_checked_in!("ready(1)", let error = anyhow::anyhow!("{}", ready(1).await); drop(error););
    assert_checked_in!("ready(true)", anyhow::ensure!(ready(true).await, "no"););
    assert_checked_in!("ready(1)", anyhow::ensure!(ready(1).await == 1););
    assert_checked_in!("ready(async {})", tokio::pin!(let a = ready(async {}).await;); a.await;);
    assert_checked_in!("ready(1)", let x = ready(ready(1).await); futures::pin_mut!(x); x.await;);
}

// guarantee A3
#[test]
fn macros_nest() {
    assert_checked_in!(
        "ready(1)",
        println!("{}", format!("{:?}", vec![{ assert!(matches!(ready(1).await, 1)); 1 }]));
    );
}

macro_rules! sum {
    ($($value:expr),*) => { 0 $(+ $value)* };
}

// guarantee A3
#[test]
fn macros_that_are_named_are_looked_into() {
    #[cancellable(macros(sum))]
    async fn sums(canceller: &Canceller) -> Result<i32, Cancelled> {
        Ok(sum!(1, last(canceller, 2).await, ready(3).await))
    }
    let (ctx, canceller) = Context::background().with_cancel();
    let left = complete(sums(&ctx, &canceller))
        .unwrap_err()
        .site()
        .unwrap();
    assert_eq!(left.expression(), "ready(3)");
}

macro_rules! quote {
    ($($token:tt)*) => { stringify!($($token)*) };
}

// guarantee A3
#[test]
fn quoted_tokens_are_left_alone() {
    #[cancellable]
    async fn quotes() -> Result<[&'static str; 3], Cancelled> {
        macro_rules! local {
            () => {
                "x.await"
            };
        }
        Ok([stringify!(x.await), quote!(x.await), local!()])
    }
    let (ctx, canceller) = Context::background().with_cancel();
    canceller.cancel();
    let quoted = complete(quotes(&ctx)).expect("there is no await");
    assert_eq!(quoted[0], stringify!(x.await));
    assert_eq!(quoted[1], quote!(x.await));
    assert_eq!(quoted[2], "x.await");
}

// guarantee A3
#[test]
fn nested_blocks_in_macro_tokens_are_futures_of_their_own() {
    #[cancellable]
    async fn keeps(trace: &Trace) -> Result<usize, Cancelled> {
        let futures = vec![async { trace.note("polled") }];
        let blocks: Vec<_> = vec![async { ready(1).await }];
        for future in futures {
            future.await;
        }
        Ok(blocks.len())
    }
    let trace = Trace::default();
    assert_eq!(complete(keeps(Context::background(), &trace)).unwrap(), 1);
    assert_eq!(trace.take(), "polled");
}

// guarantee A3
#[test]
fn a_pending_await_in_tokens_is_left() {
    #[cancellable]
    async fn waits() -> Result<String, Cancelled> {
        Ok(format!("{:?}", pending::<()>().await))
    }
    let (ctx, canceller) = Context::background().with_cancel();
    let mut call = tests::Polled::new(waits(&ctx));
    call.waits();
    canceller.cancel();
    call.completes().unwrap_err();
}

// guarantee A3
#[test]
fn inlined_names_and_the_order_of_arguments_stay() {
    #[cancellable]
    async fn formats(trace: &Trace) -> Result<String, Cancelled> {
        let name = "x";
        Ok(format!(
            "{name}{1}{0}{other:?}",
            trace.note_value("a", ready(1)).await,
            trace.note_value("b", ready(2)).await,
            other = trace.note_value("c", ready(3)).await,
        ))
    }
    let trace = Trace::default();
    assert_eq!(
        complete(formats(Context::background(), &trace)).unwrap(),
        "x213"
    );
    assert_eq!(trace.take(), "a b c");
}
