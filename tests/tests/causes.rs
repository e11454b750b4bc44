//! Peers that tell each other why they cancel: over HTTP, and to whoever else sends what they send.

use std::future::pending;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use axum::routing::any;
use cancel_context::tower::{
    CAUSE, CauseLayer, ClientLayer, ContextLayer, RemoteCause, RequestEnd, TimeoutLayer,
};
use cancel_context::{Context, private};
use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use futures::{FutureExt, StreamExt};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tower::{Layer, Service, ServiceExt};

const NUMBER: &str = "x-cancel-number";
const PATH: &str = "/cancel-context/cause";
const ONE: &str = "00000000000000000000000000000001";
const TWO: &str = "00000000000000000000000000000002";
const SHORT: Duration = Duration::from_millis(20);

/// A router whose handlers tell their context, and then hang.
fn router(layer: ContextLayer) -> (Router, UnboundedReceiver<Context>) {
    let (sender, requests) = unbounded();
    let handler = move |ctx: Context| {
        sender.unbounded_send(ctx).unwrap();
        pending::<()>()
    };
    let short = TimeoutLayer::new(SHORT);
    let router = Router::new()
        .route("/short", any(handler.clone()).layer(short))
        .fallback(handler)
        .layer(layer);
    (router, requests)
}

fn request(method: Method, path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

/// The status of the answer to a request that tells a cause.
async fn tell(router: &Router, number: &str, cause: &str) -> StatusCode {
    let told = request(
        Method::POST,
        PATH,
        &[(NUMBER, number), ("x-cancel-cause", cause)],
    );
    router.clone().oneshot(told).await.unwrap().status()
}

// guarantee E4, and bad input
#[tokio::test]
async fn a_cause_ends_the_request_that_has_its_number_and_no_other() {
    let (root, _canceller) = Context::background().with_cancel();
    let (router, mut requests) = router(ContextLayer::new(&root).share_causes());
    let hang = |number| {
        router
            .clone()
            .oneshot(request(Method::GET, "/", &[(NUMBER, number)]))
    };
    let (first, second) = (tokio::spawn(hang(ONE)), tokio::spawn(hang(TWO)));
    let contexts = [
        requests.next().await.unwrap(),
        requests.next().await.unwrap(),
    ];

    for (number, cause) in [
        ("00000000000000000000000000000003", "nobody's"),
        ("1", "short"),
        ("+0000000000000000000000000000001", "signed"),
        ("000000000000000000000000000000001", "long"),
    ] {
        let answer = tell(&router, number, cause);
        // What is malformed is a request like any other.
        let status = answer.now_or_never().unwrap_or(StatusCode::CONTINUE);
        assert_ne!(status, StatusCode::NO_CONTENT, "{cause}");
        assert!(
            contexts.iter().all(|context| !context.is_cancelled()),
            "{cause}"
        );
    }

    let told = tell(&router, ONE, "user%20hung%20up").await;
    assert_eq!(told, StatusCode::NO_CONTENT);
    let said = RequestEnd::CancelledByCaller(remote("user hung up"));
    let ends = contexts.each_ref().map(RequestEnd::of);
    assert!(
        ends == [Some(said.clone()), None] || ends == [None, Some(said)],
        "{ends:?}"
    );
    let answer = first.await.unwrap().unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    // It has ended, and its number with it.
    assert_eq!(tell(&router, ONE, "again").await, StatusCode::NOT_FOUND);
    second.abort();
    second.await.unwrap_err();
    assert_eq!(tell(&router, TWO, "again").await, StatusCode::NOT_FOUND);
    drop(contexts);
    assert_eq!(private::children(&root), 0);
}

fn remote(text: &'static str) -> RemoteCause {
    let headers = [(CAUSE, text.parse().unwrap())];
    RemoteCause::of(&headers.into_iter().collect()).unwrap()
}

// guarantee E4, and bad input
#[tokio::test]
async fn a_number_that_is_taken_stays_with_whoever_has_it() {
    let (router, mut requests) = router(ContextLayer::new(&Context::background()).share_causes());
    let hang = || {
        router
            .clone()
            .oneshot(request(Method::GET, "/", &[(NUMBER, ONE)]))
    };
    let first = tokio::spawn(hang());
    let context = requests.next().await.unwrap();
    let thief = tokio::spawn(hang());
    let of_thief = requests.next().await.unwrap();
    thief.abort();
    thief.await.unwrap_err();
    assert!(of_thief.is_cancelled());
    assert_eq!(tell(&router, ONE, "mine").await, StatusCode::NO_CONTENT);
    let said = RequestEnd::CancelledByCaller(remote("mine"));
    assert_eq!(RequestEnd::of(&context), Some(said));
    first.await.unwrap().unwrap();
}

// guarantee E4
#[tokio::test]
async fn an_answer_that_there_was_no_time_for_says_why_to_who_was_opted_in() {
    let root = Context::background();
    for (layer, headers, expected) in [
        (ContextLayer::new(&root), [(NUMBER, ONE)].as_slice(), None),
        (ContextLayer::new(&root).share_causes(), &[], None),
        (
            ContextLayer::new(&root).share_causes(),
            &[(NUMBER, ONE)],
            Some("route timeout of 20 ms, in GET /short"),
        ),
    ] {
        let (router, _requests) = router(layer);
        let answer = router
            .oneshot(request(Method::GET, "/short", headers))
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT);
        let cause = RemoteCause::of(answer.headers()).map(|cause| cause.to_string());
        assert_eq!(cause.as_deref(), expected);
    }
}

