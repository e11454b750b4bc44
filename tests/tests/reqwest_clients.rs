//! Requests of reqwest that end with their context, against raw sockets.

use std::time::Duration;

use cancel_context::reqwest::{CancellableRequest, SendError};
use cancel_context::tower::TIMEOUT;
use cancel_context::{Cancelled, Context, cancellable};
use futures::FutureExt;
use reqwest::Client;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

struct Peer {
    listener: TcpListener,
    url: String,
}

impl Peer {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/orders", listener.local_addr().unwrap());
        Self { listener, url }
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

/// Waits until the other side has closed, or reset.
async fn closed(mut connection: TcpStream) {
    let read = connection.read(&mut [0]).await;
    assert_eq!(read.unwrap_or(0), 0);
}

// guarantee E3
#[tokio::test]
async fn a_context_that_has_ended_opens_no_connection() {
    let peer = Peer::start().await;
    let (ctx, canceller) = Context::background().with_cancel();
    canceller.cancel_with("the user hung up");
    let sent = Client::new()
        .get(&peer.url)
        .send_until_cancelled(&ctx)
        .await;
    let error = sent.unwrap_err().into_cancelled().unwrap();
    assert_eq!(error.cause().to_string(), "the user hung up");
    assert!(peer.listener.accept().now_or_never().is_none());
}

// guarantee E3
#[tokio::test]
async fn a_cancel_aborts_the_request_on_the_wire() {
    let peer = Peer::start().await;
    let (ctx, canceller) = Context::background().with_cancel();
    let request = Client::new().get(&peer.url);
    let answer = tokio::spawn(async move { request.send_until_cancelled(&ctx).await });
    let (connection, _) = peer.accept().await;
    canceller.cancel();
    let error = answer.await.unwrap().unwrap_err();
    assert!(matches!(error, SendError::Cancelled(_)), "{error}");
    closed(connection).await;
}

// guarantee E3
#[tokio::test]
async fn the_body_of_the_answer_ends_as_well_wherever_it_is_read() {
    let peer = Peer::start().await;
    let (ctx, canceller) = Context::background().with_cancel();
    let request = Client::new().get(&peer.url);
    let answer = tokio::spawn(async move { request.send_until_cancelled(&ctx).await });
    let (mut connection, _) = peer.accept().await;
    let begun = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\nx-shop: open\r\n\r\nhello";
    connection.write_all(begun).await.unwrap();
    let mut answer = answer.await.unwrap().unwrap();
    assert_eq!(
        (answer.url().as_str(), answer.content_length()),
        (&*peer.url, Some(10))
    );
    assert_eq!(answer.headers()["x-shop"], "open");
    assert!(answer.remote_addr().is_some());
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "hello");
    canceller.cancel_with("the user hung up");
    let error = answer.chunk().await.unwrap_err();
    let found = Cancelled::find_in(&error).unwrap();
    assert_eq!(found.cause().to_string(), "the user hung up");
    closed(connection).await;
}

// guarantee E4
#[tokio::test]
async fn the_time_that_is_left_is_handed_on_unless_there_is_less() {
    let peer = Peer::start().await;
    for (given, expected) in [(None, "599"), (Some("7S"), "7S\r\n"), (Some("700S"), "599")] {
        let ctx = Context::background().with_timeout(LONG);
        let mut request = Client::new().get(&peer.url);
        if let Some(given) = given {
            request = request.header(TIMEOUT, given);
        }
        let answer = tokio::spawn(async move { request.send_until_cancelled(&ctx).await });
        let (mut connection, head) = peer.accept().await;
        let expected = format!("\r\nx-request-timeout: {expected}");
        assert!(head.contains(&expected), "{head}");
        let whole = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
        connection.write_all(whole).await.unwrap();
        assert_eq!(
            answer.await.unwrap().unwrap().text().await.unwrap(),
            "hello"
        );
    }
}

// guarantee E3; what a bad request fails with is reqwest's
#[tokio::test]
async fn other_errors_are_those_of_reqwest() {
    let request = Client::new().get("no url");
    let error = request
        .send_until_cancelled(&Context::background())
        .await
        .unwrap_err();
    assert!(error.into_cancelled().unwrap_err().is_builder());
}

#[cancellable]
async fn fetch(ctx: Context, url: &str) -> Result<String, SendError> {
    let answer = Client::new().get(url).send_until_cancelled(&ctx).await?;
    answer.text().await.map_err(SendError::Failed)
}

// guarantees A4, E3
#[tokio::test]
async fn an_annotated_function_leaves_the_await() {
    let peer = Peer::start().await;
    let (ctx, canceller) = Context::background().with_cancel();
    let url = peer.url.clone();
    let answer = tokio::spawn(async move { fetch(ctx, &url).await });
    let (connection, _) = peer.accept().await;
    canceller.cancel();
    let error = answer.await.unwrap().unwrap_err().into_cancelled().unwrap();
    assert!(
        error
            .to_string()
            .contains("tests/tests/reqwest_clients.rs:"),
        "{error}"
    );
    closed(connection).await;
}
