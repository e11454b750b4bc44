//! Requests per second of the annotated server, in a scope that nobody cancels, against the same server
//! without the attribute. Run in release, on a machine that does nothing else.
//!
//! The server is a process of its own, started anew for each measurement; this one sends requests
//! over loopback. Ten pairs, in the order annotated, plain, plain, annotated, so that a drift of the
//! machine counts against both. On Linux it also tells how long the server's threads were running per
//! request, which depends less on what else the machine does.

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use cancel_context::Context;
use tests::parts::{Failures, Parts};
use tests::server;
use tests::variants::plain;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::Barrier;

const ANNOTATED: &str = "annotated";
const PLAIN: &str = "plain";
const PAIRS: usize = 10;
const CONNECTIONS: usize = 32;

/// How requests are sent.
struct Load {
    name: &'static str,
    /// How many requests a connection sends before it waits for the replies.
    depth: usize,
    /// How many requests are sent in all.
    requests: usize,
}

const LOADS: [Load; 2] = [
    Load {
        name: "ping-pong",
        depth: 1,
        requests: 192_000,
    },
    Load {
        name: "pipelined by 16",
        depth: 16,
        requests: 1_536_000,
    },
];

/// Serves until the process is ended; prints its port.
async fn serve(variant: &str) -> anyhow::Result<()> {
    let (limit, parts, failures) = (CONNECTIONS, Parts::default(), Failures::default());
    if variant == PLAIN {
        let config = plain::Config {
            limit,
            parts,
            failures,
        };
        let server = plain::Server::bind(config).await?;
        println!("{}", server.address()?.port());
        return Ok(server.run().await?);
    }
    let config = server::Config {
        limit,
        parts,
        failures,
    };
    let server = server::Server::bind(config).await?;
    println!("{}", server.address()?.port());
    let (ctx, _canceller) = Context::background().with_cancel();
    Ok(ctx.run(server.run()).await??)
}

/// The process of a server; ended with this value.
struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    fn start(variant: &str) -> anyhow::Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .arg(variant)
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().expect("it is piped");
        let mut port = String::new();
        BufReader::new(output).read_line(&mut port)?;
        let address = (Ipv4Addr::LOCALHOST, port.trim().parse()?).into();
        Ok(Self { child, address })
    }

    /// How long its threads have been running, in nanoseconds; 0 where that is not known.
    fn running_time(&self) -> f64 {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let statistics = threads
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|thread| {
                let statistics = fs::read_to_string(thread.path().join("schedstat")).ok()?;
                statistics
                    .split_ascii_whitespace()
                    .next()?
                    .parse::<f64>()
                    .ok()
            });
        statistics.sum()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let ended = self.child.kill().and_then(|()| self.child.wait());
        ended.expect("the server ends");
    }
}

/// The requests that connection `id` sends at a time.
fn batch(id: usize, depth: usize, round: usize) -> String {
    let request = |index| match (index + round) % 2 {
        0 => format!("SET key{id} value{id}\n"),
        _ => format!("GET key{id}\n"),
    };
    (0..depth).map(request).collect()
}

async fn exchange(stream: &mut TcpStream, batch: &str, depth: usize) -> io::Result<()> {
    stream.write_all(batch.as_bytes()).await?;
    let mut buffer = [0; 4096];
    let mut missing = depth;
    while missing > 0 {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        missing -= buffer[..count].split(|byte| *byte == b'\n').count() - 1;
    }
    Ok(())
}

/// Sends requests over one connection; waits for the others before those that count.
async fn connection(
    address: SocketAddr,
    id: usize,
    depth: usize,
    rounds: usize,
    start: Arc<Barrier>,
) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let batches = [batch(id, depth, 0), batch(id, depth, 1)];
    for round in 0..rounds / 10 {
        exchange(&mut stream, &batches[round % 2], depth).await?;
    }
    start.wait().await;
    for round in 0..rounds {
        exchange(&mut stream, &batches[round % 2], depth).await?;
    }
    Ok(())
}

/// What was measured of one server.
struct Measured {
    requests_per_second: f64,
    /// In nanoseconds.
    running_time_per_request: f64,
}

async fn measure(variant: &str, load: &Load) -> anyhow::Result<Measured> {
    let server = Process::start(variant)?;
    let rounds = load.requests / CONNECTIONS / load.depth;
    let start = Arc::new(Barrier::new(CONNECTIONS + 1));
    let connections: Vec<_> = (0..CONNECTIONS)
        .map(|id| connection(server.address, id, load.depth, rounds, start.clone()))
        .map(tokio::spawn)
        .collect();
    start.wait().await;
    let (started, running) = (Instant::now(), server.running_time());
    for connection in connections {
        connection.await??;
    }
    let requests = f64::from(u32::try_from(rounds * CONNECTIONS * load.depth)?);
    Ok(Measured {
        requests_per_second: requests / started.elapsed().as_secs_f64(),
        running_time_per_request: (server.running_time() - running) / requests,
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
}

/// Prints each pair, and the medians of annotated over plain.
async fn compare(load: &Load) -> anyhow::Result<()> {
    println!("{}, {CONNECTIONS} connections:", load.name);
    let (mut ratios, mut costs) = (Vec::new(), Vec::new());
    for pair in 0..PAIRS {
        let (annotated, plain);
        if pair % 2 == 0 {
            annotated = measure(ANNOTATED, load).await?;
            plain = measure(PLAIN, load).await?;
        } else {
            plain = measure(PLAIN, load).await?;
            annotated = measure(ANNOTATED, load).await?;
        }
        let ratio = annotated.requests_per_second / plain.requests_per_second;
        let cost = annotated.running_time_per_request - plain.running_time_per_request;
        println!(
            "  annotated {:8.0}/s, plain {:8.0}/s, ratio {ratio:.4}; running {:5.0} ns, {:5.0} ns",
            annotated.requests_per_second,
            plain.requests_per_second,
            annotated.running_time_per_request,
            plain.running_time_per_request,
        );
        ratios.push(ratio);
        costs.push(cost);
    }
    println!("  median ratio {:.4}", median(ratios));
    println!("  median cost {:.0} ns per request", median(costs));
    Ok(())
}

/// The server has a worker for each core, as `#[tokio::main]` gives it; the load has one thread.
fn main() -> anyhow::Result<()> {
    if let Some(variant) = env::args().nth(1) {
        let runtime = Builder::new_multi_thread().enable_all().build()?;
        return runtime.block_on(serve(&variant));
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    for load in &LOADS {
        runtime.block_on(compare(load))?;
    }
    Ok(())
}
