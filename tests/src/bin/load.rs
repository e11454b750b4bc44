//! Requests per second of a small HTTP server that gives each request a context, against the same server
//! without; with `--check` it fails if there are less than 97 % of them.
//!
//! `cargo run --release -p tests --bin load`, on a machine that does nothing else
//!
//! Each server is a process of its own on a core of its own; this one keeps connections to it busy, from another
//! core, and never sleeps, so that no server spends time on waking it. Ten pairs of servers, started anew; each pair
//! takes turns of a twentieth of a second, in the order with, without, without, with, so that a drift of the machine
//! counts against both. What is told of a pair are medians of its turns, since a machine may be fast in some and slow
//! in others. On Linux it also tells how long a server was running per request. `--compare without` compares servers
//! that are the same, which shows the noise of the machine.
//!
//! The load is bytes that were made before, so that the server is what takes the time. hyper's client
//! (`--client hyper`) takes longer than the server: then the ratio is about 1, and says little.

use std::convert::Infallible;
use std::io;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::ensure;
use axum::body::{Bytes, HttpBody};
use axum::routing::get;
use axum::{BoxError, Router};
use cancel_context::Context;
use cancel_context::tower::ContextLayer;
use clap::{Parser, ValueEnum};
use comfy_table::{CellAlignment, Table, presets};
use core_affinity::CoreId;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response, header};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tests::process::{Process, median};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::{JoinSet, yield_now};
use tower::{Layer, Service};

/// Of the requests per second without contexts.
const LEAST: f64 = 0.97;
const TURN: Duration = Duration::from_millis(50);
/// How many turns each server of a pair has.
const TURNS: usize = 40;
const TURNS_IF_QUICK: usize = 10;
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: here\r\n\r\n";
const HOST: &str = "here";
const ANSWER: &str = "hello";

/// Measures what a context for each request costs an HTTP server.
#[derive(Parser)]
struct Arguments {
    /// Measure each pair for a second, instead of four.
    #[arg(long)]
    quick: bool,
    /// Fail if there are too few requests per second.
    #[arg(long)]
    check: bool,
    /// Let the system place the server and the load, each with as many threads as there are cores.
    #[arg(long)]
    free: bool,
    /// What to compare with servers without contexts; those themselves show the noise of the machine.
    #[arg(long, value_enum, default_value_t = Variant::With)]
    compare: Variant,
    /// What sends the requests.
    #[arg(long, value_enum, default_value_t = Client::Bytes)]
    client: Client,
    /// How many pairs of servers to measure.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pairs: u32,
    /// How many connections to keep busy.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// Be one of the servers.
    #[arg(long, hide = true)]
    serve: Option<Variant>,
    /// The core that the servers are to run on.
    #[arg(long, hide = true)]
    core: Option<usize>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Variant {
    With,
    Without,
}

#[derive(Clone, Copy, ValueEnum)]
enum Client {
    Bytes,
    Hyper,
}

/// Keeps this thread on a core, where the system can do that.
fn pin(core: Option<usize>) {
    if let Some(id) = core {
        core_affinity::set_for_current(CoreId { id });
    }
}

/// Serves until the process is ended; prints its port.
async fn serve(variant: Variant) -> io::Result<()> {
    let router = Router::new().route("/", get(async || ANSWER));
    let (server, _canceller) = Context::background().with_cancel();
    match variant {
        Variant::With => accept(ContextLayer::new(&server).layer(router)).await,
        Variant::Without => accept(router).await,
    }
}

async fn accept<S, B>(service: S) -> io::Result<()>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>,
    S: Clone + Send + 'static,
    B: HttpBody<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{}", listener.local_addr()?.port());
    loop {
        let (connection, _) = listener.accept().await?;
        connection.set_nodelay(true)?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let http = auto::Builder::new(TokioExecutor::new());
            let connection = http.serve_connection(TokioIo::new(connection), service);
            // It fails when the load ends.
            connection.await.ok();
        });
    }
}

/// A connection that is busy with one request at a time.
enum Connection {
    /// With room for an answer: all are of the same length.
    Bytes(TcpStream, Vec<u8>),
    Hyper(SendRequest<Empty<Bytes>>),
}

impl Connection {
    async fn open(server: &Process, client: Client) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(server.address()).await?;
        stream.set_nodelay(true)?;
        if let Client::Hyper = client {
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            // It ends with the sender.
            tokio::spawn(connection);
            return Ok(Self::Hyper(sender));
        }
        stream.write_all(REQUEST).await?;
        let mut answer = Vec::new();
        while !answer.ends_with(ANSWER.as_bytes()) {
            answer.push(stream.read_u8().await?);
        }
        Ok(Self::Bytes(stream, answer))
    }

    async fn request(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Bytes(stream, answer) => {
                stream.write_all(REQUEST).await?;
                stream.read_exact(answer).await?;
                ensure!(answer.ends_with(ANSWER.as_bytes()), "another answer");
            }
            Self::Hyper(sender) => {
                sender.ready().await?;
                let request = Request::get("/").header(header::HOST, HOST);
                let answer = sender.send_request(request.body(Empty::new())?).await?;
                let body = answer.into_body().collect().await?.to_bytes();
                ensure!(body == ANSWER, "another answer");
            }
        }
        Ok(())
    }

    /// Sends one request after the other, and counts them.
    async fn keep_busy(mut self, until: Instant) -> anyhow::Result<(Self, u32)> {
        let mut requests = 0;
        while Instant::now() < until {
            self.request().await?;
            requests += 1;
        }
        Ok((self, requests))
    }
}

