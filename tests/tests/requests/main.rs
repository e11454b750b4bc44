//! The context of a request, from a client's point of view: on real sockets, over hyper's HTTP/1.1 and HTTP/2.

mod server;

use std::convert::Infallible;
use std::future::{pending, ready};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use cancel_context::tower::{
    ContextLayer, GRPC_TIMEOUT, LimitedBy, RequestEnd, TIMEOUT, TimeoutLayer,
};
use cancel_context::{Context, private};
use futures::channel::mpsc::unbounded;
use futures::{FutureExt, StreamExt, stream};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::HeaderName;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt, service_fn};

use crate::server::{Answer, Server, end_of, get, get_with, note, serve, text};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

// guarantee E2; the symptom: the second request of a connection was given the context of the first
#[tokio::test]
async fn each_request_of_a_connection_has_a_context_of_its_own() {
    let mut server = Server::start(ContextLayer::new, |_| text("hello")).await;
    let mut client = server.connect_1().await;
    let mut contexts = Vec::new();
    for _ in 0..3 {
        let answer = client.send_request(get()).await.unwrap();
        assert_eq!(answer.collect().await.unwrap().to_bytes(), "hello");
        let context = server.request().await;
        assert_eq!(end_of(&context).await, RequestEnd::Answered);
        assert!(!contexts.contains(&context));
        contexts.push(context);
    }
    assert!(!server.root.is_cancelled());
    drop(contexts);
    assert_eq!(private::children(&server.root), 0);
}

// guarantee E2
#[tokio::test]
async fn pipelined_requests_have_contexts_of_their_own() {
    let mut server = Server::start(ContextLayer::new, |_| text("hello")).await;
    let mut client = server.connect().await;
    let request = "GET / HTTP/1.1\r\nhost: here\r\n\r\n".repeat(2);
    client.write_all(request.as_bytes()).await.unwrap();
    let (first, second) = (server.request().await, server.request().await);
    assert_ne!(first, second);
    assert_eq!(end_of(&first).await, RequestEnd::Answered);
    assert_eq!(end_of(&second).await, RequestEnd::Answered);
}

// guarantee E2
#[tokio::test]
async fn a_client_that_closes_its_connection_ends_the_request_and_what_that_has_spawned() {
    let (spawned, mut ends) = unbounded();
    let answer = move |_| {
        let spawned = spawned.clone();
        async move {
            let ctx = Context::current();
            let of_task = ctx.clone();
            ctx.spawn(ctx.shield(move |_| async move {
                spawned.unbounded_send(end_of(&of_task).await).unwrap();
            }));
            pending().await
        }
    };
    let mut server = Server::start(ContextLayer::new, answer).await;
    let mut client = server.connect().await;
    client
        .write_all(b"GET /slow HTTP/1.1\r\nhost: here\r\n\r\n")
        .await
        .unwrap();
    let context = server.request().await;
    assert_eq!(context.path(), "GET /slow");
    drop(client);
    assert_eq!(end_of(&context).await, RequestEnd::Disconnected);
    assert_eq!(ends.next().await, Some(RequestEnd::Disconnected));
}

// guarantee E2
#[tokio::test]
async fn a_reset_of_http_2_ends_the_request_and_not_its_neighbours() {
    let mut server = Server::start(ContextLayer::new, |_| pending()).await;
    let mut client = server.connect_2().await;
    let kept = tokio::spawn(client.send_request(get()));
    let of_kept = server.request().await;
    let given_up = tokio::spawn(client.send_request(get()));
    let of_given_up = server.request().await;
    given_up.abort();
    assert_eq!(end_of(&of_given_up).await, RequestEnd::Disconnected);
    assert!(!of_kept.is_cancelled());
    kept.abort();
    assert_eq!(end_of(&of_kept).await, RequestEnd::Disconnected);
}

