//! The scenes that the gateway plays against itself, and what each has to be like.

use std::error::Error;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use cancel_context::{Context, signal};
use tokio::time::{sleep, timeout};

use crate::client::Client;
use crate::counts::Counts;
use crate::record::{End, RequestLog};
use crate::report::{Report, ran, timeline};
use crate::server::Servers;

const SHORT_REQUEST: &str = "/orders/7?identity=120&order=180&token=90";
const LONG_REQUEST: &str = "/orders/7?identity=3200&order=3300&token=3400";
const LONG_REQUEST_ON_QUICK_ROUTE: &str = "/quick/orders/7?identity=3200&order=3300&token=3400";

/// For so long all branches run before somebody cancels.
const HEAD_START: Duration = Duration::from_millis(400);
/// Each branch of the control scene has to run for so long.
const CONTROL: Duration = Duration::from_secs(3);
const STOP_BOUND: Duration = Duration::from_millis(50);
const SQLITE_STOP_BOUND: Duration = Duration::from_millis(100);
/// A request that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(30);

const SCENES: [Scene; 5] = [
    Scene {
        name: "0",
        title: "control: nothing is cancelled",
        request: LONG_REQUEST,
        ending: Ending::Completion,
    },
    Scene {
        name: "a",
        title: "a short request succeeds",
        request: SHORT_REQUEST,
        ending: Ending::Completion,
    },
    Scene {
        name: "b",
        title: "the client closes its socket in the middle",
        request: LONG_REQUEST,
        ending: Ending::HangUp,
    },
    Scene {
        name: "c",
        title: "the route's timeout of 50 ms passes",
        request: LONG_REQUEST_ON_QUICK_ROUTE,
        ending: Ending::RouteTimeout,
    },
    Scene {
        name: "d",
        title: "SIGINT arrives, and the gateway ends",
        request: LONG_REQUEST,
        ending: Ending::Signal,
    },
];

struct Scene {
    name: &'static str,
    title: &'static str,
    request: &'static str,
    ending: Ending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Completion,
    HangUp,
    RouteTimeout,
    Signal,
}

impl Ending {
    /// What the branches have to name as their end.
    fn cause(self) -> &'static str {
        match self {
            Self::Completion => "completion",
            Self::HangUp => "client disconnected",
            Self::RouteTimeout => "route timeout of 50 ms",
            Self::Signal => "SIGINT",
        }
    }

    /// What the client has to be told, if it is still there.
    fn status(self) -> Option<u16> {
        match self {
            Self::Completion => Some(200),
            Self::HangUp => None,
            Self::RouteTimeout => Some(504),
            Self::Signal => Some(503),
        }
    }
}

/// Plays all scenes and prints them; whether each was as it has to be.
pub(crate) async fn play_all(json: bool) -> Result<bool, Box<dyn Error>> {
    let root = signal::context()?.with_name("gateway");
    let before = Counts::now(&root);
    let mut stage = Stage {
        root: &root,
        servers: Servers::start(&root).await?,
    };
    // A first request starts what lives as long as the process.
    stage.request(SHORT_REQUEST, Ending::Completion).await?;
    let idle = Counts::at_rest(&root).await;
    // Once the servers are gone. The one task more drives the deadlines of this runtime.
    let ended = Counts {
        tasks: before.tasks + 1,
        ..before
    };

    let mut as_promised = true;
    for scene in &SCENES {
        let ends_all = scene.ending == Ending::Signal;
        let played = stage
            .play(scene, if ends_all { &ended } else { &idle })
            .await?;
        played.print(scene, json)?;
        if root.is_cancelled() && !ends_all {
            eprintln!("gateway: a signal came before the last scene");
            return Ok(false);
        }
        for problem in played.problems(scene) {
            eprintln!("scene {}: {problem}", scene.name);
            as_promised = false;
        }
    }
    Ok(as_promised)
}

struct Stage<'r> {
    root: &'r Context,
    servers: Servers,
}

