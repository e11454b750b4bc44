//! Three processes, one after the other: a user hangs up at the first, and the database query of the third stops.
//!
//! ```sh
//! cargo run --release -p examples --bin chain
//! ```
//!
//! ```text
//! user ── HTTP/1.1 ──▶ shop ── HTTP/2 ──▶ orders ── gRPC ──▶ ledger ── SQLite
//! ```
//!
//! The time that is left goes along as `x-request-timeout` and `grpc-timeout`, and so does the cause when it ends:
//! the three trust each other, and are opted in. Three scenes:
//!
//! 1. the report comes;
//! 2. the user hangs up in the middle;
//! 3. the user gives it 300 ms, which is too short.
//!
//! For each you see what happened in all processes, in order, and the time from the hang-up (or the end of the time)
//! to the last stop. The exit code is 1 if that took more than 100 ms, or if a process does not end as it should.

mod ledger;
mod log;
mod orders;
mod process;
mod refusal;
mod scenes;
mod shop;

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use cancel_context::{Context, signal};
use clap::{Parser, Subcommand};
use tokio::net::TcpListener;

#[derive(Parser)]
#[command(
    about = "A user hangs up at the first of three processes, and the query of the third stops"
)]
struct Arguments {
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Subcommand)]
enum Role {
    /// Serves users over HTTP/1.1.
    #[command(hide = true)]
    Shop { orders: SocketAddr },
    /// Serves the shop over HTTP/2.
    #[command(hide = true)]
    Orders { ledger: SocketAddr },
    /// Serves the orders over gRPC.
    #[command(hide = true)]
    Ledger,
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let Some(role) = Arguments::parse().role else {
        return scenes::play().await;
    };
    let root = signal::context()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    log::say(format_args!("serves at {}", listener.local_addr()?));
    match role {
        Role::Shop { orders } => shop::serve(&root.with_name("shop"), listener, orders).await?,
        Role::Orders { ledger } => {
            orders::serve(&root.with_name("orders"), listener, ledger).await?;
        }
        Role::Ledger => ledger::serve(&root.with_name("ledger"), listener).await?,
    }
    log::say("has ended");
    Ok(ExitCode::SUCCESS)
}

/// Ends with `root`.
async fn until(root: Context) {
    root.cancelled().await;
}
