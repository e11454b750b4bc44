//! The attribute together with other attributes, in either order where the order can be chosen.
//!
//! In implicit mode everything is one function like any other; where an attribute above ours has made
//! the function sync, the awaits are those of the `async` block in it.

use std::future::{pending, ready};

use async_recursion::async_recursion;
use async_trait::async_trait;
use cancel_context::{Cancelled, Context, cancellable};
use rstest::rstest;
use tests::{Polled, Trace, complete};
use tracing::instrument;

/// Polls in a scope that is cancelled then.
fn cancelled<T>(future: impl Future<Output = T>) -> Result<T, Cancelled> {
    let (ctx, canceller) = Context::background().with_cancel();
    let mut scope = Polled::new(ctx.run(future));
    scope.waits();
    canceller.cancel();
    scope.completes()
}

/// The await that was left, by either way.
fn left<T>(end: Result<Result<T, Cancelled>, Cancelled>) -> &'static str {
    let error = match end {
        Ok(Ok(_)) => panic!("it was not cancelled"),
        Ok(Err(error)) | Err(error) => error,
    };
    error.site().expect("an await was left").expression()
}

mod under_async_trait {
    use super::*;

    #[async_trait]
    trait Store: Send + Sync {
        async fn read(&self, key: &str) -> Result<u8, Cancelled>;
        async fn count(&self) -> usize;
        async fn default(&self) -> Result<u8, Cancelled>;
    }

    struct Above;
    struct Below;
    struct OnMethods;

    #[cancellable(implicit)]
    #[async_trait]
    impl Store for Above {
        async fn read(&self, _: &str) -> Result<u8, Cancelled> {
            pending::<()>().await;
            Ok(1)
        }
        async fn count(&self) -> usize {
            pending::<()>().await;
            1
        }
        async fn default(&self) -> Result<u8, Cancelled> {
            Ok(ready(1).await)
        }
    }

    #[async_trait]
    #[cancellable(implicit)]
    impl Store for Below {
        async fn read(&self, _: &str) -> Result<u8, Cancelled> {
            pending::<()>().await;
            Ok(1)
        }
        async fn count(&self) -> usize {
            pending::<()>().await;
            1
        }
        async fn default(&self) -> Result<u8, Cancelled> {
            Ok(ready(1).await)
        }
    }

    #[async_trait]
    impl Store for OnMethods {
        // `#[async_trait]` has made them sync when the attribute sees them.
        #[cancellable(implicit)]
        async fn read(&self, _: &str) -> Result<u8, Cancelled> {
            pending::<()>().await;
            Ok(1)
        }
        #[cancellable(implicit)]
        async fn count(&self) -> usize {
            pending::<()>().await;
            1
        }
        async fn default(&self) -> Result<u8, Cancelled> {
            Ok(ready(1).await)
        }
    }

    // guarantee A8; scenario 25
    #[test]
    fn methods_are_checked_in_either_order_and_the_trait_stays_usable_as_dyn() {
        for store in [&Above as &dyn Store, &Below, &OnMethods] {
            let read = cancelled(store.read("key"));
            assert!(read.as_ref().is_ok_and(Result::is_err), "returns the error");
            assert_eq!(left(read), "pending::<()>()");
            let count = cancelled(store.count()).unwrap_err();
            assert_eq!(count.site().unwrap().expression(), "pending::<()>()");
            assert_eq!(complete(store.default()).unwrap(), 1);
        }
    }

    #[cancellable]
    #[async_trait]
    trait Explicit {
        async fn read(&self, key: &str) -> Result<usize, Cancelled>;
        async fn read_twice(&self, key: &str) -> Result<usize, Cancelled> {
            Ok(self.read(ctx, key).await? + self.read(ctx, key).await?)
        }
    }

    #[async_trait]
    #[cancellable]
    trait ExplicitBelow {
        async fn read(&self, key: &str) -> Result<usize, Cancelled>;
    }

    #[cancellable]
    #[async_trait]
    impl Explicit for Above {
        async fn read(&self, key: &str) -> Result<usize, Cancelled> {
            Ok(ready(key.len()).await)
        }
    }

    #[async_trait]
    #[cancellable]
    impl ExplicitBelow for Above {
        async fn read(&self, key: &str) -> Result<usize, Cancelled> {
            Ok(ready(key.len()).await)
        }
    }

    // guarantee A8
    #[test]
    fn explicit_blocks_inject_in_either_order() {
        let ctx = Context::background();
        let end = complete(Explicit::read_twice(&Above, &ctx, "key")).unwrap();
        assert_eq!(end, 6);
        let below: &dyn ExplicitBelow = &Above;
        assert_eq!(complete(below.read(&ctx, "key")).unwrap(), 3);
        let (ctx, canceller) = ctx.with_cancel();
        canceller.cancel();
        complete(below.read(&ctx, "key")).unwrap_err();
        complete(Explicit::read(&Above, &ctx, "key")).unwrap_err();
    }
}

mod under_instrument {
    use super::*;

    #[cancellable(implicit)]
    #[instrument(skip_all, fields(key = %key), err(Debug))]
    async fn above(key: &str) -> Result<u8, Cancelled> {
        pending::<()>().await;
        Ok(1)
    }

    #[instrument(ret)]
    #[cancellable(implicit)]
    async fn below(key: &str) -> Result<u8, Cancelled> {
        pending::<()>().await;
        Ok(1)
    }

