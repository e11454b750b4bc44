//! A server, and clients of it.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::net::SocketAddr;

use axum::body::{Body, Bytes};
use cancel_context::tower::{ContextBody, ContextLayer, RequestEnd};
use cancel_context::{Canceller, Context};
use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::header::HeaderName;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tower::util::BoxCloneSyncService;
use tower::{Layer, service_fn};

pub(crate) type Answer = Result<Response<Body>, Infallible>;

/// A server, and the contexts of the requests that have come to it.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) root: Context,
    pub(crate) canceller: Canceller,
    pub(crate) requests: UnboundedReceiver<Context>,
}

impl Server {
    /// Answers each request with what `answer` gives.
    pub(crate) async fn start<F: Future<Output = Answer> + Send + 'static>(
        layer: impl FnOnce(&Context) -> ContextLayer,
        answer: impl Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    ) -> Self {
        let (root, canceller) = Context::background().with_cancel();
        let (sender, requests) = unbounded();
        let service = layer(&root).layer(service_fn(move |request: Request<Incoming>| {
            note(&sender);
            answer(request)
        }));
        Self {
            address: serve(BoxCloneSyncService::new(service)).await,
            root,
            canceller,
            requests,
        }
    }

    /// The context of the next request that comes.
    pub(crate) async fn request(&mut self) -> Context {
        self.requests.next().await.expect("the server is there")
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    pub(crate) async fn connect_1(&self) -> http1::SendRequest<Empty<Bytes>> {
        let io = TokioIo::new(self.connect().await);
        let (sender, connection) = http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    pub(crate) async fn connect_2(&self) -> http2::SendRequest<Empty<Bytes>> {
        let io = TokioIo::new(self.connect().await);
        let handshake = http2::handshake(TokioExecutor::new(), io);
        let (sender, connection) = handshake.await.unwrap();
        tokio::spawn(connection);
        sender
    }
}

/// Tells that a request has come. Its context is the current one.
pub(crate) fn note(requests: &UnboundedSender<Context>) {
    // It fails if the test has seen enough.
    requests.unbounded_send(Context::current()).ok();
}

pub(crate) type Layered =
    BoxCloneSyncService<Request<Incoming>, Response<ContextBody<Body>>, Infallible>;

pub(crate) async fn serve(service: Layered) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                let connection = server.serve_connection(TokioIo::new(connection), service);
                // It fails if the client has gone.
                connection.await.ok();
            });
        }
    });
    address
}

pub(crate) fn get() -> Request<Empty<Bytes>> {
    get_with(&[])
}

pub(crate) fn get_with(headers: &[(HeaderName, &str)]) -> Request<Empty<Bytes>> {
    let mut request = Request::new(Empty::new());
    for (name, value) in headers {
        let value = value.parse().unwrap();
        request.headers_mut().append(name, value);
    }
    request
}

pub(crate) fn text(text: &'static str) -> Ready<Answer> {
    ready(Ok(Response::new(Body::from(text))))
}

pub(crate) async fn end_of(context: &Context) -> RequestEnd {
    context.cancelled().await;
    RequestEnd::of(context).expect("it has ended as requests do")
}
