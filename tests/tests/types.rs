//! What rustc makes of a body is the same: inference, coercions, `!`, shadowed names.

use std::collections::HashMap;
use std::fmt::Display;
use std::future::{Future, pending, ready};
use std::pin::Pin;

use cancel_context::{Cancelled, Context, cancellable};
use tests::complete;

// guarantee A7
#[test]
fn the_return_type_drives_inference() {
    #[cancellable]
    async fn collects() -> Result<HashMap<String, u64>, Cancelled> {
        let mut map = ready(HashMap::default()).await;
        extend(
            &mut map,
            [("a".into(), ready("7").await.parse().unwrap_or_default())],
        );
        Ok(map)
    }
    #[cancellable]
    async fn parses() -> Result<u16, Box<dyn std::error::Error>> {
        let text = ready(Ok::<_, std::fmt::Error>("7")).await?;
        Ok(text.parse()?)
    }
    fn extend<K, V>(map: &mut impl Extend<(K, V)>, items: [(K, V); 1]) {
        map.extend(items);
    }
    let map = complete(collects(Context::background())).unwrap();
    assert_eq!(map["a"], 7);
    assert_eq!(complete(parses(Context::background())).unwrap(), 7);
}

// guarantee A7
#[test]
fn a_later_statement_drives_inference() {
    #[cancellable]
    async fn infers() -> Result<Vec<u8>, Cancelled> {
        let mut values = ready(Vec::new()).await;
        values.push(ready(1).await);
        let none = ready(None).await;
        values.push(none.unwrap_or(3));
        let sum: u8 = ready(values.iter().copied()).await.sum();
        let closure = ready(|x| x + 1).await;
        values.push(closure(sum));
        Ok(values)
    }
    assert_eq!(complete(infers(Context::background())).unwrap(), [1, 3, 5]);
}

// guarantee A7
#[test]
fn values_are_coerced_in_return_position() {
    #[cancellable(on_cancel = Box::new("gone"))]
    async fn shown(number: bool) -> Box<dyn Display> {
        ready(()).await;
        if number {
            return Box::new(ready(7).await);
        }
        Box::new("seven")
    }
    #[cancellable]
    async fn boxed(number: bool) -> Result<Box<dyn Display + Send>, Cancelled> {
        if number {
            return Ok(Box::new(ready(7).await));
        }
        Ok(Box::new("seven"))
    }
    #[cancellable]
    async fn slice(array: &[u8; 3]) -> Result<&[u8], Cancelled> {
        Ok(ready(array).await)
    }
    let ctx = Context::background();
    assert_eq!(complete(shown(&ctx, true)).to_string(), "7");
    assert_eq!(complete(shown(&ctx, false)).to_string(), "seven");
    assert_eq!(complete(boxed(&ctx, true)).unwrap().to_string(), "7");
    assert_eq!(complete(slice(&ctx, &[1, 2, 3])).unwrap(), [1, 2, 3]);
}

// guarantee A7
#[test]
fn a_boxed_future_is_coerced_at_the_await() {
    #[cancellable]
    async fn either(left: bool) -> Result<u8, Cancelled> {
        let future: Pin<Box<dyn Future<Output = u8>>> = if left {
            Box::pin(ready(1))
        } else {
            Box::pin(async { 2 })
        };
        let value = future.await;
        Ok(value)
    }
    assert_eq!(complete(either(Context::background(), true)).unwrap(), 1);
    assert_eq!(complete(either(Context::background(), false)).unwrap(), 2);
}

// guarantee A7
#[test]
fn what_is_awaited_need_only_be_convertible_into_a_future() {
    struct Request(u8);
    impl IntoFuture for Request {
        type Output = u8;
        type IntoFuture = std::future::Ready<u8>;
        fn into_future(self) -> Self::IntoFuture {
            ready(self.0)
        }
    }
    #[cancellable]
    async fn sends() -> Result<u8, Cancelled> {
        let sent = Request(7).await;
        Ok(sent)
    }
    assert_eq!(complete(sends(Context::background())).unwrap(), 7);
}

