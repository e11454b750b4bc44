//! The server of these tests: axum on hyper, with a context for each request.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::routing::any;
use cancel_context::tower::{ContextLayer, RequestEnd};
use cancel_context::{Canceller, Context, private};
use futures::{StreamExt, stream};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, yield_now};
use tokio::time;
use tower::util::MapRequestLayer;

/// Far more than anything takes that does not hang.
const BOUND: Duration = Duration::from_secs(20);

/// Awaits `future`, though not for ever.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    time::timeout(BOUND, future).await.expect("it hangs")
}

/// How the request of `context` ends.
pub(crate) async fn end_of(context: &Context) -> RequestEnd {
    soon(context.cancelled()).await;
    RequestEnd::of(context).expect("it has ended as requests do")
}

/// How a server differs from the usual one.
#[derive(Clone, Copy, Default)]
pub(crate) struct Options {
    /// How long a request may take.
    pub(crate) timeout: Option<Duration>,
    /// Whether a client that sends no more is taken to wait for its answer.
    pub(crate) has_half_close: bool,
}

/// A server, what has come to it, and what it does with its connections.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// Lets `/told` answer.
    pub(crate) told: Arc<Notify>,
    root: Context,
    _canceller: Canceller,
    requests: UnboundedReceiver<Context>,
    connections: UnboundedReceiver<JoinHandle<()>>,
}

impl Server {
    pub(crate) async fn start(options: Options) -> Self {
        let (root, canceller) = Context::background().with_cancel();
        let told = Arc::new(Notify::new());
        let (sender, requests) = unbounded_channel();
        let router = router(&root, options, Arc::clone(&told), sender);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, connections) = unbounded_channel();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let connection = serve(connection, router.clone(), options.has_half_close);
                if sender.send(tokio::spawn(connection)).is_err() {
                    return;
                }
            }
        });
        Self {
            address,
            told,
            root,
            _canceller: canceller,
            requests,
            connections,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// The context of the next request whose handler begins.
    pub(crate) async fn request(&mut self) -> Context {
        let request = soon(self.requests.recv()).await;
        request.expect("the server is there")
    }

    /// Whether no handler has begun but for those that were asked for.
    pub(crate) fn has_no_more_requests(&mut self) -> bool {
        self.requests.try_recv().is_err()
    }

    /// The next connection has ended, and not by a panic.
    pub(crate) async fn end_of_connection(&mut self) {
        let connection = soon(self.connections.recv()).await;
        let connection = connection.expect("the server is there");
        soon(connection).await.expect("a connection does not panic");
    }

    /// Nothing is left of any request.
    pub(crate) async fn rests(&self) {
        let at_rest = async {
            while private::children(&self.root) > 0 {
                yield_now().await;
            }
        };
        soon(at_rest).await;
    }
}

async fn serve(connection: TcpStream, router: Router, has_half_close: bool) {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().half_close(has_half_close);
    let service = TowerToHyperService::new(router);
    let connection = server.serve_connection(TokioIo::new(connection), service);
    // It fails if the client goes.
    connection.await.ok();
}

fn router(
    root: &Context,
    options: Options,
    told: Arc<Notify>,
    requests: UnboundedSender<Context>,
) -> Router {
    let layer = ContextLayer::new(root).timeout(options.timeout.unwrap_or(Duration::MAX));
    let note = MapRequestLayer::new(move |request: Request| {
        // It fails if the test has seen enough.
        requests.send(Context::current()).ok();
        request
    });
    let until_told = async move || {
        told.notified().await;
        "hello"
    };
    Router::new()
        .route("/", any(async || "hello"))
        .route("/wait", any(pending::<()>))
        .route("/told", any(until_told))
        .route("/read", any(read))
        .route("/hold", any(hold))
        .route("/try", any(read_and_wait))
        .route("/begin", any(async || begin()))
        .layer(note)
        .layer(layer)
}

/// Answers with the length of the request's body.
async fn read(request: Request) -> String {
    match axum::body::to_bytes(request.into_body(), 1 << 20).await {
        Ok(body) => body.len().to_string(),
        Err(error) => error.to_string(),
    }
}

/// Reads the body, if it can, and does not answer.
async fn read_and_wait(request: Request) {
    read(request).await;
    pending::<()>().await;
}

/// Has the body of its request, and does not read it.
async fn hold(_request: Request) {
    pending::<()>().await;
}

/// An answer that begins, and never ends.
fn begin() -> Body {
    let begun = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"begun"))]);
    Body::from_stream(begun.chain(stream::pending()))
}
