//! Less time for a route.

use std::panic::Location;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::asked::Asked;
use super::body::ContextBody;
use super::end::{LimitedBy, RequestEnd};
use super::exchange::Exchange;
use super::response::ResponseFuture;
use super::scoped::CALLED_ONCE;
use crate::context::Context;

/// Limits the time of a route's requests, their bodies included, below the context that they have: that in the
/// extensions of the request, or else the current one. The answer to a request that had no more time is 504 (gateway
/// timeout), without content, or gRPC's `DEADLINE_EXCEEDED`.
#[derive(Clone, Copy, Debug)]
pub struct TimeoutLayer {
    timeout: Duration,
    place: &'static Location<'static>,
}

impl TimeoutLayer {
    /// Makes one.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::tower::TimeoutLayer;
    /// use std::time::Duration;
    ///
    /// let layer = TimeoutLayer::new(Duration::from_millis(50));
    /// ```
    #[must_use]
    #[track_caller]
    pub const fn new(timeout: Duration) -> Self {
        let place = Location::caller();
        Self { timeout, place }
    }
}

impl<S> Layer<S> for TimeoutLayer {
    type Service = TimeoutService<S>;

    fn layer(&self, inner: S) -> TimeoutService<S> {
        TimeoutService {
            layer: *self,
            inner,
        }
    }
}

/// A service whose requests have less time; made by [`TimeoutLayer`].
#[derive(Clone, Debug)]
pub struct TimeoutService<S> {
    layer: TimeoutLayer,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for TimeoutService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Body,
{
    type Response = Response<ContextBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, task: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let above = request.extensions().get().cloned();
        let above = above.unwrap_or_else(Context::current);
        let (after, by) = (self.layer.timeout, LimitedBy::Route);
        let context = RequestEnd::after(after, by, &above, self.layer.place);
        if let Some(above) = request.extensions_mut().get_mut() {
            *above = context.clone();
        }
        let mut asked = Asked::by(&request);
        asked.share_causes(request.extensions());
        let exchange = Exchange::within(context, asked);
        let mut request = Some(request);
        let call = || self.inner.call(request.take().expect(CALLED_ONCE));
        ResponseFuture::call(exchange, call)
    }
}
