//! What the user does, and what comes of it in the three processes.

use std::error::Error;
use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{sleep, timeout};

use crate::log::Event;
use crate::process::{Process, Said};

/// How long a stop may take, in milliseconds.
const BOUND: f64 = 100.0;
/// How long the query has run before the user hangs up.
const HEAD_START: Duration = Duration::from_millis(200);
/// The time that the user gives in the last scene, in milliseconds.
const TOO_SHORT: u16 = 300;
/// A scene that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(30);
/// A request ends in each process, and the query.
const ENDS: usize = 4;

struct Stage {
    shop: SocketAddr,
    events: UnboundedReceiver<Said>,
    /// Those of the scene so far.
    said: Vec<Said>,
}

/// Plays all scenes; fails if one was not as it should be.
pub(crate) async fn play() -> Result<ExitCode, Box<dyn Error>> {
    let (sender, events) = unbounded_channel();
    let ledger = Process::start("ledger", None, sender.clone()).await?;
    let orders = Process::start("orders", Some(ledger.address), sender.clone()).await?;
    let shop = Process::start("shop", Some(orders.address), sender).await?;
    let mut stage = Stage {
        shop: shop.address,
        events,
        said: Vec::new(),
    };
    let mut is_well = true;
    for scene in [Scene::Answer, Scene::HangUp, Scene::Timeout] {
        println!("-- {}", scene.title());
        let played = timeout(LIMIT, stage.play(scene)).await;
        is_well &= played.map_err(|_| "the scene hangs")??;
    }
    for process in [shop, orders, ledger] {
        process.end().await?;
    }
    Ok(if is_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

#[derive(Clone, Copy)]
enum Scene {
    Answer,
    HangUp,
    Timeout,
}

impl Scene {
    const fn title(self) -> &'static str {
        match self {
            Self::Answer => "the report comes",
            Self::HangUp => "the user hangs up",
            Self::Timeout => "the user gives it too little time",
        }
    }

    /// What the query has to say, and what begins with it.
    const fn end_of_query(self) -> &'static str {
        match self {
            Self::Answer => "the query is done",
            Self::HangUp => {
                "the query stops: context canceled \
                 (caller cancelled: client disconnected, in shop/GET /reports/7): "
            }
            Self::Timeout => "the query stops: context ",
        }
    }
}

impl Stage {
    /// Whether it was as it should be.
    async fn play(&mut self, scene: Scene) -> io::Result<bool> {
        self.said.clear();
        let mut user = TcpStream::connect(self.shop).await?;
        let (milliseconds, header) = match scene {
            Scene::Answer => (120, String::new()),
            Scene::HangUp => (5_000, String::new()),
            Scene::Timeout => (5_000, format!("X-Request-Timeout: {TOO_SHORT}m\r\n")),
        };
        self.user(format_args!(
            "asks for a report that takes {milliseconds} ms"
        ));
        let request = format!(
            "GET /reports/7?milliseconds={milliseconds} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n{header}\r\n"
        );
        user.write_all(request.as_bytes()).await?;
        self.wait_for("the query begins", 1).await?;
        let cancelled_at = match scene {
            Scene::HangUp => {
                sleep(HEAD_START).await;
                drop(user);
                Some(self.user("hangs up"))
            }
            Scene::Answer | Scene::Timeout => {
                let mut answer = String::new();
                user.read_to_string(&mut answer).await?;
                let status = answer.lines().next().unwrap_or("nothing").to_owned();
                self.user(format_args!("is told: {status}"));
                let begun = self.said.first().map(|(_, event)| event.at);
                let end = begun.map(|begun| begun + 1_000 * u64::from(TOO_SHORT));
                end.filter(|_| matches!(scene, Scene::Timeout))
            }
        };
        self.wait_for("ends: ", ENDS - 1).await?;
        self.wait_for("the query ", 2).await?;
        self.said.sort_by_key(|(_, event)| event.at);
        Ok(self.print(scene, cancelled_at))
    }

    /// Notes what the user does; returns when.
    fn user(&mut self, text: impl Display) -> u64 {
        let event = Event::now(text);
        let at = event.at;
        self.said.push(("user", event));
        at
    }

    /// Waits until so many events of the scene begin with `text`.
    async fn wait_for(&mut self, text: &str, count: usize) -> io::Result<()> {
        while self.beginning_with(text).count() < count {
            let said = self.events.recv().await;
            self.said.push(said.ok_or(io::ErrorKind::UnexpectedEof)?);
        }
        Ok(())
    }

    fn beginning_with(&self, text: &str) -> impl Iterator<Item = &Event> {
        let events = self.said.iter().map(|(_, event)| event);
        events.filter(move |event| event.text.starts_with(text))
    }

    fn print(&self, scene: Scene, cancelled_at: Option<u64>) -> bool {
        let first = self.said.first().map_or(0, |(_, event)| event.at);
        for (name, Event { at, text }) in &self.said {
            println!("[{:7.1} ms] {name:<6}  {text}", milliseconds(first, *at));
        }
        let end = scene.end_of_query();
        let is_named = self.beginning_with(end).next().is_some();
        if !is_named {
            println!("   the query did not end with: {end}");
        }
        let Some(cancelled_at) = cancelled_at else {
            return is_named;
        };
        let ends = self
            .beginning_with("ends: ")
            .chain(self.beginning_with("the query stops"));
        let last = ends.map(|event| event.at).max().unwrap_or(u64::MAX);
        let took = milliseconds(cancelled_at, last);
        println!("   to the last stop: {took:.1} ms (bound: {BOUND} ms)");
        is_named && took <= BOUND
    }
}

#[expect(clippy::cast_precision_loss, reason = "the differences are small")]
fn milliseconds(from: u64, to: u64) -> f64 {
    to.saturating_sub(from) as f64 / 1_000.0
}
