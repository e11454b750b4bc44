//! Where the attribute goes: receivers, traits, boxed futures, recursion, `unsafe`.

use std::future::{Future, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use cancel_context::{Cancelled, Context, cancellable};
use futures::FutureExt;
use futures::future::{BoxFuture, LocalBoxFuture};
use tests::{assert_checked, complete};

#[derive(Default)]
struct Service {
    calls: usize,
}

impl Service {
    #[cancellable]
    async fn by_reference(&self) -> Result<String, Cancelled> {
        ready(self.calls).await;
        Ok(ctx.path())
    }

    #[cancellable]
    async fn by_mutable_reference(&mut self) -> Result<String, Cancelled> {
        ready(()).await;
        self.calls += 1;
        Ok(ctx.path())
    }

    #[cancellable]
    async fn by_value(mut self) -> Result<String, Cancelled> {
        self.calls += 1;
        ready(self.calls).await;
        Ok(ctx.path())
    }

    #[cancellable]
    async fn boxed(self: Box<Self>) -> Result<String, Cancelled> {
        ready(self.calls).await;
        Ok(ctx.path())
    }

    #[cancellable]
    async fn counted(self: Rc<Self>) -> Result<String, Cancelled> {
        ready(self.calls).await;
        Ok(ctx.path())
    }

    #[cancellable]
    async fn shared(self: Arc<Self>) -> Result<String, Cancelled> {
        ready(self.calls).await;
        Ok(ctx.path())
    }

    #[cancellable]
    async fn shared_by_reference(self: &Arc<Self>) -> Result<String, Cancelled> {
        ready(self.calls).await;
        Ok(ctx.path())
    }

    #[cancellable]
    async fn pinned(self: Pin<&mut Self>) -> Result<String, Cancelled> {
        ready(self.calls).await;
        Ok(ctx.path())
    }

    #[cancellable]
    async fn borrows_from_itself<'a>(&'a self, _other: &str) -> Result<&'a usize, Cancelled> {
        ready(()).await;
        Ok(&self.calls)
    }

    #[cancellable]
    async fn associated(calls: usize) -> Result<Self, Cancelled> {
        ready(()).await;
        Ok(Self { calls })
    }
}

// guarantee A8
#[test]
fn every_receiver_is_followed_by_the_context() {
    let service = Service::default;
    assert_checked(|ctx| async move { service().by_reference(&ctx).await });
    assert_checked(|ctx| async move { service().by_mutable_reference(&ctx).await });
    assert_checked(|ctx| async move { service().by_value(&ctx).await });
    assert_checked(|ctx| async move { Box::new(service()).boxed(&ctx).await });
    assert_checked(|ctx| async move { Rc::new(service()).counted(&ctx).await });
    assert_checked(|ctx| async move { Arc::new(service()).shared(&ctx).await });
    assert_checked(|ctx| async move { Arc::new(service()).shared_by_reference(&ctx).await });
    assert_checked(|ctx| async move { Pin::new(&mut service()).pinned(&ctx).await });
}

// guarantee A8
#[test]
fn associated_functions_and_borrows_from_the_receiver_work() {
    let ctx = Context::background();
    let service = complete(Service::associated(&ctx, 3)).unwrap();
    assert_eq!(complete(service.borrows_from_itself(&ctx, "")).unwrap(), &3);
}

trait Named {
    #[cancellable]
    async fn required(&self) -> Result<String, Cancelled>;

    #[cancellable]
    async fn provided(&self) -> Result<String, Cancelled> {
        ready(()).await;
        self.required(ctx).await
    }
}

impl Named for Service {
    #[cancellable]
    async fn required(&self) -> Result<String, Cancelled> {
        ready(()).await;
        Ok(ctx.path())
    }
}

// guarantee A8
#[test]
fn trait_methods_are_annotated_in_declaration_default_and_impl() {
    async fn call<T: Named>(named: &T, ctx: &Context) -> Result<String, Cancelled> {
        named.provided(ctx).await
    }
    assert_checked(|ctx| async move { call(&Service::default(), &ctx).await });
}

#[async_trait::async_trait]
trait Store: Send + Sync {
    #[cancellable]
    async fn load(&self, key: &str) -> Result<String, Cancelled>;

    #[cancellable]
    async fn store(&mut self, key: String) -> Result<String, Cancelled> {
        tokio::task::yield_now().await;
        self.load(ctx, &key).await
    }

    #[cancellable]
    async fn close(self: Box<Self>) -> Result<String, Cancelled>;
}

#[async_trait::async_trait]
impl Store for Service {
    #[cancellable]
    async fn load(&self, key: &str) -> Result<String, Cancelled> {
        ready(key).await;
        Ok(ctx.path())
    }

    #[cancellable]
    async fn close(self: Box<Self>) -> Result<String, Cancelled> {
        ready(self.calls).await;
        Ok(ctx.path())
    }
}

// guarantee A1; scenario 25
#[test]
fn a_trait_stays_usable_as_dyn_under_async_trait() {
    let store = || -> Box<dyn Store> { Box::new(Service::default()) };
    assert_checked(|ctx| async move { store().load(&ctx, "key").await });
    assert_checked(|ctx| async move { store().store(&ctx, "key".into()).await });
    assert_checked(|ctx| async move { store().close(&ctx).await });
}

