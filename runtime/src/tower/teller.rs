//! Requests that say why they are cancelled: the client's side of [`super::causes`].
//!
//! Invariants:
//! 1. A request, or the body of its answer, that is dropped when its context has ended is kept until the peer has
//!    answered that it knows the cause, or [`BOUND`] is over. Then it is dropped, which resets it.
//! 2. Nobody waits for that: it is a task of the runtime in which the request was sent. Without one, or when that is
//!    gone, the request is dropped at once.

use std::any::Any;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Response, Uri};
use http_body::{Body, Frame, SizeHint};
use tokio::runtime::Handle;
use tower_layer::Layer;
use tower_service::Service;

use super::cause::{self, CAUSE};
use super::causes::{NUMBER, PATH};
use crate::context::Context;

/// How long a reset waits at most for the peer to know the cause.
const BOUND: Duration = Duration::from_millis(50);

/// Has the peer of a client know why its requests were cancelled.
///
/// For peers within one's own reach whose [`ContextLayer`](super::ContextLayer) has
/// [`share_causes`](super::ContextLayer::share_causes): the text may tell more than others should know. It goes
/// around the client, and inside of [`ClientLayer`](super::ClientLayer) or of that of the module `tonic`.
///
/// When a context ends, its cause is sent in a request of its own, and the one in flight is reset when that is
/// answered, or after 50 ms. Then the peer's context ends with
/// [`RequestEnd::CancelledByCaller`](super::RequestEnd::CancelledByCaller) instead of
/// [`Disconnected`](super::RequestEnd::Disconnected). HTTP/2 has room for it in the same connection. Requests need
/// a tokio runtime when they are sent; without one they are cancelled without a text.
///
/// # Examples
///
/// ```
/// use cancel_context::tower::{CauseLayer, ClientLayer};
/// use cancel_context::Context;
/// use http::{Request, Response};
/// use std::convert::Infallible;
/// use std::future::pending;
/// use tokio::sync::mpsc;
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (sent, mut received) = mpsc::unbounded_channel();
/// // In place of a client of hyper.
/// let client = service_fn(move |request: Request<String>| {
///     sent.send(request).unwrap();
///     pending::<Result<Response<String>, Infallible>>()
/// });
/// let client = ClientLayer::new().layer(CauseLayer::new().layer(client));
///
/// let (ctx, canceller) = Context::background().with_cancel();
/// let answer = ctx.spawn(client.oneshot(Request::new(String::new())));
/// received.recv().await.unwrap();
/// canceller.cancel_with("the user hung up");
/// assert!(answer.await.unwrap().is_err());
/// let told = received.recv().await.unwrap();
/// assert_eq!(told.headers()["x-cancel-cause"], "the%20user%20hung%20up");
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct CauseLayer(());

impl CauseLayer {
    /// Makes one.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::tower::CauseLayer;
    ///
    /// let layer = CauseLayer::new();
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }
}

impl<S> Layer<S> for CauseLayer {
    type Service = CauseService<S>;

    fn layer(&self, inner: S) -> CauseService<S> {
        CauseService { inner }
    }
}

/// A client whose requests say why they are cancelled; made by [`CauseLayer`].
#[derive(Clone, Debug)]
pub struct CauseService<S> {
    inner: S,
}

/// Tells why a context has ended, and then drops what is given to it.
type Teller = Box<dyn FnOnce(Box<dyn Any + Send>) + Send>;

impl<S, B, R> Service<Request<B>> for CauseService<S>
where
    S: Service<Request<B>, Response = Response<R>, Future: Send + 'static> + Clone + Send + 'static,
    S::Error: Send,
    B: Default + Send + 'static,
    R: Send + 'static,
{
    type Response = Response<CauseBody<R>>;
    type Error = S::Error;
    type Future = CauseFuture<S::Future>;

    fn poll_ready(&mut self, task: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let above = request.extensions().get().cloned();
        let context = above.unwrap_or_else(Context::current);
        let numbered = new_number().zip(Handle::try_current().ok());
        let teller = numbered.map(|(number, runtime)| {
            request.headers_mut().insert(NUMBER, number.clone());
            let told = about(&request, number);
            teller_of(context, runtime, self.inner.clone(), told)
        });
        CauseFuture {
            answer: Guarded::new(self.inner.call(request), teller),
        }
    }
}

