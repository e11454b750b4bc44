//! Clients by hand, which do what others do not.

use std::time::Duration;

use cancel_context::tower::{LimitedBy, RequestEnd};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::{Options, Server, end_of, soon};

/// Short, though longer than a server takes to see what its client has done.
const SHORT: Duration = Duration::from_millis(100);

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: here\r\n\r\n")
}

fn post(path: &str, headers: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: here\r\n{headers}\r\n\r\n{body}")
}

async fn send(client: &mut TcpStream, text: &str) {
    client.write_all(text.as_bytes()).await.unwrap();
}

/// Reads until there is `text`.
async fn read_to(client: &mut TcpStream, text: &str) -> String {
    let mut answer = Vec::new();
    while !answer.ends_with(text.as_bytes()) {
        answer.push(soon(client.read_u8()).await.unwrap());
    }
    String::from_utf8(answer).unwrap()
}

fn reset(client: TcpStream) {
    client.set_zero_linger().unwrap();
    drop(client);
}

/// A client sends something, reads up to something, and resets: how its request ends, if one begins.
async fn ends(sent: &str, seen: &str, end: Option<RequestEnd>) {
    let mut server = Server::start(Options::default()).await;
    let mut client = server.connect().await;
    send(&mut client, sent).await;
    let context = match end {
        Some(_) => Some(server.request().await),
        None => None,
    };
    read_to(&mut client, seen).await;
    reset(client);
    server.end_of_connection().await;
    if let Some(context) = context {
        assert_eq!(Some(end_of(&context).await), end, "{sent:?}, {seen:?}");
    }
    assert!(server.has_no_more_requests(), "{sent:?}, {seen:?}");
    server.rests().await;
}

// guarantee E2, and bad input: a peer that resets in every state
#[tokio::test]
async fn a_reset_in_any_state_ends_what_has_begun_and_leaves_nothing() {
    let answered = Some(RequestEnd::Answered);
    let gone = Some(RequestEnd::Disconnected);
    ends("", "", None).await;
    ends("GET /wait HTTP/1.1\r\nho", "", None).await;
    // The handler sees that the body cannot be read, and answers that.
    let length = "content-length: 10";
    ends(&post("/read", length, ""), "", answered.clone()).await;
    ends(&post("/read", length, "hello"), "", answered.clone()).await;
    let chunked = "transfer-encoding: chunked";
    ends(&post("/read", chunked, "5\r\nhel"), "", answered.clone()).await;
    ends(&post("/wait", length, "0123456789"), "", gone.clone()).await;
    ends(&get("/wait"), "", gone.clone()).await;
    ends(&get("/begin"), "begun", gone).await;
    ends(&get("/"), "hello", answered).await;
}

// guarantee E2
#[tokio::test]
async fn pipelined_requests_are_answered_in_order_each_in_a_context_of_its_own() {
    let mut server = Server::start(Options::default()).await;
    let mut client = server.connect().await;
    let both = post("/read", "content-length: 3", "abc") + &get("/");
    send(&mut client, &both).await;
    let answers = read_to(&mut client, "hello").await;
    let (first, second) = answers.split_once("\r\n\r\n3").unwrap();
    assert!(first.starts_with("HTTP/1.1 200 OK\r\n"), "{answers}");
    assert!(second.starts_with("HTTP/1.1 200 OK\r\n"), "{answers}");
    let (first, second) = (server.request().await, server.request().await);
    assert_eq!([first.path(), second.path()], ["POST /read", "GET /"]);
    assert_eq!(end_of(&first).await, RequestEnd::Answered);
    assert_eq!(end_of(&second).await, RequestEnd::Answered);
}

// guarantee E2: hyper takes a client that sends no more for one that has gone
#[tokio::test]
async fn a_client_that_closes_its_half_has_gone() {
    let mut server = Server::start(Options::default()).await;
    let mut client = server.connect().await;
    send(&mut client, &get("/wait")).await;
    let context = server.request().await;
    client.shutdown().await.unwrap();
    assert_eq!(end_of(&context).await, RequestEnd::Disconnected);
    let mut answer = String::new();
    soon(client.read_to_string(&mut answer)).await.unwrap();
    assert_eq!(answer, "");
    server.rests().await;
}

// guarantee E2: unless it is told otherwise
#[tokio::test]
async fn a_client_that_closes_its_half_is_answered_if_hyper_allows_that() {
    let has_half_close = true;
    let options = Options {
        has_half_close,
        ..Options::default()
    };
    let mut server = Server::start(options).await;
    let mut client = server.connect().await;
    send(&mut client, &get("/told")).await;
    client.shutdown().await.unwrap();
    let context = server.request().await;
    // By now the server has had its turns to look.
    let mut other = server.connect().await;
    send(&mut other, &get("/")).await;
    read_to(&mut other, "hello").await;
    assert!(!context.is_cancelled());
    server.told.notify_one();
    read_to(&mut client, "hello").await;
    assert_eq!(end_of(&context).await, RequestEnd::Answered);
}

/// A client goes of which hyper does not see that: its request ends with its time.
async fn ends_unseen(sent: &str, has_half_close: bool) {
    let timeout = Some(SHORT);
    let options = Options {
        timeout,
        has_half_close,
    };
    let mut server = Server::start(options).await;
    let mut client = server.connect().await;
    send(&mut client, sent).await;
    let context = server.request().await;
    reset(client);
    let (by, after) = (LimitedBy::Server, SHORT);
    let end = RequestEnd::TimedOut { by, after };
    assert_eq!(end_of(&context).await, end, "{sent:?}");
    server.end_of_connection().await;
    server.rests().await;
}

// guarantee E2, its limit: hyper finds out that a client of HTTP/1.1 has gone as it reads on. It does not read on while
// a body is left unread, or once that could not be read, or beyond a request that was pipelined; nor when it lets
// clients close their half.
#[tokio::test]
async fn a_client_that_goes_unseen_leaves_its_request_to_the_timeout() {
    let length = "content-length: 10";
    ends_unseen(&post("/hold", length, "hello"), false).await;
    ends_unseen(&post("/wait", length, "hello"), false).await;
    ends_unseen(&post("/try", length, "hello"), false).await;
    ends_unseen(&get("/wait").repeat(2), false).await;
    ends_unseen(&get("/wait"), true).await;
}
