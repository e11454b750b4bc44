//! The attribute on an `impl`, a `trait` or a `mod` annotates every async fn in it.

use std::future::{pending, ready};

use cancel_context::{Cancelled, Context, cancellable};
use tests::{Polled, Trace, complete};

struct Store {
    trace: Trace,
}

#[cancellable(implicit)]
impl Store {
    const KEY: u8 = 1;

    fn key(&self) -> u8 {
        self.trace.note("key");
        Self::KEY
    }

    /// Returns the error.
    async fn read(&self) -> Result<u8, Cancelled> {
        pending::<()>().await;
        Ok(self.key())
    }

    /// Is unwound.
    async fn count(&self) -> usize {
        let _count = self.trace.drops("count");
        pending::<()>().await;
        1
    }

    #[cancellable(skip)]
    async fn skipped(&self) -> usize {
        self.trace.note("skipped");
        ready(()).await;
        self.trace.note("went on");
        1
    }

    #[cancellable(on_cancel = 0)]
    async fn zero(&self) -> usize {
        pending::<()>().await;
        1
    }

    fn boxed(&self) -> futures::future::BoxFuture<'_, usize> {
        Box::pin(async move {
            let _boxed = self.trace.drops("boxed");
            pending::<()>().await;
            1
        })
    }
}

/// Polls in a scope that is cancelled then.
fn cancelled<T>(future: impl Future<Output = T>) -> Result<T, Cancelled> {
    let (ctx, canceller) = Context::background().with_cancel();
    let mut scope = Polled::new(ctx.run(future));
    scope.waits();
    canceller.cancel();
    scope.completes()
}

// guarantee A8
#[test]
fn every_async_fn_of_an_impl_is_checked_and_each_leaves_in_its_way() {
    let store = Store {
        trace: Trace::default(),
    };
    assert_eq!(store.key(), 1);
    cancelled(store.read()).expect("returns").unwrap_err();
    cancelled(store.count()).expect_err("is unwound");
    cancelled(store.boxed()).expect_err("is unwound");
    assert_eq!(cancelled(store.zero()).unwrap(), 0);
    assert_eq!(store.trace.take(), "key -count -boxed");
}

// guarantee A8
#[test]
fn skip_leaves_a_function_as_it_is() {
    let store = Store {
        trace: Trace::default(),
    };
    let (ctx, canceller) = Context::background().with_cancel();
    let end = complete(ctx.run(async {
        canceller.cancel();
        store.skipped().await
    }));
    assert_eq!(end.unwrap(), 1);
    assert_eq!(store.trace.take(), "skipped went on");
}

#[cancellable]
trait Fetch {
    async fn fetch(&self, key: u8) -> Result<u8, Cancelled>;

    async fn fetch_twice(&self, key: u8) -> Result<u8, Cancelled> {
        Ok(self.fetch(ctx, key).await? + self.fetch(ctx, key).await?)
    }

    fn name(&self) -> &'static str {
        "fetch"
    }
}

#[cancellable]
impl Fetch for Store {
    async fn fetch(&self, key: u8) -> Result<u8, Cancelled> {
        tokio::task::yield_now().await;
        Ok(key)
    }
}

// guarantee A8
#[test]
fn a_trait_and_its_impl_take_the_context_alike() {
    let store = Store {
        trace: Trace::default(),
    };
    let ctx = Context::background();
    assert_eq!(complete(store.fetch_twice(&ctx, 4)).unwrap(), 8);
    assert_eq!(store.name(), "fetch");
    let (ctx, canceller) = ctx.with_cancel();
    canceller.cancel();
    complete(store.fetch_twice(&ctx, 4)).unwrap_err();
}

#[cancellable(implicit)]
mod service {
    use super::{Trace, ready};

    pub(super) struct Handler;

    impl Handler {
        pub(super) async fn handle(&self, trace: &Trace) {
            helper(trace).await;
            trace.note("handle went on");
        }
    }

    pub(super) trait Serve {
        async fn serve(&self, trace: &Trace) {
            super::pending::<()>().await;
            trace.note("serve went on");
        }
    }

    impl Serve for Handler {}

    #[cancellable(skip)]
    impl Handler {
        pub(super) async fn skipped(&self) -> u8 {
            ready(1).await
        }
    }

    pub(super) mod inner {
        use super::Trace;

        pub(in super::super) async fn wait(trace: &Trace) {
            let _wait = trace.drops("wait");
            std::future::pending::<()>().await;
        }
    }

    async fn helper(trace: &Trace) {
        let _helper = trace.drops("helper");
        inner::wait(trace).await;
    }
}

// guarantee A8
#[test]
fn a_module_is_annotated_all_the_way_down() {
    use service::{Handler, Serve};

    let trace = Trace::default();
    let error = cancelled(Handler.handle(&trace)).unwrap_err();
    assert_eq!(trace.take(), "-wait -helper");
    let site = error.site().unwrap();
    assert!(
        site.function().ends_with("service::inner::wait"),
        "{site:?}"
    );
    cancelled(Handler.serve(&trace)).unwrap_err();
    assert_eq!(trace.take(), "");
    let (ctx, canceller) = Context::background().with_cancel();
    let skipped = complete(ctx.run(async {
        canceller.cancel();
        Handler.skipped().await
    }));
    assert_eq!(skipped.unwrap(), 1);
}
