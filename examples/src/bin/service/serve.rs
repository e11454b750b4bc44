//! The service: a task per connection, and one per request.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cancel_context::task::JoinError;
use cancel_context::{Cancelled, Context, cancellable};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, BufWriter};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::load::PER_CONNECTION;
use crate::scenes::IN_FLIGHT;

/// The request that hangs.
pub(crate) const STUCK: &str = "stuck";

/// What a request takes.
const WORK: Duration = Duration::from_secs(2);

/// How many answers of one connection may wait to be written.
const QUEUE: usize = 64;

/// Says when all connections of the scenes have as many requests in flight as they keep.
///
/// Once, however slow their start is: it counts those that have begun, and of each connection only the first ones.
/// What is answered meanwhile is followed by another request.
#[derive(Default)]
struct Gauge {
    begun: AtomicUsize,
}

impl Gauge {
    /// A connection has taken on its request number `of_connection`, from 1 on.
    fn begin(&self, of_connection: usize) {
        // Relaxed: a counter.
        if of_connection <= PER_CONNECTION
            && self.begun.fetch_add(1, Ordering::Relaxed) + 1 == IN_FLIGHT
        {
            println!("{IN_FLIGHT} in flight");
        }
    }
}

/// Accepts connections until the process is to stop. Those that are open then are no longer its affair: whoever
/// runs it waits for their tasks.
pub(crate) async fn serve(ctx: Context) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("serves at {}", listener.local_addr()?);
    let gauge = Arc::<Gauge>::default();
    while let Ok(accepted) = ctx.idle(listener.accept()).await {
        let (stream, peer) = accepted?;
        let of_peer = ctx.with_name(format!("connection {}", peer.port()));
        let gauge = Arc::clone(&gauge);
        drop(of_peer.spawn(connection(of_peer.clone(), stream, gauge)));
    }
    println!("stops: {}", ctx.stopping().cause().expect("it is to stop"));
    Ok(())
}

/// Takes on requests until the process is to stop, answers all of them, and says how many they were.
#[cancellable]
async fn connection(stream: TcpStream, gauge: Arc<Gauge>) -> Result<(), ConnectionError> {
    let (reader, writer) = stream.into_split();
    let mut requests = BufReader::new(reader).lines();
    let (answers, queue) = mpsc::channel(QUEUE);
    let writing = ctx.spawn(write(ctx.clone(), writer, queue));
    let mut accepted = 0;
    while let Ok(request) = ctx.idle(requests.next_line()).await {
        let Some(request) = request? else { break };
        accepted += 1;
        let of_request = ctx.with_name(format!("request {request}"));
        gauge.begin(accepted);
        drop(of_request.spawn(handle(of_request.clone(), request, answers.clone())));
    }
    // The writer ends when the last request is answered.
    drop(answers);
    let mut writer = writing.await??;
    writer
        .write_all(format!("bye {accepted}\n").as_bytes())
        .await?;
    writer.shutdown().await?;
    // A socket that is closed with something unread in it resets the connection, and with it the last answers.
    while requests.next_line().await?.is_some() {}
    Ok(())
}

#[cancellable]
async fn write(
    writer: OwnedWriteHalf,
    mut answers: mpsc::Receiver<String>,
) -> Result<BufWriter<OwnedWriteHalf>, ConnectionError> {
    let mut writer = BufWriter::new(writer);
    while let Some(answer) = answers.recv().await {
        writer.write_all(answer.as_bytes()).await?;
        if answers.is_empty() {
            writer.flush().await?;
        }
    }
    writer.flush().await?;
    Ok(writer)
}

#[cancellable]
async fn handle(request: String, answers: mpsc::Sender<String>) -> Result<(), ConnectionError> {
    if request == STUCK {
        #[shield]
        write_to_a_log_that_is_gone().await;
    }
    tokio::time::sleep(WORK).await;
    // If nobody writes any more, nobody reads either.
    answers.send(format!("{request}\n")).await.ok();
    Ok(())
}

async fn write_to_a_log_that_is_gone() {
    std::future::pending::<()>().await;
}

/// Why a connection, or a request of it, was not served to its end. Whoever it is, the client has noticed.
#[derive(Debug)]
enum ConnectionError {
    Cancelled,
    Io,
}

impl From<Cancelled> for ConnectionError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

impl From<JoinError> for ConnectionError {
    fn from(_: JoinError) -> Self {
        Self::Cancelled
    }
}

impl From<io::Error> for ConnectionError {
    fn from(_: io::Error) -> Self {
        Self::Io
    }
}
