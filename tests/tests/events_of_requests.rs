//! The events of requests: one for each that is cancelled, whoever ends it, and nothing else.

use std::future::ready;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as Task, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use axum::routing::get;
use cancel_context::tower::{ContextLayer, RequestEnd, TIMEOUT, TimeoutLayer};
use cancel_context::{Cancelled, Context, cancellable};
use futures::channel::oneshot;
use futures::stream;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tests::log::{Event, Log};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::task::yield_now;
use tower::ServiceExt;

#[cancellable]
async fn explicit(ctx: Context) -> Result<String, Cancelled> {
    std::future::pending::<()>().await;
    Ok(ctx.path())
}

#[cancellable(implicit)]
async fn implicit() -> String {
    std::future::pending::<()>().await;
    String::from("never")
}

async fn not_annotated() {
    std::future::pending::<()>().await;
}

async fn quick() -> &'static str {
    "hello"
}

async fn spawns(ctx: Context) -> &'static str {
    ctx.with_name("spawned").spawn(not_annotated());
    yield_now().await;
    "hello"
}

async fn drips() -> Body {
    let first = stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"first"))]);
    Body::from_stream(stream::StreamExt::chain(first, stream::pending()))
}

fn router(server: &Context) -> Router {
    let short = TimeoutLayer::new(Duration::from_millis(20));
    Router::new()
        .route("/explicit", get(explicit))
        .route("/implicit", get(implicit))
        .route("/plain", get(not_annotated))
        .route("/short/explicit", get(explicit).layer(short))
        .route("/short/implicit", get(implicit).layer(short))
        .route("/short/plain", get(not_annotated).layer(short))
        .route("/quick", get(quick))
        .route("/spawns", get(spawns))
        .route("/drips", get(drips))
        .layer(ContextLayer::new(server))
}

