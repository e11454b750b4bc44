//! Ten thousand requests each of HTTP/1.1 and HTTP/2, whose clients go at a random moment, in a random way: nothing is
//! left of them.

#[path = "../src/bin/soak/heap.rs"]
mod heap;
#[path = "../src/bin/soak/random.rs"]
mod random;

use std::convert::Infallible;
use std::error::Error;
use std::future::pending;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use axum::routing::any;
use cancel_context::tower::ContextLayer;
use cancel_context::{Context, private};
use futures::{StreamExt, stream};
use http_body_util::BodyExt;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinSet, yield_now};

use crate::random::Random;

const REQUESTS: u64 = 1_000;
const ROUNDS: u64 = 10;
/// How many requests share a connection of HTTP/2.
const STREAMS: u64 = 20;
/// Rounds that do not count for the heap: tables reach their size.
const WARM_UP: u64 = 3;
/// What buffers and tables differ by from round to round; ten bytes lost by each request would be more.
const SLACK: isize = 64 * 1024;
/// The task that accepts, and the one that ends contexts on time.
const OF_SERVER: usize = 2;
/// How long the server lets a request live.
const TIME: Duration = Duration::from_millis(20);

/// Answers in a random way, and leaves a task behind.
async fn answer(seed: u64, request: Request) -> Response {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let mut random = Random::new(seed, NUMBER.fetch_add(1, Relaxed));
    Context::current().spawn(pending::<()>());
    if random.below(2) == 0 {
        // It fails if the client goes.
        axum::body::to_bytes(request.into_body(), 1 << 16)
            .await
            .ok();
    }
    match random.below(5) {
        0 => pending().await,
        1 => Response::new(Body::from_stream(stream::pending::<
            Result<Bytes, Infallible>,
        >())),
        2 => {
            let chunks = stream::repeat(Ok::<_, Infallible>(Bytes::from_static(b"chunk"))).take(20);
            let chunks = chunks.then(async |chunk| {
                yield_now().await;
                chunk
            });
            Response::new(Body::from_stream(chunks))
        }
        _ => Response::new(Body::from("hello")),
    }
}

#[derive(Clone, Copy, Debug)]
enum Protocol {
    Http1,
    Http2,
}

impl Protocol {
    /// Sends a round of requests, each from another random stream.
    async fn send(self, address: SocketAddr, seed: u64, round: u64) {
        let random = move |number| Random::new(seed, (round * REQUESTS + number) | 1 << 40);
        // The server may go first.
        match self {
            Self::Http1 => {
                let requests = stream::iter(0..REQUESTS);
                let one = async |number| {
                    let request = request(address, random(number));
                    tokio::spawn(request).await.unwrap().ok();
                };
                requests.for_each_concurrent(50, one).await;
            }
            Self::Http2 => {
                let connections = stream::iter((0..REQUESTS).step_by(as_index(STREAMS)));
                let one = async |first| {
                    let requests = (first..first + STREAMS).map(random);
                    let of_connection = random(first + REQUESTS * ROUNDS);
                    let connection = connection(address, of_connection, requests.collect());
                    tokio::spawn(connection).await.unwrap().ok();
                };
                connections.for_each_concurrent(8, one).await;
            }
        }
    }
}

fn as_index(number: u64) -> usize {
    usize::try_from(number).expect("it is small")
}

async fn yield_some(count: u64) {
    for _ in 0..count {
        yield_now().await;
    }
}

/// Sends requests at the same time over a connection of HTTP/2, and goes, maybe before they are answered.
async fn connection(
    address: SocketAddr,
    mut random: Random,
    requests: Vec<Random>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    if random.below(2) == 0 {
        stream.set_zero_linger()?;
    }
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (client, connection) = handshake.await?;
    let connection = tokio::spawn(connection);
    let requests = requests.into_iter();
    let requests = requests.map(|random| stream_of(client.clone(), random));
    let mut requests: JoinSet<_> = requests.collect();
    if random.below(3) == 0 {
        yield_some(random.below(200)).await;
        connection.abort();
    }
    while let Some(ended) = requests.join_next().await {
        // It fails if the server has gone first, or the connection.
        ended?.ok();
    }
    Ok(())
}

