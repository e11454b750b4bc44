//! The scenes: who starts what, and when it is told to stop.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::process::{ExitCode, ExitStatus, Stdio};

use examples::{Signal, Stopwatch};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// How many requests are in flight when the service is told to stop.
pub(crate) const IN_FLIGHT: usize = 4_000;

/// A service, as a process.
struct Service {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    clock: Stopwatch,
}

fn own_process(arguments: &[&str]) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).kill_on_drop(true);
    Ok(command)
}

impl Service {
    fn start(arguments: &[&str]) -> io::Result<Self> {
        let mut command = own_process(&["serve"])?;
        command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = command.spawn()?;
        let stdout = process.stdout.take().expect("it is piped");
        Ok(Self {
            process,
            lines: BufReader::new(stdout).lines(),
            clock: Stopwatch::start(),
        })
    }

    /// Waits for the next line, and prints it.
    async fn line(&mut self) -> io::Result<String> {
        let line = self.lines.next_line().await?;
        let line = line.ok_or(io::ErrorKind::UnexpectedEof)?;
        self.clock.say(format_args!("service: {line}"));
        Ok(line)
    }

    async fn address(&mut self) -> Result<SocketAddr, Box<dyn Error>> {
        let line = self.line().await?;
        let address = line
            .strip_prefix("serves at ")
            .ok_or("it does not say where it serves")?;
        Ok(address.parse()?)
    }

    /// Waits for the line that begins so; prints all until then.
    async fn line_with(&mut self, begin: &str) -> io::Result<()> {
        while !self.line().await?.starts_with(begin) {}
        Ok(())
    }

    fn send(&self, signal: Signal) -> Result<(), Box<dyn Error>> {
        let process = self.process.id().ok_or("the service has gone")?;
        examples::send(signal, process)?;
        self.clock.say(format_args!("sent {signal}"));
        Ok(())
    }

    /// Waits until it is gone, and prints what it has left to say.
    async fn ended(mut self) -> io::Result<ExitStatus> {
        while let Some(line) = self.lines.next_line().await? {
            self.clock.say(format_args!("service: {line}"));
        }
        let mut errors = String::new();
        if let Some(mut stderr) = self.process.stderr.take() {
            stderr.read_to_string(&mut errors).await?;
        }
        errors
            .lines()
            .for_each(|line| self.clock.say(format_args!("service: {line}")));
        let status = self.process.wait().await?;
        self.clock
            .say(format_args!("the service has ended: {status}"));
        Ok(status)
    }
}

/// Plays all of them; fails if one did not end as it should.
pub(crate) async fn play() -> Result<ExitCode, Box<dyn Error>> {
    println!("-- SIGTERM with {IN_FLIGHT} requests in flight");
    let is_clean = under_load(&[], &[]).await?.code() == Some(0);
    println!("-- the same, and one handler is stuck");
    let serve = ["--stop-for", "4000", "--cancel-for", "500"];
    let is_named = under_load(&serve, &["--stuck"]).await?.code() == Some(1);
    println!("-- SIGINT twice");
    let exits_at_once = twice().await?.code() == Some(130);
    Ok(if is_clean && is_named && exits_at_once {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn under_load(serve: &[&str], load: &[&str]) -> Result<ExitStatus, Box<dyn Error>> {
    let mut service = Service::start(serve)?;
    let clock = service.clock;
    let address = service.address().await?.to_string();
    let mut command = own_process(&["load", &address])?;
    let load = command.args(load).stdout(Stdio::piped()).spawn()?;
    // They are in flight.
    service.line().await?;
    service.send(Signal::Terminate)?;
    let status = service.ended().await?;
    let output = load.wait_with_output().await?;
    clock.say(format_args!(
        "load: {}",
        String::from_utf8_lossy(&output.stdout).trim_end()
    ));
    Ok(status)
}

async fn twice() -> Result<ExitStatus, Box<dyn Error>> {
    let mut service = Service::start(&[])?;
    let address = service.address().await?.to_string();
    let mut load = own_process(&["load", &address])?
        .stdout(Stdio::null())
        .spawn()?;
    service.line().await?;
    service.send(Signal::Interrupt)?;
    // The first one was noticed; until then the system may take two for one.
    service.line_with("stops:").await?;
    service.send(Signal::Interrupt)?;
    let status = service.ended().await?;
    load.wait().await?;
    Ok(status)
}
