//! A POST to a slow server, cancelled: the request is aborted on the wire.
//!
//! ```sh
//! cargo run -p examples --bin client
//! ```
//!
//! The server is a bare socket, which says what it sees of the connection. Five scenes: the answer comes; the user
//! changes her mind while the server is at work; the same, in the middle of the answer; the time is over; the context
//! has ended before, so that no connection is opened. The exit code is 1 if the server saw the end of a request more
//! than 50 ms after the client's.

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use cancel_context::reqwest::{CancellableRequest, SendError};
use cancel_context::{Cancelled, Canceller, Context, cancellable};
use examples::Stopwatch;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// How long the server may take to see that nobody waits any more.
const BOUND: Duration = Duration::from_millis(50);
/// How long the server has been at work when the user changes her mind.
const HEAD_START: Duration = Duration::from_millis(100);
const HEAD_OF_ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n";

/// What the server sees.
#[derive(Debug)]
enum Seen {
    /// A whole request, with the time that it gives.
    Request,
    /// The connection is gone.
    Closed(Instant),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scene {
    Answer,
    AtWork,
    InAnswer,
    Timeout,
    Before,
}

impl Scene {
    const fn title(self) -> &'static str {
        match self {
            Self::Answer => "the answer comes",
            Self::AtWork => "the user changes her mind while the server is at work",
            Self::InAnswer => "the user changes her mind in the middle of the answer",
            Self::Timeout => "the time is over",
            Self::Before => "the context has ended before",
        }
    }

    fn context(self) -> (Context, Canceller) {
        let (ctx, canceller) = Context::background().with_name("order").with_cancel();
        let ctx = match self {
            Self::Timeout => ctx.with_timeout_cause(HEAD_START, "the shop is too slow"),
            _ => ctx,
        };
        (ctx, canceller)
    }
}

#[cancellable]
async fn order(ctx: Context, server: SocketAddr) -> Result<String, SendError> {
    let request = reqwest::Client::new().post(format!("http://{server}/orders"));
    let request = request.body("a hammer, 12 nails");
    let answer = request.send_until_cancelled(&ctx).await?;
    answer.text().await.map_err(SendError::Failed)
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut is_well = true;
    for scene in [
        Scene::Answer,
        Scene::AtWork,
        Scene::InAnswer,
        Scene::Timeout,
        Scene::Before,
    ] {
        println!("-- {}", scene.title());
        is_well &= play(scene).await?;
    }
    Ok(if is_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Whether all was as it should be.
async fn play(scene: Scene) -> Result<bool, Box<dyn Error>> {
    let clock = Stopwatch::start();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let (sender, mut seen) = mpsc::unbounded_channel();
    let server = tokio::spawn(serve(listener, scene, clock, sender));
    let (ctx, canceller) = scene.context();
    if scene == Scene::Before {
        canceller.cancel_with("the user was too late");
    }
    let ordering = tokio::spawn(order(ctx.clone(), address));
    if matches!(scene, Scene::AtWork | Scene::InAnswer) {
        seen.recv().await.ok_or("the server has gone")?;
        sleep(HEAD_START).await;
        clock.say("user: changes her mind");
        canceller.cancel_with("the user changed her mind");
    }
    let outcome = ordering.await?;
    let ended = Instant::now();
    let is_cancelled = report(clock, &outcome);
    if scene == Scene::Before {
        server.abort();
        let is_alone = seen.recv().await.is_none();
        clock.say(if is_alone {
            "server: has seen nobody"
        } else {
            "server: has seen somebody"
        });
        return Ok(is_cancelled && is_alone);
    }
    let closed = timeout(Duration::from_secs(10), closed(&mut seen)).await??;
    server.await??;
    let took = closed.saturating_duration_since(ended);
    Ok(is_cancelled == (scene != Scene::Answer) && took <= BOUND)
}

/// Says what the client has got; whether its context has ended.
fn report(clock: Stopwatch, outcome: &Result<String, SendError>) -> bool {
    let error = match outcome {
        Ok(text) => {
            clock.say(format_args!("client: {text}"));
            return false;
        }
        Err(error) => error,
    };
    let cancelled = Cancelled::find_in(error);
    let text = cancelled.map_or_else(|| error.to_string(), ToString::to_string);
    clock.say(format_args!("client: {text}"));
    cancelled.is_some()
}

async fn closed(seen: &mut mpsc::UnboundedReceiver<Seen>) -> io::Result<Instant> {
    loop {
        match seen.recv().await {
            Some(Seen::Closed(at)) => return Ok(at),
            Some(Seen::Request) => {}
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// Answers one request, as slowly as the scene wants it.
async fn serve(
    listener: TcpListener,
    scene: Scene,
    clock: Stopwatch,
    seen: mpsc::UnboundedSender<Seen>,
) -> io::Result<()> {
    let (mut connection, _) = listener.accept().await?;
    let head = read_request(&mut connection).await?;
    let given = head
        .lines()
        .find(|line| line.starts_with("x-request-timeout"));
    clock.say(format_args!(
        "server: a request; {}",
        given.unwrap_or("it has no limit")
    ));
    let answer = match scene {
        Scene::Answer => "thank you, good-bye!",
        Scene::InAnswer => "thank you, ",
        Scene::AtWork | Scene::Timeout | Scene::Before => "",
    };
    if !answer.is_empty() {
        connection.write_all(HEAD_OF_ANSWER.as_bytes()).await?;
        connection.write_all(answer.as_bytes()).await?;
    }
    // Nobody wants to know if the scene is over.
    seen.send(Seen::Request).ok();
    // Closed, or reset.
    let is_reset = connection.read(&mut [0]).await.is_err();
    seen.send(Seen::Closed(Instant::now())).ok();
    let how = if is_reset { "reset" } else { "closed" };
    clock.say(format_args!("server: the connection is {how}"));
    Ok(())
}

/// The head of a request, whose body has the length that it says.
async fn read_request(connection: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
    connection.read_exact(&mut vec![0; length]).await?;
    Ok(head)
}
