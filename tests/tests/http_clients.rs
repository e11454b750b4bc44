//! Requests that end with the context of who sends them, on real sockets.

use std::convert::Infallible;
use std::future::pending;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use cancel_context::tower::{
    ClientLayer, ClientService, ContextLayer, GRPC_TIMEOUT, RequestEnd, TIMEOUT,
};
use cancel_context::{Cancelled, Context};
use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use futures::{FutureExt, StreamExt};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer, Service, service_fn};

type HyperClient = Client<HttpConnector, Empty<Bytes>>;

/// A server by hand, and a client.
struct Peers {
    listener: TcpListener,
    client: ClientService<HyperClient>,
    address: String,
}

impl Peers {
    async fn with(layer: ClientLayer) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self {
            listener,
            client: layer.layer(client),
            address,
        }
    }

    fn get(&self) -> Request<Empty<Bytes>> {
        Request::get(&self.address).body(Empty::new()).unwrap()
    }

    /// The next connection, and the head of its request.
    async fn accept(&self) -> (TcpStream, String) {
        let (mut connection, _) = self.listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(connection.read_u8().await.unwrap());
        }
        (connection, String::from_utf8(head).unwrap())
    }
}

fn is_cancelled(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    error.is::<Cancelled>()
}

// guarantee E3
#[tokio::test]
async fn a_context_that_has_ended_opens_no_connection() {
    let mut peers = Peers::with(ClientLayer::new()).await;
    let (ctx, canceller) = Context::background().with_cancel();
    canceller.cancel();
    let mut request = peers.get();
    request.extensions_mut().insert(ctx);
    let error = peers.client.call(request).await.unwrap_err();
    assert!(is_cancelled(&*error), "{error}");
    assert!(peers.listener.accept().now_or_never().is_none());
}

// guarantee E3
#[tokio::test]
async fn a_cancel_aborts_the_request_on_the_wire_at_once() {
    let mut took = Vec::new();
    for _ in 0..9 {
        let mut peers = Peers::with(ClientLayer::new()).await;
        let (ctx, canceller) = Context::background().with_cancel();
        let mut request = peers.get();
        request.extensions_mut().insert(ctx);
        let answer = tokio::spawn(peers.client.call(request));
        let (mut connection, _) = peers.accept().await;
        let at = Instant::now();
        canceller.cancel();
        // Closed, or reset.
        assert_eq!(connection.read(&mut [0]).await.unwrap_or(0), 0);
        took.push(at.elapsed());
        assert!(is_cancelled(&*answer.await.unwrap().unwrap_err()));
    }
    took.sort();
    assert!(took[4] < Duration::from_millis(50), "{took:?}");
}

/// A server of HTTP/2 whose requests are never answered, and their contexts.
fn serve_2(listener: TcpListener) -> UnboundedReceiver<Context> {
    let (sender, requests) = unbounded();
    let service = service_fn(move |_: Request<Incoming>| {
        sender.unbounded_send(Context::current()).unwrap();
        pending::<Result<Response<Empty<Bytes>>, Infallible>>()
    });
    let layer = ContextLayer::new(&Context::background());
    let service = TowerToHyperService::new(layer.layer(service));
    tokio::spawn(async move {
        let (connection, _) = listener.accept().await.unwrap();
        let server = http2::Builder::new(TokioExecutor::new());
        server
            .serve_connection(TokioIo::new(connection), service)
            .await
    });
    requests
}

// guarantees E2, E3
#[tokio::test]
async fn a_cancel_resets_the_stream_and_ends_the_request_at_the_server_at_once() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let mut requests = serve_2(listener);
    let client: HyperClient = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    let mut client = ClientLayer::new().layer(client);
    let mut took = Vec::new();
    for _ in 0..9 {
        let (ctx, canceller) = Context::background().with_cancel();
        let mut request = Request::get(&address).body(Empty::new()).unwrap();
        request.extensions_mut().insert(ctx);
        let answer = tokio::spawn(client.call(request));
        // They all come over the connection that was accepted.
        let of_server = requests.next().await.unwrap();
        let at = Instant::now();
        canceller.cancel();
        of_server.cancelled().await;
        took.push(at.elapsed());
        assert_eq!(RequestEnd::of(&of_server), Some(RequestEnd::Disconnected));
        assert!(is_cancelled(&*answer.await.unwrap().unwrap_err()));
    }
    took.sort();
    assert!(took[4] < Duration::from_millis(50), "{took:?}");
}

// guarantee E3
#[tokio::test]
async fn the_body_of_the_answer_ends_as_well() {
    let peers = Peers::with(ClientLayer::new()).await;
    let (ctx, canceller) = Context::background().with_cancel();
    // The current context counts if the request has none.
    let (mut client, request) = (peers.client.clone(), peers.get());
    let answer = ctx.clone().spawn(async move { client.call(request).await });
    let (mut connection, _) = peers.accept().await;
    let begun = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello";
    connection.write_all(begun).await.unwrap();
    let mut body = answer.await.unwrap().unwrap().into_body();
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "hello");
    canceller.cancel();
    let error = body.frame().await.unwrap().unwrap_err();
    assert!(is_cancelled(&*error), "{error}");
    assert_eq!(connection.read(&mut [0]).await.unwrap_or(0), 0);
}

/// The headers of a request that is sent with `given` under a context with `time`.
async fn sent(layer: ClientLayer, given: Option<&str>, time: Option<Duration>) -> String {
    let mut peers = Peers::with(layer).await;
    let ctx = Context::background();
    let ctx = time.map_or(ctx.clone(), |time| ctx.with_timeout(time));
    let mut request = peers.get();
    request.extensions_mut().insert(ctx);
    if let Some(given) = given {
        let given = given.parse().unwrap();
        request.headers_mut().insert(TIMEOUT, given);
    }
    let answer = tokio::spawn(peers.client.call(request));
    let (_connection, head) = peers.accept().await;
    answer.abort();
    head
}

// guarantee E4
#[tokio::test]
async fn the_time_that_is_left_is_handed_on() {
    let time = Some(Duration::from_secs(100));
    let head = sent(ClientLayer::new(), None, time).await;
    assert!(head.contains("\r\nx-request-timeout: 99"), "{head}");
    let head = sent(ClientLayer::new().header(GRPC_TIMEOUT), None, time).await;
    assert!(head.contains("\r\ngrpc-timeout: 99"), "{head}");
    let head = sent(ClientLayer::new(), None, None).await;
    assert!(!head.contains("timeout"), "{head}");
}

// guarantee E4
#[tokio::test]
async fn a_shorter_time_that_was_given_stays() {
    let time = Some(Duration::from_secs(100));
    let head = sent(ClientLayer::new(), Some("7S"), time).await;
    assert!(head.contains("\r\nx-request-timeout: 7S\r\n"), "{head}");
    // As in a request that is forwarded.
    let head = sent(ClientLayer::new(), Some("700S"), time).await;
    assert!(head.contains("\r\nx-request-timeout: 99"), "{head}");
    let head = sent(ClientLayer::new(), Some("7S"), None).await;
    assert!(head.contains("\r\nx-request-timeout: 7S\r\n"), "{head}");
}