/// Of a request: nobody else can guess it. `None` if the system has no random numbers.
fn new_number() -> Option<HeaderValue> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    HeaderValue::try_from(format!("{:032x}", u128::from_le_bytes(bytes))).ok()
}

/// The request in which the cause of `request` is told, but for the text.
fn about<B, N: Default>(request: &Request<B>, number: HeaderValue) -> Request<N> {
    let mut uri = request.uri().clone().into_parts();
    uri.path_and_query = Some(PathAndQuery::from_static(PATH));
    let mut told = Request::new(N::default());
    *told.method_mut() = Method::POST;
    *told.version_mut() = request.version();
    *told.uri_mut() = Uri::from_parts(uri).unwrap_or_else(|_| Uri::from_static(PATH));
    told.headers_mut().insert(NUMBER, number);
    told
}

fn teller_of<S, B>(context: Context, runtime: Handle, mut client: S, mut told: Request<B>) -> Teller
where
    S: Service<Request<B>, Future: Send> + Send + 'static,
    S::Error: Send,
    S::Response: Send,
    B: Send + 'static,
{
    Box::new(move |in_flight| {
        let Err(cancelled) = context.check() else {
            return;
        };
        let text = cause::format(&cancelled);
        told.headers_mut().insert(CAUSE, text);
        runtime.spawn(async move {
            let telling = async {
                poll_fn(|task| client.poll_ready(task)).await?;
                client.call(told).await
            };
            // Whatever comes of it: it was tried.
            let bound = Context::background().with_timeout(BOUND);
            bound.run(telling).await.ok();
            drop(in_flight);
        });
    })
}

/// What is handed to the teller when it is dropped before it has ended.
struct Guarded<T: Send + 'static> {
    inner: Option<Pin<Box<T>>>,
    teller: Option<Teller>,
}

impl<T: Send + 'static> Guarded<T> {
    fn new(inner: T, teller: Option<Teller>) -> Self {
        let inner = Some(Box::pin(inner));
        Self { inner, teller }
    }

    fn inner(&self) -> Option<&T> {
        self.inner.as_deref()
    }

    fn inner_mut(&mut self) -> Option<Pin<&mut T>> {
        self.inner.as_mut().map(Pin::as_mut)
    }

    /// It has ended, and is not to be told of any more.
    fn end(&mut self) -> Option<Teller> {
        self.inner = None;
        self.teller.take()
    }
}

impl<T: Send + 'static> Drop for Guarded<T> {
    fn drop(&mut self) {
        if let (Some(inner), Some(teller)) = (self.inner.take(), self.teller.take()) {
            teller(Box::new(inner));
        }
    }
}

/// The answer to a request that says why it is cancelled; made by [`CauseService`].
#[must_use = "futures do nothing unless polled"]
pub struct CauseFuture<F: Send + 'static> {
    answer: Guarded<F>,
}

impl<F, R, E> Future for CauseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>> + Send + 'static,
    R: Send + 'static,
{
    type Output = Result<Response<CauseBody<R>>, E>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let answer = self.answer.inner_mut();
        let answer = ready!(answer.expect("it is not polled after its end").poll(task));
        let teller = self.answer.end();
        Poll::Ready(answer.map(|response| {
            response.map(|body| CauseBody {
                body: Guarded::new(body, teller),
            })
        }))
    }
}

impl<F: Send + 'static> fmt::Debug for CauseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CauseFuture").finish_non_exhaustive()
    }
}

/// A body whose sender is told why it is cancelled; made by [`CauseService`].
pub struct CauseBody<B: Send + 'static> {
    body: Guarded<B>,
}

impl<B> Body for CauseBody<B>
where
    B: Body + Send + 'static,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let Some(body) = self.body.inner_mut() else {
            return Poll::Ready(None);
        };
        let frame = ready!(body.poll_frame(task));
        if !matches!(frame, Some(Ok(_))) || self.is_end_stream() {
            drop(self.body.end());
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.inner().is_none_or(B::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let body = self.body.inner();
        body.map_or_else(|| SizeHint::with_exact(0), B::size_hint)
    }
}

impl<B: Send + 'static> fmt::Debug for CauseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CauseBody").finish_non_exhaustive()
    }
}
