//! Requests with a context.

use std::panic::Location;
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::asked::Asked;
use super::body::ContextBody;
use super::causes::Causes;
use super::end::{LimitedBy, Server};
use super::exchange::Exchange;
use super::header;
use super::lazy::RequestContext;
use super::response::ResponseFuture;
use super::scoped::CALLED_ONCE;
use crate::canceller::Canceller;
use crate::context::Context;
use crate::named::Name;

/// How much of a path is in the name of a context.
const MAX_PATH: usize = 80;

/// Gives each request a context.
///
/// It is below the context of the server, is named by the method and the path, and is the [current
/// one](Context::current) while the request is answered and its body is sent. It ends as
/// [`RequestEnd`](super::RequestEnd) says, and so do the tasks that it has spawned. Work that is to go on when the
/// request has ended is spawned with [`Context::without_cancel`].
///
/// A service that hands requests to another task, such as tower's `Buffer`, has to take it along: the context in the
/// extensions of a request, where it has one, is that of the layers and the extractors further inside.
///
/// It costs little until somebody asks for it: then it is made.
///
/// The time is the shortest of that of the [header](super::TIMEOUT) and that of [`timeout`](Self::timeout); a
/// [`TimeoutLayer`](super::TimeoutLayer) further inside may give less.
///
/// That a client has gone is found out by the server below. hyper finds it out at once with HTTP/2. With HTTP/1.1 it
/// does as it reads on: not while the handler leaves the body of the request unread, nor once that could not be read;
/// not behind a request that was pipelined; and not at all if clients may close their half (`half_close`), who have
/// gone otherwise. What goes unseen ends with its time, so set one.
///
/// What is upgraded (a `WebSocket`, say) outlives the answer; run it in a context of its own.
///
/// # Examples
///
/// ```
/// use cancel_context::Context;
/// use cancel_context::tower::ContextLayer;
/// use http::{Request, Response};
/// use http_body_util::BodyExt;
/// use std::convert::Infallible;
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let service = service_fn(async |_: Request<()>| {
///     let path = Context::current().path();
///     Ok::<_, Infallible>(Response::new(path))
/// });
/// let service = ContextLayer::new(&Context::background().with_name("shop")).layer(service);
///
/// let request = Request::get("/orders").body(()).unwrap();
/// let body = service.oneshot(request).await.unwrap().into_body();
/// assert_eq!(body.collect().await.unwrap().to_bytes(), "shop/GET /orders");
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ContextLayer {
    server: Context,
    /// What the server's context ends with: one look at that mostly tells that it has not ended.
    ender: Context,
    timeout: Option<Duration>,
    /// If they are shared.
    causes: Option<Arc<Causes>>,
    place: &'static Location<'static>,
}

impl ContextLayer {
    /// Makes one for the server of this context.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use cancel_context::tower::ContextLayer;
    ///
    /// let (server, canceller) = Context::background().with_cancel();
    /// let layer = ContextLayer::new(&server);
    /// canceller.cancel(); // ends all requests
    /// ```
    #[must_use]
    #[track_caller]
    pub fn new(server: &Context) -> Self {
        Self {
            server: server.with_value(Server(server.clone())),
            ender: server.anchor().cloned().unwrap_or(Context::background()),
            timeout: None,
            causes: None,
            place: Location::caller(),
        }
    }

    /// Limits the time that any request may take, its body included.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use cancel_context::tower::ContextLayer;
    /// use std::time::Duration;
    ///
    /// let layer = ContextLayer::new(&Context::background()).timeout(Duration::from_secs(30));
    /// ```
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Lets callers say why they cancel, and tells them why their requests were.
    ///
    /// For listeners that only peers within one's own reach can connect to: the texts may tell more than others
    /// should know. Nobody can cancel the request of somebody else, whose number is random. What a caller says is the
    /// cause [`RequestEnd::CancelledByCaller`](super::RequestEnd::CancelledByCaller);
    /// [`CauseLayer`](super::CauseLayer) says it. What is told to such a caller is the header
    /// [`CAUSE`](super::CAUSE) of answers that were made after the end, and the trailers of gRPC.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use cancel_context::tower::ContextLayer;
    ///
    /// let layer = ContextLayer::new(&Context::background()).share_causes();
    /// ```
    #[must_use]
    pub fn share_causes(mut self) -> Self {
        self.causes = Some(Arc::default());
        self
    }
}

impl ContextLayer {
    pub(super) const fn ender(&self) -> &Context {
        &self.ender
    }

    pub(super) const fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// Derives the context of a request.
    pub(super) fn derive(&self, name: Name) -> (Context, Canceller) {
        self.server.with_named_cancel(name, self.place)
    }

    /// Ends the request that `request` is about, if it tells a cause; whether there is one.
    fn tell<B>(&self, request: &Request<B>) -> Option<bool> {
        self.causes.as_ref()?.tell(request, self.place)
    }
}

impl<S> Layer<S> for ContextLayer {
    type Service = ContextService<S>;

    fn layer(&self, inner: S) -> ContextService<S> {
        ContextService {
            layer: Arc::new(self.clone()),
            inner,
        }
    }
}

/// A service whose requests have a context; made by [`ContextLayer`].
#[derive(Clone, Debug)]
pub struct ContextService<S> {
    /// Shared: servers clone their services for each request.
    layer: Arc<ContextLayer>,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for ContextService<S>
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
        let layer = &self.layer;
        if let Some(is_known) = layer.tell(&request) {
            return ResponseFuture::told(is_known);
        }
        let context = || RequestContext::new(layer, name(&request));
        let mut exchange = Exchange::of(context, Asked::by(&request));
        if let Some((by, after)) = self.limit(&request) {
            exchange.limit(by, after);
        }
        if let Some(causes) = &layer.causes {
            exchange.share_causes(causes, &mut request);
        }
        let mut request = Some(request);
        let call = || self.inner.call(request.take().expect(CALLED_ONCE));
        ResponseFuture::call(exchange, call)
    }
}

impl<S> ContextService<S> {
    fn limit<B>(&self, request: &Request<B>) -> Option<(LimitedBy, Duration)> {
        let of_caller = header::shortest(request.headers()).map(|after| (LimitedBy::Caller, after));
        let of_server = self.layer.timeout.map(|after| (LimitedBy::Server, after));
        of_caller
            .into_iter()
            .chain(of_server)
            .min_by_key(|(_, after)| *after)
    }
}

/// The method and the path, which is percent-encoded, without what follows its first characters.
fn name<B>(request: &Request<B>) -> Name {
    let path = request.uri().path();
    let path = path.get(..MAX_PATH).unwrap_or(path);
    Name::of(request.method().as_str(), path)
}