fn request(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

async fn answer(request: Request<Body>) -> (StatusCode, Bytes) {
    let response = router(&Context::background()).oneshot(request);
    let response = response.await.unwrap();
    let status = response.status();
    (status, response.collect().await.unwrap().to_bytes())
}

#[track_caller]
fn assert_fields(event: &Event, fields: [(&str, Option<&str>); 4]) {
    for (name, text) in fields {
        assert_eq!(event.field(name), text, "{event:?}");
    }
}

// guarantee E5; the symptom: a handler that was dropped by its server was dropped in silence
#[test]
fn a_request_whose_client_has_gone_gives_one_event() {
    for path in ["/explicit", "/implicit", "/plain"] {
        let log = Log::default();
        log.during_async(async {
            let answer = router(&Context::background()).oneshot(request(path));
            let mut answer = Box::pin(answer);
            assert!(futures::poll!(answer.as_mut()).is_pending());
        });
        let event = log.only();
        let fields = [
            ("message", Some("request cancelled")),
            ("cause", Some("client disconnected")),
            ("path", Some(&*format!("GET {path}"))),
            ("left_at", None),
        ];
        assert_fields(&event, fields);
        let ended_at = event.field("ended_at").unwrap();
        assert!(ended_at.starts_with("cancelled at tests/tests/events_of_requests.rs:"));
    }
}

// guarantees E4, E5; the symptom: a request that was reset right after the cause was told was dropped in silence
#[test]
fn a_request_that_is_dropped_after_its_context_has_ended_gives_one_event() {
    let (server, canceller) = Context::background().with_cancel();
    let shared = Router::new()
        .route("/plain", get(not_annotated))
        .layer(ContextLayer::new(&server).share_causes());
    let with_number = |mut request: Request<Body>| {
        let number = "0123456789abcdef0123456789abcdef".parse().unwrap();
        request.headers_mut().insert("x-cancel-number", number);
        request
    };
    let log = Log::default();
    log.during_async(async {
        let mut answer = Box::pin(shared.clone().oneshot(with_number(request("/plain"))));
        assert!(futures::poll!(answer.as_mut()).is_pending());
        let told = Request::post("/cancel-context/cause").header("x-cancel-cause", "late");
        let told = with_number(told.body(Body::empty()).unwrap());
        let status = shared.clone().oneshot(told).await.unwrap().status();
        assert_eq!(status, StatusCode::NO_CONTENT);
    });
    assert_eq!(log.only().field("cause"), Some("caller cancelled: late"));

    log.during_async(async {
        let mut answer = Box::pin(shared.oneshot(request("/plain")));
        assert!(futures::poll!(answer.as_mut()).is_pending());
        canceller.cancel_with("closing time");
    });
    assert_eq!(log.only().field("cause"), Some("closing time"));
}

// guarantees E2, E5; the symptom: the layer has told of what the function had told of
#[test]
fn a_request_without_time_left_is_answered_once_and_gives_one_event() {
    let left = Some("std::future::pending::<()>()");
    for (path, left) in [("explicit", left), ("implicit", left), ("plain", None)] {
        let log = Log::default();
        let answer = log.during_async(answer(request(&format!("/short/{path}"))));
        assert_eq!(answer, (StatusCode::GATEWAY_TIMEOUT, Bytes::new()));
        let event = log.only();
        let path = format!("GET /short/{path}");
        let left_at = event.field("left_at");
        assert_eq!(left_at.is_some(), left.is_some());
        assert!(left_at.is_none_or(|text| text.contains(left.unwrap())));
        let fields = [
            ("message", Some("cancelled")),
            ("cause", Some("route timeout of 20 ms")),
            ("path", Some(&*path)),
            ("left_at", left_at),
        ];
        assert_fields(&event, fields);
    }
}

// guarantees E4, E5
#[test]
fn a_request_that_came_too_late_gives_one_event() {
    let log = Log::default();
    let mut late = request("/quick");
    late.headers_mut().insert(TIMEOUT, "0S".parse().unwrap());
    let (status, _) = log.during_async(answer(late));
    assert_eq!(status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(log.only().field("cause"), Some("caller's timeout of 0 ns"));
}

// guarantee E5; the symptom: each request that was answered had a line of its own
#[test]
fn a_request_that_is_answered_gives_no_event() {
    let log = Log::default();
    let answer = log.during_async(answer(request("/quick")));
    assert_eq!(answer, (StatusCode::OK, Bytes::from_static(b"hello")));
    assert_eq!(log.take(), []);
}

// guarantees E2, E5
#[test]
fn a_task_that_outlives_its_request_gives_its_own() {
    let log = Log::default();
    log.during_async(async {
        assert_eq!(answer(request("/spawns")).await.0, StatusCode::OK);
        yield_now().await;
    });
    let event = log.only();
    let fields = [
        ("message", Some("cancelled")),
        ("cause", Some("request answered")),
        ("path", Some("GET /spawns/spawned")),
        ("left_at", None),
    ];
    assert_fields(&event, fields);
}

// guarantees E2, E5
#[test]
fn a_body_that_is_cut_off_gives_one_event_whoever_has_ended_it() {
    let log = Log::default();
    let (server, canceller) = Context::background().with_cancel();
    log.during_async(async {
        let response = router(&server).oneshot(request("/drips")).await.unwrap();
        let mut body = response.into_body();
        body.frame().await.unwrap().unwrap();
    });
    assert_eq!(log.only().field("cause"), Some("client disconnected"));
    log.during_async(async {
        let response = router(&server).oneshot(request("/drips")).await.unwrap();
        let mut body = response.into_body();
        body.frame().await.unwrap().unwrap();
        canceller.cancel_with("maintenance");
        body.frame().await.unwrap().unwrap_err();
    });
    assert_eq!(log.only().field("cause"), Some("maintenance"));
}

// guarantees E2, E5; the symptom: it was said that the client had gone
#[test]
fn a_body_that_panics_has_failed() {
    let log = Log::default();
    let end = log.during_async(async {
        let panics = |_: &mut Task<'_>| -> Poll<Option<io::Result<Bytes>>> { panic!("on purpose") };
        let body = move || ready(Body::from_stream(stream::poll_fn(panics)));
        let (sender, context) = oneshot::channel();
        let sender = Arc::new(Mutex::new(Some(sender)));
        let handler = move |ctx: Context| {
            sender.lock().unwrap().take().unwrap().send(ctx).unwrap();
            body()
        };
        let router = Router::new().route("/", get(handler));
        let router = router.layer(ContextLayer::new(&Context::background()));
        let response = router.oneshot(request("/")).await.unwrap();
        tokio::spawn(response.collect()).await.unwrap_err();
        RequestEnd::of(&context.await.unwrap())
    });
    assert_eq!(end, Some(RequestEnd::Failed));
    assert_eq!(log.take(), []);
}

// guarantee E5
#[test]
fn each_request_of_a_server_that_ends_gives_one_event() {
    let log = Log::default();
    let (server, canceller) = Context::background().with_cancel();
    log.during_async(async {
        let answers = ["/explicit", "/implicit", "/plain"].map(|path| {
            let answer = router(&server).oneshot(request(path));
            tokio::spawn(async { answer.await.unwrap().status() })
        });
        yield_now().await;
        canceller.cancel_with("maintenance");
        for answer in answers {
            assert_eq!(answer.await.unwrap(), StatusCode::SERVICE_UNAVAILABLE);
        }
    });
    let events = log.take();
    let causes: Vec<_> = events.iter().map(|event| event.field("cause")).collect();
    assert_eq!(causes, [Some("maintenance"); 3]);
}

/// The server's end of a connection, which counts what is written.
struct Counted {
    stream: DuplexStream,
    written: Arc<AtomicUsize>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(task, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.written.fetch_add(bytes.len(), Ordering::Relaxed);
        Pin::new(&mut self.stream).poll_write(task, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(task)
    }
}

/// Has a client send a request for `path` to a server, and use the connection; how much the server has written.
async fn serve(path: &str, client: impl AsyncFnOnce(DuplexStream)) -> usize {
    let (mut near, stream) = tokio::io::duplex(1 << 16);
    let written = Arc::<AtomicUsize>::default();
    let io = Counted {
        stream,
        written: Arc::clone(&written),
    };
    let (sender, came) = oneshot::channel();
    let sender = Arc::new(Mutex::new(Some(sender)));
    let router = router(&Context::background()).map_request(move |request: Request<Incoming>| {
        sender.lock().unwrap().take().unwrap().send(()).unwrap();
        request
    });
    let service = TowerToHyperService::new(router);
    let server = tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(io), service));
    let head = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
    near.write_all(head.as_bytes()).await.unwrap();
    came.await.unwrap();
    client(near).await;
    // It may fail: the client has gone.
    server.await.unwrap().ok();
    written.load(Ordering::Relaxed)
}

// guarantees E2, E5
#[test]
fn to_a_client_that_has_gone_nothing_is_written() {
    for path in ["/explicit", "/implicit", "/plain"] {
        let log = Log::default();
        let written = log.during_async(serve(path, async |client| drop(client)));
        assert_eq!(written, 0);
        assert_eq!(log.only().field("message"), Some("request cancelled"));
    }
}

// guarantees E2, E5; the symptom: a handler that returned the error was answered for by the layer, too
#[test]
fn a_handler_that_has_no_time_left_writes_one_answer() {
    for path in ["/short/explicit", "/short/implicit", "/short/plain"] {
        let log = Log::default();
        let written = log.during_async(serve(path, async |mut client| {
            let mut answer = vec![0; 4096];
            let length = client.read(&mut answer).await.unwrap();
            let answer = String::from_utf8(answer[..length].to_vec()).unwrap();
            assert!(
                answer.starts_with("HTTP/1.1 504 Gateway Timeout\r\n"),
                "{answer}"
            );
            assert!(answer.ends_with("\r\n\r\n"), "{answer}");
            assert_eq!(answer.matches("HTTP/1.1").count(), 1);
            tokio::time::sleep(Duration::from_secs(60)).await;
            client.shutdown().await.unwrap();
            let rest = client.read(&mut [0; 16]).await.unwrap();
            assert_eq!(rest, 0);
        }));
        assert!(written > 0);
        assert_eq!(log.only().field("message"), Some("cancelled"));
    }
}
