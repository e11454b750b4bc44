//! curl as the client.

use std::process::Stdio;
use std::time::Duration;

use cancel_context::tower::{LimitedBy, RequestEnd};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use crate::server::{Options, Server, end_of, soon};

/// A curl that ends with its handle.
pub(crate) fn curl(arguments: &[&str]) -> Command {
    let mut command = Command::new("curl");
    command
        .args(["--disable", "--noproxy", "*", "--silent", "--no-buffer"])
        .args(arguments)
        .kill_on_drop(true)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// What curl prints, and its exit code.
pub(crate) async fn printed(arguments: &[&str]) -> (String, Option<i32>) {
    let output = soon(curl(arguments).output()).await;
    let output = output.expect("curl is installed");
    let printed = String::from_utf8(output.stdout).unwrap();
    (printed, output.status.code())
}

const HTTP_2: &str = "--http2-prior-knowledge";

/// # Panics
///
/// Panics if this curl cannot do what the tests are about.
async fn assert_http_2() {
    let (version, _) = printed(&["--version"]).await;
    let features = version.lines().find(|line| line.starts_with("Features:"));
    let has_http_2 = features.is_some_and(|line| line.split(' ').any(|word| word == "HTTP2"));
    assert!(has_http_2, "these tests need a curl with HTTP/2: {version}");
}

// guarantee E2
#[tokio::test]
async fn each_request_of_a_kept_connection_has_a_context_of_its_own() {
    let mut server = Server::start(Options::default()).await;
    let url = server.url("/");
    let (printed, code) = printed(&["--write-out", ":%{num_connects} ", &url, &url]).await;
    assert_eq!((printed.as_str(), code), ("hello:1 hello:0 ", Some(0)));
    let (first, second) = (server.request().await, server.request().await);
    assert_ne!(first, second);
    assert_eq!(end_of(&first).await, RequestEnd::Answered);
    assert_eq!(end_of(&second).await, RequestEnd::Answered);
    server.rests().await;
}

// guarantee E2
#[tokio::test]
async fn a_curl_that_is_killed_has_disconnected() {
    assert_http_2().await;
    for version in ["--http1.0", "--http1.1", HTTP_2] {
        let mut server = Server::start(Options::default()).await;
        let mut child = curl(&[version, &server.url("/wait")]).spawn().unwrap();
        let context = server.request().await;
        child.kill().await.unwrap();
        let end = end_of(&context).await;
        assert_eq!(end, RequestEnd::Disconnected, "{version}");
        server.end_of_connection().await;
        server.rests().await;
    }
}

// guarantee E2
#[tokio::test]
async fn a_curl_that_gives_up_has_disconnected() {
    assert_http_2().await;
    for version in ["--http1.1", HTTP_2] {
        let mut server = Server::start(Options::default()).await;
        let url = server.url("/wait");
        let (_, code) = printed(&[version, "--max-time", "0.1", &url]).await;
        let timed_out = 28;
        assert_eq!(code, Some(timed_out), "{version}");
        let end = end_of(&server.request().await).await;
        assert_eq!(end, RequestEnd::Disconnected, "{version}");
        server.rests().await;
    }
}

// guarantee E2
#[tokio::test]
async fn a_curl_that_goes_in_the_middle_of_the_answer_has_disconnected() {
    assert_http_2().await;
    for version in ["--http1.1", HTTP_2] {
        let mut server = Server::start(Options::default()).await;
        let mut child = curl(&[version, &server.url("/begin")]).spawn().unwrap();
        let context = server.request().await;
        let mut begun = [0; 5];
        let output = child.stdout.as_mut().unwrap();
        soon(output.read_exact(&mut begun)).await.unwrap();
        assert_eq!(&begun, b"begun");
        assert!(!context.is_cancelled());
        child.kill().await.unwrap();
        let end = end_of(&context).await;
        assert_eq!(end, RequestEnd::Disconnected, "{version}");
        server.rests().await;
    }
}

// guarantee E2, and bad input: a client that sends slowly
#[tokio::test]
async fn a_curl_that_goes_while_its_body_is_read_ends_the_read() {
    assert_http_2().await;
    // With HTTP/1.1 the handler sees that the body cannot be read, and answers that.
    let ends = [
        ("--http1.1", RequestEnd::Answered),
        (HTTP_2, RequestEnd::Disconnected),
    ];
    for (version, end) in ends {
        let mut server = Server::start(Options::default()).await;
        let url = server.url("/read");
        let mut child = curl(&[version, "--upload-file", ".", &url])
            .spawn()
            .unwrap();
        let mut body = child.stdin.take().unwrap();
        body.write_all(b"a part").await.unwrap();
        let context = server.request().await;
        child.kill().await.unwrap();
        assert_eq!(end_of(&context).await, end, "{version}");
        server.rests().await;
    }
}

// guarantee E2
#[tokio::test]
async fn a_body_that_comes_in_parts_is_read_to_its_end() {
    assert_http_2().await;
    for version in ["--http1.1", HTTP_2] {
        let mut server = Server::start(Options::default()).await;
        let url = server.url("/read");
        let mut child = curl(&[version, "--upload-file", ".", &url])
            .spawn()
            .unwrap();
        let mut body = child.stdin.take().unwrap();
        body.write_all(b"one part, ").await.unwrap();
        let context = server.request().await;
        body.write_all(b"and another").await.unwrap();
        drop(body);
        let output = soon(child.wait_with_output()).await.unwrap();
        assert_eq!(output.stdout, b"21", "{version}");
        assert_eq!(end_of(&context).await, RequestEnd::Answered, "{version}");
        server.rests().await;
    }
}

// guarantee E2, and bad input: a client that sends slowly
#[tokio::test]
async fn a_body_that_comes_too_slowly_ends_with_the_time() {
    let after = Duration::from_millis(100);
    let timeout = Some(after);
    let mut server = Server::start(Options {
        timeout,
        ..Options::default()
    })
    .await;
    let (url, body) = (server.url("/read"), "x".repeat(100_000));
    let slow = ["--limit-rate", "1k", "--data", &body, &url];
    let _child = curl(&slow).spawn().unwrap();
    let by = LimitedBy::Server;
    let context = server.request().await;
    assert_eq!(end_of(&context).await, RequestEnd::TimedOut { by, after });
    server.rests().await;
}