type HttpClient = Client<HttpConnector, Body>;

fn client(is_2: bool) -> impl Service<Request<Body>, Response: Send, Future: Send> + Clone {
    let http: HttpClient = Client::builder(TokioExecutor::new())
        .http2_only(is_2)
        .build_http();
    ClientLayer::new().layer(CauseLayer::new().layer(http))
}

// guarantee E4
#[tokio::test]
async fn the_cause_of_the_caller_arrives_over_both_versions() {
    let (router, mut requests) = router(ContextLayer::new(&Context::background()).share_causes());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let uri = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router).into_future());
    for is_2 in [false, true] {
        let (ctx, canceller) = Context::background().with_name("till").with_cancel();
        let sent = client(is_2).oneshot(request(Method::GET, &uri, &[]));
        let answer = ctx.spawn(async move { sent.await.is_err() });
        let context = requests.next().await.unwrap();
        canceller.cancel_with("the user hung up");
        context.cancelled().await;
        let end = RequestEnd::of(&context).unwrap().to_string();
        assert_eq!(end, "caller cancelled: the user hung up, in till");
        assert!(answer.await.unwrap());
    }
}

// guarantee E3; the symptom: a request stayed, since the peer did not want to hear why it was cancelled
#[tokio::test]
async fn a_peer_that_does_not_answer_is_left_all_the_same() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let uri = format!("http://{}/", listener.local_addr().unwrap());
    let (ctx, canceller) = Context::background().with_cancel();
    let sent = client(false).oneshot(request(Method::GET, &uri, &[]));
    let answer = ctx.spawn(async move { sent.await.is_err() });
    let (mut connection, _) = listener.accept().await.unwrap();
    let mut head = vec![connection.read_u8().await.unwrap()];
    let began = Instant::now();
    canceller.cancel();
    assert!(answer.await.unwrap());
    // Closed, or reset.
    connection.read_to_end(&mut head).await.ok();
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(head.starts_with(b"GET / HTTP/1.1\r\n"));
}

// guarantee E4; a request that was not cancelled is dropped without a word
#[tokio::test]
async fn a_request_that_was_not_cancelled_tells_nothing() {
    let (router, mut requests) = router(ContextLayer::new(&Context::background()).share_causes());
    let client = CauseLayer::new().layer(router);
    let answer = tokio::spawn(client.oneshot(request(Method::GET, "/", &[])));
    let context = requests.next().await.unwrap();
    answer.abort();
    assert!(answer.await.is_err());
    assert_eq!(RequestEnd::of(&context), Some(RequestEnd::Disconnected));
}
