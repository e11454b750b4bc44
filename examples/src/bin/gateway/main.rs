//! A service on real sockets and a real database, whose requests are cancelled in four ways.
//!
//! ```sh
//! cargo run --release -p examples --bin gateway            # plays the scenes
//! cargo run --release -p examples --bin gateway -- --json  # the same, one JSON object a scene
//! cargo run --release -p examples --bin gateway -- --serve # stays up, for you and curl
//! ```
//!
//! Each request fans out to three annotated functions: an identity lookup (HTTP to a second local
//! server), an order in a SQLite database (on a blocking thread, stopped by SQLite's own interrupt),
//! and a token check (it burns CPU on a blocking thread and looks at its context now and then). The
//! gateway drives itself: every client is a process of its own with a real socket.
//!
//! - 0: nothing is cancelled, and each branch runs for more than 3 seconds;
//! - a: a short request succeeds;
//! - b: the client closes its socket in the middle;
//! - c: the route's timeout of 50 ms passes;
//! - d: SIGINT arrives, and the gateway ends.
//!
//! For each scene you see how long each branch ran and what ended it, the one-line error with both
//! ends (the await that was left, and what ended the context), and the time from the cancel to the end
//! of the last branch. The exit code is 1 if that took more than 50 ms (SQLite: 100 ms), or if a task,
//! a socket or a context is left over.

mod branches;
mod client;
mod counts;
mod identity_server;
mod record;
mod report;
mod scenes;
mod serve;
mod server;

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::runtime::Runtime;

/// A service whose requests are cancelled in four ways; shows what stops, when and why.
///
/// Without options it plays five scenes against itself and exits with 1 if a branch takes too long
/// to stop, or if a task, a socket or a context is left over.
#[derive(Debug, Parser)]
#[command(disable_help_subcommand = true)]
struct Options {
    /// Stay up for a person with curl, until Ctrl-C
    #[arg(long, conflicts_with = "json")]
    serve: bool,
    /// Print one JSON object per scene and nothing else
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// The client of a scene: one request; it hangs up when its input ends.
    #[command(hide = true)]
    Client { address: SocketAddr, path: String },
}

fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = match &options.role {
        Some(Role::Client { address, path }) => client::run(*address, path)
            .map(|()| true)
            .map_err(Into::into),
        None => Runtime::new()
            .map_err(Into::into)
            .and_then(|runtime| runtime.block_on(run(&options))),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("gateway: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything was as it should be.
async fn run(options: &Options) -> Result<bool, Box<dyn Error>> {
    if options.serve {
        serve::until_signal().await?;
        Ok(true)
    } else {
        scenes::play_all(options.json).await
    }
}
