//! Annotated functions, compiled with the real attribute and read by the tool.
//!
//! `trip.step().await` is pending once it has cancelled the context, `trip.now()` only cancels it:
//! what follows leaves before it begins.

use std::future::Future;

use cancel_context::{AsContext, Cancelled, Context, cancellable};

use super::agreement::Trip;

#[cancellable]
pub(crate) async fn explicit(trip: &Trip) -> Result<(), Cancelled> {
    trip.step().await;
    let größe = "ä";
    trip.step().await; /* after wide characters */
    trip.now();
    std::future::ready(größe.len()).await;
    if trip.step().await && { trip.step().await } {
        trip.now();
        return helper(ctx, trip).await;
    }
    Ok(())
}

#[cancellable]
async fn helper(trip: &Trip) -> Result<(), Cancelled> {
    trip.step().await;
    Ok(())
}

#[rustfmt::skip]
#[cancellable]
pub(crate) async fn tokens(trip: &Trip) -> Result<(), Cancelled> {
    assert!(trip.step().await, "{}", "not reached");
	assert_ne!(u8::from(trip.step().await), 0);
    let text = format!("{}", matches!(Some(trip.step().await), Some(true)));
    tokio::select! {
        biased;
        _ = trip.step() => {
            trip.step().await;
        }
    }
    trip.now();
    let (a, b) = tokio::join!(trip.step(), std::future::ready(text));
    assert!(a && !b.is_empty());
    Ok(())
}

#[cancellable(implicit)]
pub(crate) async fn implicit(trip: &Trip) {
    trip.step().await;
    trip.now();
    async {
        trip.step().await;
    }
    .await;
    let closure = async |trip: &Trip| trip.step().await;
    trip.now();
    closure(trip).await;
}

#[cancellable(implicit)]
pub(crate) async fn leaves_with_an_error(trip: &Trip) -> Result<(), Cancelled> {
    trip.step().await;
    trip.now();
    tokio::try_join!(async { Ok::<_, Cancelled>(trip.step().await) })?;
    trip.step().await;
    Ok(())
}

pub(crate) trait Work {
    async fn provided(&self, trip: &Trip) -> Result<(), Cancelled>;
}

pub(crate) struct Worker;

#[cancellable(implicit)]
impl Work for Worker {
    async fn provided(&self, trip: &Trip) -> Result<(), Cancelled> {
        trip.step().await;
        Ok(())
    }
}

#[cancellable(implicit)]
pub(crate) mod block {
    use super::{Cancelled, Future, Trip};

    pub(crate) async fn inside(trip: &Trip) -> Option<u8> {
        trip.step().await.then_some(1)
    }

    pub(crate) fn future(trip: &Trip) -> impl Future<Output = Result<(), Cancelled>> {
        async move {
            trip.step().await;
            Ok(())
        }
    }
}

#[cancellable]
pub(crate) fn explicit_future(trip: Trip) -> impl Future<Output = Result<(), Cancelled>> {
    async move {
        trip.step().await;
        Ok(())
    }
}

#[cfg(any())]
#[cancellable]
async fn configured_out(trip: &Trip) {
    trip.step().await;
}

/// Not annotated: it only starts them.
pub(crate) async fn bare(ctx: impl AsContext, trip: &Trip) {
    let _: &Context = ctx.as_context();
    trip.step().await;
}
