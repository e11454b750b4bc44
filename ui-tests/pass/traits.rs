//! Trait methods: native, and usable as `dyn` under `#[async_trait]`.

use std::fmt::Debug;
use std::future::ready;
use std::sync::Arc;

use async_trait::async_trait;
use cancel_context::{Cancelled, Context, cancellable};

trait Native {
    type Row: Debug + PartialEq;

    const LIMIT: u8;

    #[cancellable]
    async fn fetch(&self, id: u8) -> Result<Self::Row, Cancelled>;

    #[cancellable]
    async fn fetch_limit(&self) -> Result<Self::Row, Cancelled> {
        self.fetch(ctx, Self::LIMIT).await
    }
}

struct Table;

impl Native for Table {
    type Row = u16;

    const LIMIT: u8 = 9;

    #[cancellable]
    async fn fetch(&self, id: u8) -> Result<u16, Cancelled> {
        Ok(u16::from(ready(id).await))
    }
}

#[async_trait]
trait Store<K: Send + Sync + 'static>: Send + Sync {
    #[cancellable]
    async fn load(&self, key: &K, fallback: &str) -> Result<String, Cancelled>;

    #[cancellable]
    async fn provided<'a>(&'a mut self, name: &'a str) -> Result<&'a str, Cancelled> {
        Ok(ready(name).await)
    }

    #[cancellable]
    async fn shared(self: Arc<Self>) -> Result<usize, Cancelled>;

    #[cancellable(ctx = parent)]
    async fn taken(&self, parent: &Context) -> Result<String, Cancelled>;

    #[cancellable(on_cancel = ())]
    async fn close(&self);

    #[cancellable]
    async fn generic<T>(&self, value: T) -> Result<T, Cancelled>
    where
        Self: Sized,
        T: Send + 'static,
    {
        Ok(ready(value).await)
    }
}

#[async_trait]
impl Store<u8> for Table {
    #[cancellable]
    async fn load(&self, key: &u8, fallback: &str) -> Result<String, Cancelled> {
        let text = ready(key.to_string()).await;
        tokio::task::yield_now().await;
        Ok(text + fallback)
    }

    #[cancellable]
    async fn shared(self: Arc<Self>) -> Result<usize, Cancelled> {
        Ok(ready(Arc::strong_count(&self)).await)
    }

    #[cancellable(ctx = parent)]
    async fn taken(&self, parent: &Context) -> Result<String, Cancelled> {
        ready(()).await;
        Ok(parent.path())
    }

    #[cancellable(on_cancel = ())]
    async fn close(&self) {
        ready(()).await;
    }
}

#[tokio::main(flavor = "current_thread")]
pub async fn main() {
    let ctx = Context::background().with_name("request");
    assert_eq!(Table.fetch_limit(&ctx).await.unwrap(), 9);
    let mut store: Box<dyn Store<u8>> = Box::new(Table);
    assert_eq!(store.load(&ctx, &7, "!").await.unwrap(), "7!");
    assert_eq!(store.provided(&ctx, "name").await.unwrap(), "name");
    assert_eq!(store.taken(&ctx).await.unwrap(), "request");
    store.close(&ctx).await;
    let store: Arc<dyn Store<u8>> = Arc::new(Table);
    let task = tokio::spawn({
        let (ctx, store) = (ctx.clone(), Arc::clone(&store));
        async move { store.load(&ctx, &7, "?").await }
    });
    assert_eq!(task.await.unwrap().unwrap(), "7?");
    assert_eq!(store.shared(&ctx).await.unwrap(), 1);
    assert_eq!(Table.generic(&ctx, 7).await.unwrap(), 7);
}