// guarantee A7
#[test]
fn a_loop_that_never_ends_needs_no_value() {
    #[cancellable]
    async fn serves() -> Result<std::convert::Infallible, Cancelled> {
        loop {
            pending::<()>().await;
        }
    }
    let (ctx, canceller) = Context::background().with_cancel();
    canceller.cancel();
    complete(serves(&ctx)).unwrap_err();
}

// guarantee A7
#[test]
fn shadowed_names_do_not_matter() {
    #[derive(Debug)]
    struct Failure;
    impl From<Cancelled> for Failure {
        fn from(_: Cancelled) -> Self {
            Failure
        }
    }
    type Result<T> = std::result::Result<T, Failure>;
    #[expect(non_snake_case, reason = "shadows the name of the prelude")]
    #[expect(clippy::unnecessary_wraps, reason = "does what the prelude's does")]
    fn Ok<T>(value: T) -> std::result::Result<T, Failure> {
        std::result::Result::Ok(value)
    }
    #[cancellable]
    async fn shadows(std: u8, core: u8, cancel_context: u8, context: u8) -> Result<u8> {
        let (guard, enter, cancelled) = (ready(std).await, ready(core).await, 0);
        let (__context, __kept, __output) = (cancel_context, context, cancelled);
        ready(()).await;
        Ok(guard + enter + __context + __kept + __output)
    }
    assert_eq!(
        complete(shadows(Context::background(), 1, 2, 3, 4)).unwrap(),
        10
    );
}

// guarantee A7
#[test]
fn other_contexts_may_be_in_scope() {
    use anyhow::Context as _;
    use std::task::Context;

    #[cancellable]
    async fn polls() -> anyhow::Result<bool> {
        let woken = std::future::poll_fn(|cx: &mut Context<'_>| {
            cx.waker().wake_by_ref();
            std::task::Poll::Ready(true)
        })
        .await;
        Some(woken).context("a flag")
    }
    assert!(complete(polls(cancel_context::Context::background())).unwrap());
}

// guarantee A7
#[test]
fn borrows_end_where_they_did() {
    #[cancellable]
    async fn mutates(values: &mut Vec<u8>) -> Result<usize, Cancelled> {
        for value in ready(values.iter_mut()).await {
            *value += ready(1).await;
        }
        ready(&mut *values).await.push(1);
        let first = ready(values.first_mut()).await;
        if let Some(first) = first {
            *first = 9;
        }
        values.push(ready(values.len()).await.try_into().unwrap_or(0));
        Ok(values.len())
    }
    let mut values = vec![1, 2];
    assert_eq!(
        complete(mutates(Context::background(), &mut values)).unwrap(),
        4
    );
    assert_eq!(values, [9, 3, 1, 3]);
}

// guarantee A7
#[test]
fn closures_over_references_stay_general_enough() {
    #[cancellable]
    async fn applies<F>(action: F) -> Result<usize, Cancelled>
    where
        F: for<'a> AsyncFn(&'a str) -> usize,
    {
        let text = String::from("four");
        let length = action(&text).await;
        Ok(length)
    }
    let call = applies(Context::background(), async |text: &str| {
        ready(text.len()).await
    });
    assert_eq!(complete(call).unwrap(), 4);
}

fn deep() -> impl Future<Output = Result<u64, Cancelled>> + Send {
    #[cancellable]
    async fn one(n: u64) -> Result<u64, Cancelled> {
        ready(n).await;
        Ok(n + 1)
    }
    macro_rules! levels {
        ($($name:ident calls $callee:ident;)*) => {$(
            #[cancellable]
            async fn $name(n: u64) -> Result<u64, Cancelled> {
                Ok($callee(ctx, n).await? + $callee(ctx, n).await?)
            }
        )*};
    }
    levels! {
        two calls one; three calls two; four calls three; five calls four; six calls five;
        seven calls six; eight calls seven; nine calls eight; ten calls nine; last calls ten;
    }
    last(Context::background(), 0)
}

// guarantee A7
#[test]
fn ten_levels_of_calls_stay_within_the_limits_of_types() {
    assert_eq!(complete(deep()).unwrap(), 1_024);
}
