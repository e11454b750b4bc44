//! Every kind of receiver.

use std::future::ready;
use std::ops::Deref;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use cancel_context::{Cancelled, Context, cancellable};

struct Service<'s> {
    name: &'s str,
}

impl<'s> Service<'s> {
    #[cancellable]
    async fn value(self) -> Result<&'s str, Cancelled> {
        Ok(ready(self.name).await)
    }

    #[cancellable]
    async fn reference(&self) -> Result<&str, Cancelled> {
        Ok(ready(self.name).await)
    }

    #[cancellable]
    async fn mutable(&mut self) -> Result<&mut Self, Cancelled> {
        self.name = ready("changed").await;
        Ok(self)
    }

    #[cancellable]
    async fn named<'a>(&'a self, _: &'s str) -> Result<&'a str, Cancelled> {
        Ok(ready(self.name).await)
    }

    #[cancellable]
    async fn boxed(self: Box<Self>) -> Result<&'s str, Cancelled> {
        Ok(ready(self.name).await)
    }

    #[cancellable]
    async fn shared(self: Arc<Self>) -> Result<&'s str, Cancelled> {
        Ok(ready(self.name).await)
    }

    #[cancellable]
    async fn counted(self: Rc<Self>) -> Result<&'s str, Cancelled> {
        Ok(ready(self.name).await)
    }

    #[cancellable]
    async fn reference_to_shared(self: &Arc<Self>) -> Result<&'s str, Cancelled> {
        Ok(ready(self.name).await)
    }

    #[cancellable]
    async fn pinned(self: Pin<&mut Self>) -> Result<&'s str, Cancelled> {
        Ok(ready(self.name).await)
    }

    #[cancellable]
    async fn pinned_box(self: Pin<Box<Self>>) -> Result<&'s str, Cancelled> {
        Ok(ready(self.name).await)
    }

    #[allow(clippy::needless_arbitrary_self_type)]
    #[cancellable]
    async fn typed(self: &Self, mut count: u8) -> Result<u8, Cancelled> {
        count += ready(1).await;
        Ok(count)
    }
}

impl Deref for Service<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        self.name
    }
}

#[tokio::main(flavor = "current_thread")]
pub async fn main() {
    let ctx = Context::background();
    let service = || Service { name: "s" };
    assert_eq!(service().value(&ctx).await.unwrap(), "s");
    assert_eq!(service().reference(&ctx).await.unwrap(), "s");
    assert_eq!(service().mutable(&ctx).await.unwrap().name, "changed");
    assert_eq!(service().named(&ctx, "x").await.unwrap(), "s");
    assert_eq!(Box::new(service()).boxed(&ctx).await.unwrap(), "s");
    assert_eq!(Arc::new(service()).shared(&ctx).await.unwrap(), "s");
    assert_eq!(Rc::new(service()).counted(&ctx).await.unwrap(), "s");
    assert_eq!(
        Arc::new(service()).reference_to_shared(&ctx).await.unwrap(),
        "s"
    );
    assert_eq!(Pin::new(&mut service()).pinned(&ctx).await.unwrap(), "s");
    assert_eq!(Box::pin(service()).pinned_box(&ctx).await.unwrap(), "s");
    assert_eq!(service().typed(&ctx, 1).await.unwrap(), 2);
    assert_eq!(service().len(), 1);
}