/// One request that has ended.
struct Ended {
    log: RequestLog,
    cancelled_at: Option<Instant>,
    status: Option<u16>,
}

impl Stage<'_> {
    async fn play(&mut self, scene: &Scene, idle: &Counts) -> Result<Played, Box<dyn Error>> {
        let ended = self.request(scene.request, scene.ending).await?;
        if scene.ending == Ending::Signal {
            timeout(LIMIT, self.servers.ended())
                .await
                .map_err(|_| "the servers do not end")??;
        }
        let left_over = idle.left_over(self.root).await;
        let report = Report::new(scene.name, &ended.log, ended.cancelled_at, left_over);
        Ok(Played { ended, report })
    }

    async fn request(&mut self, path: &str, ending: Ending) -> Result<Ended, Box<dyn Error>> {
        timeout(LIMIT, self.exchange(path, ending))
            .await
            .map_err(|_| format!("{path} hangs"))?
    }

    /// Has a client make one request, and ends it.
    async fn exchange(&mut self, path: &str, ending: Ending) -> Result<Ended, Box<dyn Error>> {
        let mut client = Client::start(self.servers.address, path)?;
        let requests = &mut self.servers.requests;
        let mut request = requests.recv().await.ok_or("the gateway has ended")?;
        if matches!(ending, Ending::HangUp | Ending::Signal) {
            request.wait_for(RequestLog::all_started).await?;
            sleep(HEAD_START).await;
        }
        let now = Instant::now();
        let cancelled_at = match ending {
            Ending::Completion => None,
            Ending::RouteTimeout => request.borrow().deadline,
            Ending::HangUp => {
                client.hang_up();
                Some(now)
            }
            Ending::Signal => {
                examples::interrupt_self()?;
                Some(now)
            }
        };
        let log = request.wait_for(RequestLog::all_ended).await?.clone();
        Ok(Ended {
            log,
            cancelled_at,
            status: client.status().await?,
        })
    }
}

struct Played {
    ended: Ended,
    report: Report,
}

impl Played {
    fn print(&self, scene: &Scene, json: bool) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        if json {
            return writeln!(stdout, "{}", serde_json::to_string(&self.report)?);
        }
        writeln!(stdout, "{}  {}", scene.name, scene.title)?;
        write!(stdout, "{}", timeline(&self.ended.log))?;
        writeln!(stdout, "{}", self.report.verdict())
    }

    /// What is not as it has to be.
    fn problems(&self, scene: &Scene) -> Vec<String> {
        let mut problems = Vec::new();
        let (ended_by, expected) = (&self.report.ended_by, scene.ending.cause());
        if ended_by != expected {
            problems.push(format!("ended by `{ended_by}`, not by `{expected}`"));
        }
        let (status, expected) = (self.ended.status, scene.ending.status());
        if status != expected {
            problems.push(format!("the client got {status:?}, not {expected:?}"));
        }
        for branch in &self.ended.log.branches {
            let is_as_told = match scene.ending {
                Ending::Completion => matches!(branch.end, Some(End::Completed)),
                _ => matches!(branch.end, Some(End::Cancelled(_))),
            };
            if !is_as_told {
                problems.push(format!("{} ended as: {branch}", branch.name));
            }
            if scene.name == "0" && ran(branch) < CONTROL {
                problems.push(format!("{} ran for {:?} only", branch.name, ran(branch)));
            }
            let bound = match branch.name {
                "order" => SQLITE_STOP_BOUND,
                _ => STOP_BOUND,
            };
            if let Some((cancelled_at, ended)) = self.ended.cancelled_at.zip(branch.ended) {
                let stop = ended.saturating_duration_since(cancelled_at);
                if stop > bound {
                    problems.push(format!("{} took {stop:?} to stop", branch.name));
                }
            }
        }
        for left_over in &self.report.left_over {
            problems.push(format!("left over: {left_over}"));
        }
        problems
    }
}