// guarantee E2
#[tokio::test]
async fn a_body_keeps_the_request_alive_to_its_end() {
    let (chunks, body) = unbounded::<Result<Bytes, Infallible>>();
    let body = Arc::new(Mutex::new(Some(Body::from_stream(body))));
    let answer = move |_| ready(Ok(Response::new(body.lock().unwrap().take().unwrap())));
    let mut server = Server::start(ContextLayer::new, answer).await;
    let mut client = server.connect_2().await;
    let mut answer = client.send_request(get()).await.unwrap();
    let context = server.request().await;
    chunks.unbounded_send(Ok("hello".into())).unwrap();
    let frame = answer.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "hello");
    assert!(!context.is_cancelled());
    drop(chunks);
    assert_eq!(answer.collect().await.unwrap().to_bytes(), "");
    assert_eq!(end_of(&context).await, RequestEnd::Answered);
}

// guarantee E2
#[tokio::test]
async fn a_client_that_goes_in_the_middle_of_the_body_ends_the_request() {
    let (chunks, body) = unbounded::<Result<Bytes, Infallible>>();
    let body = Arc::new(Mutex::new(Some(Body::from_stream(body))));
    let answer = move |_| ready(Ok(Response::new(body.lock().unwrap().take().unwrap())));
    let mut server = Server::start(ContextLayer::new, answer).await;
    let mut client = server.connect_2().await;
    let mut answer = client.send_request(get()).await.unwrap();
    let context = server.request().await;
    chunks.unbounded_send(Ok("hello".into())).unwrap();
    answer.frame().await.unwrap().unwrap();
    drop(answer);
    assert_eq!(end_of(&context).await, RequestEnd::Disconnected);
    assert!(chunks.is_closed());
}

// guarantee E2, and bad input: a body that never ends
#[tokio::test]
async fn a_body_is_cut_off_when_the_time_is_over() {
    let time = Duration::from_millis(20);
    let layer = |root: &Context| ContextLayer::new(root).timeout(time);
    let endless = || Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    let mut server = Server::start(layer, move |_| ready(Ok(Response::new(endless())))).await;
    let mut client = server.connect_1().await;
    let answer = client.send_request(get()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.collect().await.is_err());
    let (by, after) = (LimitedBy::Server, time);
    let context = server.request().await;
    assert_eq!(end_of(&context).await, RequestEnd::TimedOut { by, after });
}

// guarantee E2
#[tokio::test]
async fn the_context_of_the_server_ends_its_requests() {
    let mut server = Server::start(ContextLayer::new, |_| pending()).await;
    let mut client = server.connect_1().await;
    let answer = tokio::spawn(client.send_request(get()));
    let context = server.request().await;
    server.canceller.cancel();
    assert_eq!(end_of(&context).await, RequestEnd::ShutDown);
    let answer = answer.await.unwrap().unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    // Nor is any other begun.
    let answer = client.send_request(get()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(server.requests.next().now_or_never().is_none());
}

/// What becomes of a request with `headers` under a limit of the server, and one of its route.
async fn timed_out(
    headers: &[(HeaderName, &str)],
    of_server: Duration,
    of_route: Duration,
) -> RequestEnd {
    let (sender, mut requests) = unbounded();
    let slow = service_fn(move |_: Request<Incoming>| {
        note(&sender);
        pending::<Answer>()
    });
    let slow = TimeoutLayer::new(of_route).layer(slow);
    // As a router does.
    let slow = slow.map_response(|response| response.map(Body::new));
    let layer = ContextLayer::new(&Context::background()).timeout(of_server);
    let address = serve(BoxCloneSyncService::new(layer.layer(slow))).await;
    let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut client, connection) = http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let answer = client.send_request(get_with(headers)).await.unwrap();
    assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT);
    let context = requests.next().await.unwrap();
    end_of(&context).await
}

// guarantees E2, E4
#[tokio::test]
async fn the_shortest_limit_counts_and_says_whose_it_was() {
    let short = Duration::from_millis(20);
    let by = |by| RequestEnd::TimedOut { by, after: short };
    let long = [(TIMEOUT, "600S")];
    assert_eq!(timed_out(&long, short, LONG).await, by(LimitedBy::Server));
    assert_eq!(timed_out(&long, LONG, short).await, by(LimitedBy::Route));
    for name in [TIMEOUT, GRPC_TIMEOUT] {
        let of_caller = [(name.clone(), "20m"), (name, "forever")];
        assert_eq!(
            timed_out(&of_caller, LONG, LONG).await,
            by(LimitedBy::Caller)
        );
    }
}

