//! A crate that knows `cancel-context` by another name.

#![cfg(test)]

use std::future::ready;

use async_trait::async_trait;

mod reexported {
    pub(crate) use cc as context;
}

#[cc::cancellable(crate = cc)]
async fn work(id: u8) -> Result<u8, cc::Cancelled> {
    let found = tokio::select! {
        id = ready(id) => id,
        else => 0,
    };
    let (one,) = tokio::join!(ready(1));
    #[shield]
    let shielded = ready(1).await;
    Ok(found + one + shielded)
}

#[cc::cancellable(crate = crate::reexported::context, on_cancel = 0)]
async fn by_a_path() -> u8 {
    ready(1).await
}

#[cc::cancellable(crate = cc, implicit, inherit_spawns)]
mod implicit {
    use std::future::ready;

    pub(super) async fn returns() -> Result<u8, String> {
        let task = tokio::spawn(async { ready(1).await });
        task.await.map_err(|error| error.to_string())
    }

    pub(super) async fn is_unwound() -> usize {
        #[shield]
        ready(()).await;
        let (one,) = tokio::join!(ready(1));
        one
    }
}

#[cc::cancellable(crate = ::cc)]
async fn ensures() -> anyhow::Result<()> {
    anyhow::ensure!(ready(1).await == 1);
    Ok(())
}

#[async_trait]
trait Service {
    #[cc::cancellable(crate = cc)]
    async fn call(&self) -> Result<u8, cc::Cancelled>;
}

#[async_trait]
impl Service for u8 {
    #[cc::cancellable(crate = cc)]
    async fn call(&self) -> Result<u8, cc::Cancelled> {
        work(ctx, *self).await
    }
}

// guarantee A7
#[cc::cancellable(crate = cc)]
#[tokio::test]
async fn a_renamed_crate_is_named_by_an_option() -> Result<(), cc::Cancelled> {
    let service: &dyn Service = &5;
    assert_eq!(service.call(ctx).await?, 7);
    assert_eq!(by_a_path(ctx).await, 1);
    ensures(ctx).await.expect("one is one");
    assert_eq!(implicit::returns().await, Ok(1));
    assert_eq!(implicit::is_unwound().await, 1);
    Ok(())
}
