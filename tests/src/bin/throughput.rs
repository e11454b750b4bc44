//! Requests per second of the annotated server, in a scope that nobody cancels, against the same server
//! without the attribute. Run in release, on a machine that does nothing else.
//!
//! Each server is a process of its own; this one sends requests over loopback. Ten pairs of processes,
//! started anew; each pair takes turns that last some hundredths of a second, in the order annotated,
//! plain, plain, annotated, so that a drift of the machine, or of where its threads run, counts against
//! both. On Linux it also tells how long a server's threads were running per request, which depends less
//! on what else the machine does.
//!
//! It is done twice: with a worker for each core, as `#[tokio::main]` has it; and with one core left to
//! the load, so that threads stay where they are and the server is what limits the throughput.

use std::env;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use cancel_context::Context;
use tests::parts::{Failures, Parts};
use tests::process::{Process, median};
use tests::server;
use tests::variants::plain;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;

const ANNOTATED: &str = "annotated";
const PLAIN: &str = "plain";
const PAIRS: usize = 10;
/// How often each server of a pair has its turn, after one that does not count.
const TURNS: usize = 48;
const CONNECTIONS: usize = 32;

/// How requests are sent.
struct Load {
    name: &'static str,
    /// How many requests a connection sends before it waits for the replies.
    depth: usize,
    /// How many times each connection does so in a turn.
    rounds: usize,
}

const LOADS: [Load; 2] = [
    Load {
        name: "ping-pong",
        depth: 1,
        rounds: 100,
    },
    Load {
        name: "pipelined by 16",
        depth: 16,
        rounds: 60,
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

/// Sends requests over one connection.
async fn connection(mut stream: TcpStream, id: usize, load: &Load) -> io::Result<TcpStream> {
    for round in 0..load.rounds {
        let batch = batch(id, load.depth, round);
        exchange(&mut stream, &batch, load.depth).await?;
    }
    Ok(stream)
}

/// A server, the connections to it, and what was measured of it.
struct Measured {
    server: Process,
    streams: Vec<TcpStream>,
    requests: f64,
    elapsed: Duration,
    /// In nanoseconds.
    running: f64,
}

impl Measured {
    async fn start(variant: &str, workers: usize) -> anyhow::Result<Self> {
        let server = Process::start([variant, &workers.to_string()])?;
        let mut streams = Vec::new();
        for _ in 0..CONNECTIONS {
            let stream = TcpStream::connect(server.address()).await?;
            stream.set_nodelay(true)?;
            streams.push(stream);
        }
        Ok(Self {
            server,
            streams,
            requests: 0.0,
            elapsed: Duration::ZERO,
            running: 0.0,
        })
    }

    async fn take_turn(&mut self, load: &'static Load) -> anyhow::Result<()> {
        let running = self.server.running_time();
        let started = Instant::now();
        let connections: Vec<_> = (self.streams.drain(..).enumerate())
            .map(|(id, stream)| tokio::spawn(connection(stream, id, load)))
            .collect();
        for connection in connections {
            self.streams.push(connection.await??);
        }
        self.elapsed += started.elapsed();
        self.running += self.server.running_time() - running;
        self.requests += f64::from(u32::try_from(CONNECTIONS * load.rounds * load.depth)?);
        Ok(())
    }

    fn requests_per_second(&self) -> f64 {
        self.requests / self.elapsed.as_secs_f64()
    }

    fn running_time_per_request(&self) -> f64 {
        self.running / self.requests
    }
}

/// Starts a server of each kind, and lets them take turns.
async fn pair(load: &'static Load, workers: usize) -> anyhow::Result<[Measured; 2]> {
    let mut servers = [
        Measured::start(ANNOTATED, workers).await?,
        Measured::start(PLAIN, workers).await?,
    ];
    for server in &mut servers {
        server.take_turn(load).await?;
        (server.requests, server.elapsed, server.running) = (0.0, Duration::ZERO, 0.0);
    }
    for turn in 0..TURNS {
        for index in 0..2 {
            servers[(turn + index) % 2].take_turn(load).await?;
        }
    }
    Ok(servers)
}

/// Prints each pair, and the medians of annotated over plain.
async fn compare(load: &'static Load, workers: usize) -> anyhow::Result<()> {
    println!(
        "{}, {CONNECTIONS} connections, {workers} workers:",
        load.name
    );
    let (mut ratios, mut costs) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        let [annotated, plain] = pair(load, workers).await?;
        let ratio = annotated.requests_per_second() / plain.requests_per_second();
        let cost = annotated.running_time_per_request() - plain.running_time_per_request();
        println!(
            "  annotated {:8.0}/s, plain {:8.0}/s, ratio {ratio:.4}; running {:5.0} ns, {:5.0} ns",
            annotated.requests_per_second(),
            plain.requests_per_second(),
            annotated.running_time_per_request(),
            plain.running_time_per_request(),
        );
        ratios.push(ratio);
        costs.push(cost);
    }
    println!("  median ratio {:.4}", median(ratios));
    println!("  median cost {:.0} ns per request", median(costs));
    Ok(())
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    if let [variant, workers] = &arguments[..] {
        let runtime = Builder::new_multi_thread()
            .worker_threads(workers.parse()?)
            .enable_all()
            .build()?;
        return runtime.block_on(serve(variant));
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let cores = thread::available_parallelism()?.get();
    for workers in [cores, cores.saturating_sub(1).max(1)] {
        for load in &LOADS {
            runtime.block_on(compare(load, workers))?;
        }
    }
    Ok(())
}