    #[cancellable(implicit)]
    #[tracing::instrument]
    async fn unwound(trace: &Trace) -> usize {
        let _unwound = trace.drops("unwound");
        pending::<()>().await;
        1
    }

    #[cancellable]
    #[instrument]
    async fn explicit(key: u8) -> Result<u8, Cancelled> {
        Ok(ready(key).await)
    }

    // guarantee A8
    #[test]
    fn instrumented_functions_are_checked_in_either_order() {
        assert_eq!(left(cancelled(above("a"))), "pending::<()>()");
        assert_eq!(left(cancelled(below("b"))), "pending::<()>()");
        let trace = Trace::default();
        cancelled(unwound(&trace)).unwrap_err();
        assert_eq!(trace.take(), "-unwound");
        assert_eq!(complete(explicit(&Context::background(), 3)).unwrap(), 3);
    }
}

mod recursive {
    use super::*;

    #[cancellable(implicit)]
    #[async_recursion]
    async fn above(depth: u8) -> Result<u8, Cancelled> {
        if depth == 0 {
            pending::<()>().await;
        }
        Ok(above(depth - 1).await? + 1)
    }

    #[async_recursion]
    #[cancellable(implicit)]
    async fn below(depth: u8) -> usize {
        if depth == 0 {
            pending::<()>().await;
        }
        below(depth - 1).await + 1
    }

    // guarantee A8
    #[test]
    fn recursive_functions_are_checked_in_either_order() {
        assert_eq!(left(cancelled(above(5))), "pending::<()>()");
        let error = cancelled(below(5)).unwrap_err();
        assert_eq!(error.site().unwrap().expression(), "pending::<()>()");
    }
}

mod backtraces {
    use super::*;

    #[cancellable(implicit)]
    #[async_backtrace::framed]
    async fn above() -> Result<u8, Cancelled> {
        pending::<()>().await;
        Ok(1)
    }

    #[async_backtrace::framed]
    #[cancellable(implicit)]
    async fn below() -> usize {
        pending::<()>().await;
        1
    }

    // guarantee A8
    #[test]
    fn framed_functions_are_checked_in_either_order() {
        assert_eq!(left(cancelled(above())), "pending::<()>()");
        cancelled(below()).unwrap_err();
    }
}

mod handlers {
    use axum::extract::Path;
    use axum::routing::get;

    use super::*;

    #[cancellable(implicit)]
    #[axum::debug_handler]
    async fn above(Path(key): Path<String>) -> String {
        pending::<()>().await;
        key
    }

    #[axum::debug_handler]
    #[cancellable(implicit)]
    async fn below(Path(key): Path<String>) -> Result<String, String> {
        pending::<()>().await;
        Ok(key)
    }

    // guarantee A8
    #[tokio::test]
    async fn handlers_are_checked_in_either_order_and_still_are_handlers() {
        use axum::body::Body;
        use axum::http::{Request, StatusCode};
        use tower::ServiceExt;

        let routes = axum::Router::new()
            .route("/above/{key}", get(above))
            .route("/below/{key}", get(below));
        let (ctx, canceller) = Context::background().with_cancel();
        let request = |uri: &str| Request::get(uri).body(Body::empty()).unwrap();
        let mut unwound = Box::pin(ctx.run(routes.clone().oneshot(request("/above/1"))));
        let mut returned = Box::pin(ctx.run(routes.oneshot(request("/below/1"))));
        assert!(futures::poll!(unwound.as_mut()).is_pending());
        assert!(futures::poll!(returned.as_mut()).is_pending());
        canceller.cancel();
        unwound.await.unwrap_err();
        let response = returned.await.expect("leaves by itself").unwrap();
        assert_eq!(
            response.status(),
            StatusCode::OK,
            "a `String` is a reply, whatever it says"
        );
    }
}

mod tests_of_others {
    use super::*;

    // guarantee A8
    #[cancellable(implicit)]
    #[tokio::test]
    async fn a_test_is_a_function_like_any_other() {
        ready(()).await;
        assert_eq!(Context::current(), Context::background());
    }

    // guarantee A8
    #[tokio::test]
    #[cancellable(implicit)]
    async fn below_tokio_test_as_well() -> Result<(), String> {
        let (ctx, canceller) = Context::background().with_cancel();
        canceller.cancel();
        ctx.run(pending::<()>()).await.unwrap_err();
        Ok(())
    }

    // guarantee A8
    #[cancellable(implicit)]
    #[rstest]
    #[case(1, 2)]
    #[case(2, 4)]
    #[tokio::test]
    async fn cases_of_rstest(#[case] number: u8, #[case] double: u8) {
        assert_eq!(ready(number * 2).await, double);
    }

    // guarantee A8
    #[rstest]
    #[case(3)]
    #[tokio::test]
    #[cancellable(implicit)]
    async fn cases_of_rstest_above(#[case] number: u8) {
        assert_eq!(ready(number).await, 3);
    }

    #[cancellable(implicit)]
    #[tokio::main(flavor = "current_thread")]
    async fn main_above() -> u8 {
        let doubled = async { ready(2).await * 2 };
        doubled.await
    }

    #[tokio::main(flavor = "current_thread")]
    #[cancellable(implicit)]
    async fn main_below() -> u8 {
        ready(4).await
    }

    // guarantee A8
    #[test]
    fn the_runtime_of_tokio_main_runs_it_in_either_order() {
        assert_eq!((main_above(), main_below()), (4, 4));
    }
}