// guarantee E4, and bad input: a timeout of 0
#[tokio::test]
async fn a_request_without_any_time_is_not_begun() {
    let mut server = Server::start(ContextLayer::new, |_| pending()).await;
    let mut client = server.connect_1().await;
    let answer = client
        .send_request(get_with(&[(TIMEOUT, "0m")]))
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT);
    assert!(server.requests.next().now_or_never().is_none());
}

// guarantee E2; the symptom: an answer that says that the time was over was cut off, since it was
#[tokio::test]
async fn what_the_handler_answers_after_its_time_is_sent() {
    let layer = |root: &Context| ContextLayer::new(root).timeout(Duration::from_millis(20));
    let answer = |_| async {
        let late = Context::current();
        late.shield(|_| late.cancelled()).await;
        text("too late").await
    };
    let server = Server::start(layer, answer).await;
    let mut client = server.connect_1().await;
    let answer = client.send_request(get()).await.unwrap();
    assert_eq!(answer.collect().await.unwrap().to_bytes(), "too late");
}

// guarantee E2, and bad input; the symptom: a body that was begun just as the time was over never ended
#[tokio::test]
async fn a_body_that_the_handler_begins_after_its_time_is_cut_off() {
    let layer = |root: &Context| ContextLayer::new(root).timeout(Duration::from_millis(20));
    let answer = |_| async {
        let late = Context::current();
        late.shield(|_| late.cancelled()).await;
        let endless = stream::pending::<Result<Bytes, Infallible>>();
        Ok(Response::new(Body::from_stream(endless)))
    };
    let server = Server::start(layer, answer).await;
    let mut client = server.connect_1().await;
    // hyper has nothing to send until there is a part of the body.
    let answer = async { client.send_request(get()).await?.collect().await };
    assert!(answer.await.is_err());
}

// guarantee E2
#[tokio::test]
async fn an_answer_to_head_is_sent_when_its_headers_are() {
    let endless = || Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    let answer = move |_| ready(Ok(Response::new(endless())));
    let mut server = Server::start(ContextLayer::new, answer).await;
    let mut client = server.connect_1().await;
    let mut request = get();
    *request.method_mut() = Method::HEAD;
    client.send_request(request).await.unwrap();
    let context = server.request().await;
    assert_eq!(end_of(&context).await, RequestEnd::Answered);
}

// guarantee E2
#[tokio::test]
async fn detached_work_goes_on() {
    let (finish, finished) = unbounded::<()>();
    let finished = Arc::new(Mutex::new(Some(finished)));
    let (done, mut is_done) = unbounded();
    let answer = move |_| {
        let (finished, done) = (finished.lock().unwrap().take(), done.clone());
        let detached = Context::current().without_cancel();
        detached.clone().spawn(async move {
            finished.unwrap().next().await;
            done.unbounded_send(detached.path()).unwrap();
        });
        text("begun")
    };
    let mut server = Server::start(ContextLayer::new, answer).await;
    server.connect_1().await.send_request(get()).await.unwrap();
    let context = server.request().await;
    assert_eq!(end_of(&context).await, RequestEnd::Answered);
    finish.unbounded_send(()).unwrap();
    assert_eq!(is_done.next().await.unwrap(), "GET /");
}

// guarantee E2
#[tokio::test]
async fn a_handler_that_panics_has_failed() {
    let answer = |_| async { panic!("on purpose") as Answer };
    let mut server = Server::start(ContextLayer::new, answer).await;
    let mut client = server.connect_1().await;
    client.send_request(get()).await.unwrap_err();
    let context = server.request().await;
    assert_eq!(end_of(&context).await, RequestEnd::Failed);
}
