//! A service that is told to stop while thousands of requests are in flight: nothing is lost, and what does not
//! end is named.
//!
//! ```sh
//! cargo run --release -p examples --bin service
//! ```
//!
//! Three scenes, each with the service and its load as processes of their own:
//!
//! 1. SIGTERM with 4,000 requests in flight, while more come in. The service takes on no more, answers all that it
//!    has accepted, and exits with 0. The load counts.
//! 2. The same with one handler that never ends: it is cancelled, aborted, and named with the await it hangs in;
//!    the service exits with 1.
//! 3. SIGINT twice: the second one exits at once, with 130.
//!
//! Requests are lines, answers too. A connection that the service ends gets `bye` and the number of requests
//! that it has accepted there; what the client has sent beyond that, it may send elsewhere.

mod load;
mod scenes;
mod serve;

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use cancel_context::shutdown::Shutdown;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "A service that stops without losing anything")]
struct Arguments {
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Subcommand)]
enum Role {
    /// Serves, and prints its address.
    Serve {
        /// How long the work under way may take until it is cancelled, in milliseconds.
        #[arg(long, default_value_t = 20_000)]
        stop_for: u64,
        /// How long what was cancelled may take until it is aborted, in milliseconds.
        #[arg(long, default_value_t = 1_000)]
        cancel_for: u64,
    },
    /// Keeps requests in flight until the service says goodbye, and prints what became of them.
    Load {
        /// The service.
        address: SocketAddr,
        /// How many requests are in flight at the same time.
        #[arg(long, default_value_t = scenes::IN_FLIGHT)]
        requests: usize,
        /// Sends one that is never answered.
        #[arg(long)]
        stuck: bool,
    },
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    match Arguments::parse().role {
        None => scenes::play().await,
        Some(Role::Serve {
            stop_for,
            cancel_for,
        }) => {
            let shutdown = Shutdown::new()
                .stop_for(Duration::from_millis(stop_for))
                .cancel_for(Duration::from_millis(cancel_for));
            let ending = shutdown.run(serve::serve).await?;
            let code = ending.exit_code();
            ending.value??;
            Ok(code)
        }
        Some(Role::Load {
            address,
            requests,
            stuck,
        }) => {
            println!("{}", load::load(address, requests, stuck).await?);
            Ok(ExitCode::SUCCESS)
        }
    }
}
