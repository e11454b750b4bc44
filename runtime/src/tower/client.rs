//! Requests that end with the context of who sends them.

use std::convert::identity;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};

use http::{HeaderMap, HeaderName, Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::asked::Asked;
use super::body::{ContextBody, Progress};
use super::exchange::Exchange;
use super::header::{self, TIMEOUT};
use super::scoped::{CALLED_ONCE, Scoped};
use crate::context::Context;

type BoxError = Box<dyn Error + Send + Sync>;

/// Ends the requests of a client with their context, and hands on the time that is left.
///
/// The context is that in the extensions of the request, or else the current one. One that has ended sends nothing.
/// When it ends, the request is dropped, which aborts it on the wire: HTTP/1.1 closes the connection, HTTP/2 resets
/// the stream. So does the body of the answer.
///
/// # Errors
///
/// The service gives the [`Cancelled`](crate::Cancelled), boxed, if the context has ended, and otherwise the error
/// of the client.
///
/// # Examples
///
/// ```
/// use cancel_context::tower::{ClientLayer, TIMEOUT};
/// use cancel_context::{Cancelled, Context};
/// use http::{Request, Response};
/// use http_body_util::Empty;
/// use std::convert::Infallible;
/// use std::time::Duration;
/// use tower::{Layer, Service, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let client = service_fn(async |request: Request<()>| {
///     assert!(request.headers().contains_key(TIMEOUT)); // the time that is left
///     Ok::<_, Infallible>(Response::new(Empty::<&[u8]>::new()))
/// });
/// let mut client = ClientLayer::new().layer(client);
///
/// let (ctx, canceller) = Context::background().with_timeout(Duration::from_secs(1)).with_cancel();
/// let mut request = Request::new(());
/// request.extensions_mut().insert(ctx);
/// client.call(request.clone()).await.unwrap();
///
/// canceller.cancel();
/// assert!(client.call(request).await.unwrap_err().is::<Cancelled>());
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ClientLayer {
    header: HeaderName,
    errors: fn(BoxError) -> BoxError,
}

impl ClientLayer {
    /// Makes one that hands the time on as [`TIMEOUT`].
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::tower::ClientLayer;
    ///
    /// let layer = ClientLayer::new();
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            header: TIMEOUT,
            errors: identity,
        }
    }

    /// Sets the header, as to [`GRPC_TIMEOUT`](super::GRPC_TIMEOUT).
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::tower::{ClientLayer, GRPC_TIMEOUT};
    ///
    /// let layer = ClientLayer::new().header(GRPC_TIMEOUT);
    /// ```
    #[must_use]
    pub fn header(mut self, name: HeaderName) -> Self {
        self.header = name;
        self
    }

    /// Has its errors made into what `errors` gives.
    #[cfg(feature = "tonic")]
    pub(crate) fn errors(mut self, errors: fn(BoxError) -> BoxError) -> Self {
        self.errors = errors;
        self
    }
}

impl Default for ClientLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for ClientLayer {
    type Service = ClientService<S>;

    fn layer(&self, inner: S) -> ClientService<S> {
        ClientService {
            layer: self.clone(),
            inner,
        }
    }
}

/// A client whose requests end with their context; made by [`ClientLayer`].
#[derive(Clone, Debug)]
pub struct ClientService<S> {
    layer: ClientLayer,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for ClientService<S>
where
    S: Service<Request<B>, Response = Response<R>, Error: Into<BoxError>>,
    R: Body,
{
    type Response = Response<ContextBody<R>>;
    type Error = BoxError;
    type Future = ClientFuture<S::Future>;

    fn poll_ready(&mut self, task: &mut Task<'_>) -> Poll<Result<(), BoxError>> {
        let errors = self.layer.errors;
        self.inner
            .poll_ready(task)
            .map_err(|error| errors(error.into()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let above = request.extensions().get().cloned();
        let context = above.unwrap_or_else(Context::current);
        hand_on_time(&context, &self.layer.header, request.headers_mut());
        let exchange = Exchange::within(context, Asked::by_us(self.layer.errors));
        let mut request = Some(request);
        let call = || self.inner.call(request.take().expect(CALLED_ONCE));
        ClientFuture {
            scoped: Scoped::call(exchange, call),
        }
    }
}

/// Says how much time is left, unless a shorter one is said.
pub(crate) fn hand_on_time(context: &Context, name: &HeaderName, headers: &mut HeaderMap) {
    if let Some(remaining) = context.remaining()
        && header::shortest(headers).is_none_or(|given| given > remaining)
    {
        headers.insert(name.clone(), header::format(remaining));
    }
}

/// Has the body of an answer end with `context`.
#[cfg(feature = "reqwest")]
pub(crate) fn until_cancelled<B: Body>(
    context: &Context,
    answer: Response<B>,
) -> Response<ContextBody<B>> {
    let mut exchange = Exchange::within(context.clone(), Asked::by_us(identity));
    exchange.progress = Progress::of(answer.body(), true);
    answer.map(|body| ContextBody::new(exchange, body))
}

pin_project! {
    /// The answer to a request that was sent; made by [`ClientService`].
    #[must_use = "futures do nothing unless polled"]
    pub struct ClientFuture<F> {
        #[pin]
        scoped: Scoped<F>,
    }
}

impl<F, B, E> Future for ClientFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
    E: Into<BoxError>,
{
    type Output = Result<Response<ContextBody<B>>, BoxError>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let mut answer = None;
        let (polled, mut exchange) = ready!(self.project().scoped.poll(task, &mut answer));
        let answer = match polled {
            Ok(()) => answer.expect("it is there, as its context has not ended"),
            Err(cancelled) => return Poll::Ready(Err(exchange.asked.error(cancelled.into()))),
        };
        let response = answer.map_err(|error| exchange.asked.error(error.into()))?;
        exchange.progress = Progress::of(response.body(), true);
        Poll::Ready(Ok(response.map(|body| ContextBody::new(exchange, body))))
    }
}

impl<F> fmt::Debug for ClientFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.scoped.fmt(f)
    }
}