/// Sends a request as a stream of a connection, and resets it at a random moment.
async fn stream_of(
    mut client: http2::SendRequest<Body>,
    mut random: Random,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let begun = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"hello"))]);
    let body = match random.below(3) {
        0 => Body::from_stream(begun.chain(stream::pending())),
        _ => Body::from_stream(begun),
    };
    client.ready().await?;
    let request = hyper::Request::post("http://here/").body(body)?;
    let answer = client.send_request(request);
    let (kind, turns) = (random.below(4), random.below(20));
    let mut body = tokio::select! {
        () = yield_some(turns), if kind < 2 => return Ok(()),
        answer = answer => answer?.into_body(),
    };
    if kind == 2 {
        body.frame().await.transpose()?;
    } else {
        // The server goes first, at its timeout, or it is read to its end.
        body.collect().await?;
    }
    Ok(())
}

/// Sends a request of HTTP/1.1, or a part of one, and goes.
async fn request(address: SocketAddr, mut random: Random) -> io::Result<()> {
    let mut connection = TcpStream::connect(address).await?;
    let request = b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 5\r\n\r\nhello";
    let sent = match random.below(3) {
        0 => random.index(request.len()),
        _ => request.len(),
    };
    connection.write_all(&request[..sent]).await?;
    match random.below(4) {
        0 => {}
        1 => {
            yield_some(random.below(20)).await;
        }
        // The server goes first, at its timeout, or it answers.
        2 if sent == request.len() => _ = connection.read(&mut [0; 1 << 10]).await?,
        _ => connection.shutdown().await?,
    }
    if random.below(2) == 0 {
        connection.set_zero_linger()?;
    }
    Ok(())
}

async fn serve(root: Context, seed: u64) -> SocketAddr {
    let layer = ContextLayer::new(&root).timeout(TIME);
    let handler = any(move |request| answer(seed, request));
    let router = Router::new().route("/", handler).layer(layer);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await;
    let listener = listener.expect("there is a loopback");
    let address = listener.local_addr().expect("it is bound");
    // Connections and their tasks end with it.
    let server = root.clone();
    root.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (connection, _) = listener.accept().await.expect("there are descriptors");
            while connections.try_join_next().is_some() {}
            let service = TowerToHyperService::new(router.clone());
            let server = server.clone();
            connections.spawn(async move {
                let http = auto::Builder::new(TokioExecutor::new());
                let connection = http.serve_connection(TokioIo::new(connection), service);
                // A client that goes is no error here.
                drop(server.run(connection).await);
            });
        }
    });
    address
}

// guarantee E2, and bad input: a peer that resets in every state
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_requests_whose_clients_go() {
    let seed = RandomState::new().hash_one(()) >> 16;
    println!("seed {seed}");
    let (root, _canceller) = Context::background().with_cancel();
    let address = serve(root.clone(), seed).await;
    let runtime = tokio::runtime::Handle::current();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut before = (0, 0);
        for round in 0..ROUNDS {
            protocol.send(address, seed, round).await;
            // The last ones end by the time that the server lets them live.
            while private::children(&root) > 0 || runtime.metrics().num_alive_tasks() > OF_SERVER {
                yield_now().await;
            }
            if round < WARM_UP {
                before = (root.handle_count(), heap::bytes());
            }
        }
        assert_eq!(root.handle_count(), before.0, "{protocol:?}");
        let before = before.1;
        let grown = heap::bytes() - before;
        assert!(
            grown < SLACK,
            "{protocol:?}: the heap has grown by {grown} bytes"
        );
    }
}