#[async_trait::async_trait(?Send)]
trait LocalStore {
    #[cancellable]
    async fn load(&self, seen: Rc<String>) -> Result<String, Cancelled>;
}

#[async_trait::async_trait(?Send)]
impl LocalStore for Service {
    #[cancellable]
    async fn load(&self, seen: Rc<String>) -> Result<String, Cancelled> {
        ready(()).await;
        Ok(format!("{seen}{}", ctx.path()))
    }
}

// guarantee A8
#[test]
fn futures_that_are_not_send_work_under_async_trait() {
    let store: &dyn LocalStore = &Service::default();
    assert_checked(|ctx| async move { store.load(&ctx, Rc::default()).await });
}

#[async_trait::async_trait]
trait TakesContext {
    async fn load(&self, ctx: &Context) -> Result<String, Cancelled>;
}

#[async_trait::async_trait]
impl TakesContext for Service {
    #[cancellable]
    async fn load(&self, ctx: &Context) -> Result<String, Cancelled> {
        ready(()).await;
        Ok(ctx.path())
    }
}

// guarantee A1
#[test]
fn a_parameter_named_ctx_is_taken_under_async_trait() {
    let store: &dyn TakesContext = &Service::default();
    assert_checked(|ctx| async move { store.load(&ctx).await });
}

#[cancellable]
fn returns_a_future(name: &str) -> impl Future<Output = Result<String, Cancelled>> + Send {
    let name = name.len();
    async move {
        ready(name).await;
        Ok(ctx.path())
    }
}

#[cancellable]
fn returns_a_pinned_box<'a>(
    name: &'a str,
) -> Pin<Box<dyn Future<Output = Result<String, Cancelled>> + Send + 'a>> {
    Box::pin(async move {
        ready(name).await;
        Ok(ctx.path())
    })
}

#[cancellable]
fn returns_a_box_future(name: &str) -> BoxFuture<'_, Result<String, Cancelled>> {
    async move {
        ready(name).await;
        Ok(ctx.path())
    }
    .boxed()
}

#[cancellable]
fn returns_a_local_box_future() -> LocalBoxFuture<'static, Result<String, Cancelled>> {
    let shared = Rc::new(());
    async move {
        ready(shared).await;
        Ok(ctx.path())
    }
    .boxed_local()
}

// guarantee A8
#[test]
fn functions_that_return_a_future_are_annotated() {
    assert_checked(|ctx| async move { returns_a_future(&ctx, "a").await });
    assert_checked(|ctx| async move { returns_a_pinned_box(&ctx, "a").await });
    assert_checked(|ctx| async move { returns_a_box_future(&ctx, "a").await });
    assert_checked(returns_a_local_box_future);
}

// guarantee A8
#[test]
fn what_precedes_the_block_runs_at_the_call() {
    #[cancellable]
    fn counts(calls: &mut usize) -> BoxFuture<'static, Result<String, Cancelled>> {
        *calls += 1;
        Box::pin(async { Ok(ctx.path()) })
    }
    let mut calls = 0;
    let future = counts(Context::background(), &mut calls);
    assert_eq!(calls, 1);
    assert_eq!(complete(future).unwrap(), "");
}

// guarantee A8
#[test]
fn recursion_hands_the_context_down() {
    #[cancellable]
    async fn down(depth: usize) -> Result<String, Cancelled> {
        ready(()).await;
        if depth == 0 {
            return Ok(ctx.path());
        }
        Box::pin(down(ctx, depth - 1)).await
    }
    assert_checked(|ctx| async move { down(&ctx, 20).await });
}

// guarantee A8
#[test]
fn a_boxed_recursive_function_is_annotated() {
    #[cancellable]
    fn down(depth: usize) -> BoxFuture<'static, Result<String, Cancelled>> {
        Box::pin(async move {
            ready(()).await;
            if depth == 0 {
                return Ok(ctx.path());
            }
            down(ctx, depth - 1).await
        })
    }
    assert_checked(|ctx| down(ctx, 20));
}

// guarantee A8
#[test]
fn a_nested_function_has_a_context_of_its_own() {
    #[cancellable]
    async fn outer() -> Result<String, Cancelled> {
        #[cancellable]
        async fn inner(depth: u8) -> Result<String, Cancelled> {
            ready(depth).await;
            Ok(ctx.path())
        }
        inner(ctx, 1).await
    }
    assert_checked(|ctx| async move { outer(&ctx).await });
}

mod without_safety {
    #![expect(unsafe_code, reason = "an unsafe function is annotated")]

    use super::*;

    #[cancellable]
    async unsafe fn annotated(value: &u8) -> Result<String, Cancelled> {
        ready(value).await;
        Ok(ctx.path())
    }

    // guarantee A8
    #[test]
    fn an_unsafe_function_stays_unsafe() {
        // SAFETY: the function asks for nothing.
        assert_checked(|ctx| async move { unsafe { annotated(&ctx, &1) }.await });
    }
}