/// Keeps this thread from sleeping.
async fn stay_awake() {
    loop {
        yield_now().await;
    }
}

/// A server, the connections to it, and what was measured of it.
struct Measured {
    server: Process,
    connections: Vec<Connection>,
    turns: Vec<Turn>,
}

/// What a server did in its turn.
struct Turn {
    requests_per_second: f64,
    /// In nanoseconds.
    running_per_request: f64,
}

impl Measured {
    /// Starts a server; its first turn does not count.
    async fn start(variant: Variant, arguments: &Arguments) -> anyhow::Result<Self> {
        let name = variant.to_possible_value().expect("none is skipped");
        let mut command = vec![String::from("--serve"), name.get_name().to_owned()];
        if arguments.free {
            command.push(String::from("--free"));
        }
        if let Some(core) = arguments.core {
            command.extend([String::from("--core"), core.to_string()]);
        }
        let server = Process::start(command)?;
        let mut measured = Self {
            connections: Vec::new(),
            server,
            turns: Vec::new(),
        };
        for _ in 0..arguments.connections {
            let connection = Connection::open(&measured.server, arguments.client).await?;
            measured.connections.push(connection);
        }
        measured.take_turn().await?;
        measured.turns.clear();
        Ok(measured)
    }

    async fn take_turn(&mut self) -> anyhow::Result<()> {
        let running = self.server.running_time();
        let begun = Instant::now();
        let connections = self.connections.drain(..);
        let mut busy: JoinSet<_> = connections
            .map(|connection| connection.keep_busy(begun + TURN))
            .collect();
        let awake = tokio::spawn(stay_awake());
        let mut requests = 0.0;
        while let Some(connection) = busy.join_next().await {
            let (connection, answered) = connection??;
            self.connections.push(connection);
            requests += f64::from(answered);
        }
        awake.abort();
        self.turns.push(Turn {
            requests_per_second: requests / begun.elapsed().as_secs_f64(),
            running_per_request: (self.server.running_time() - running) / requests,
        });
        Ok(())
    }

    fn median_of(&self, figure: impl FnMut(&Turn) -> f64) -> f64 {
        median(self.turns.iter().map(figure).collect())
    }
}

/// Starts a server of each kind, and lets them take turns.
async fn pair(turns: usize, arguments: &Arguments) -> anyhow::Result<[Measured; 2]> {
    let mut servers = [
        Measured::start(arguments.compare, arguments).await?,
        Measured::start(Variant::Without, arguments).await?,
    ];
    for turn in 0..turns {
        for index in 0..2 {
            servers[(turn + index) % 2].take_turn().await?;
        }
    }
    Ok(servers)
}

/// The median of what `compare` gives for two turns that follow each other.
fn of_turns([with, without]: &[Measured; 2], compare: impl Fn(&Turn, &Turn) -> f64) -> f64 {
    let turns = with.turns.iter().zip(&without.turns);
    median(
        turns
            .map(|(with, without)| compare(with, without))
            .collect(),
    )
}

/// Prints each pair, and the medians; gives the ratio of requests per second.
async fn compare(arguments: &Arguments) -> anyhow::Result<f64> {
    let turns = if arguments.quick {
        TURNS_IF_QUICK
    } else {
        TURNS
    };
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header([
        "pair",
        "with (/s)",
        "without (/s)",
        "ratio",
        "with (ns)",
        "without (ns)",
        "cost (ns)",
    ]);
    let (mut ratios, mut costs) = (Vec::new(), Vec::new());
    for number in 1..=arguments.pairs {
        let pair = pair(turns, arguments).await?;
        let rate = |turn: &Turn| turn.requests_per_second;
        let running = |turn: &Turn| turn.running_per_request;
        let [with, without] = pair.each_ref().map(|server| server.median_of(rate));
        let [long, short] = pair.each_ref().map(|server| server.median_of(running));
        // Of turns that follow each other: the machine may be fast in some and slow in others.
        let ratio = of_turns(&pair, |with, without| rate(with) / rate(without));
        let cost = of_turns(&pair, |with, without| running(with) - running(without));
        table.add_row([
            number.to_string(),
            format!("{with:.0}"),
            format!("{without:.0}"),
            format!("{ratio:.4}"),
            format!("{long:.0}"),
            format!("{short:.0}"),
            format!("{cost:.0}"),
        ]);
        ratios.push(ratio);
        costs.push(cost);
    }
    for column in table.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
    let ratio = median(ratios);
    println!("median ratio {ratio:.4}, to be at least {LEAST}");
    println!("median cost {:.0} ns of running per request", median(costs));
    Ok(ratio)
}

fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = Arguments::parse();
    let mut runtime = if arguments.free {
        Builder::new_multi_thread()
    } else {
        Builder::new_current_thread()
    };
    let runtime = runtime.enable_all().build()?;
    if let Some(variant) = arguments.serve {
        pin(arguments.core);
        runtime.block_on(serve(variant))?;
        return Ok(ExitCode::SUCCESS);
    }
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    if arguments.free {
        println!("the system places the server and the load");
    } else if let [first, .., last] = &cores[..] {
        pin(Some(first.id));
        arguments.core = Some(last.id);
    } else {
        println!("without a core of its own, the load takes its share of the time");
    }
    let ratio = runtime.block_on(compare(&arguments))?;
    Ok(if arguments.check && ratio < LEAST {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
