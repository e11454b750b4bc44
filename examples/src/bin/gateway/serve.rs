//! `--serve`: the gateway for a person with curl.

use std::error::Error;
use std::io::{self, Write};

use cancel_context::signal;

use crate::record::RequestLog;
use crate::report::timeline;
use crate::server::Servers;

/// Serves until SIGINT or SIGTERM, and draws each request as it ends.
pub(crate) async fn until_signal() -> Result<(), Box<dyn Error>> {
    let root = signal::context()?.with_name("gateway");
    let mut servers = Servers::start(&root).await?;
    print_commands(&servers)?;
    // The sender is gone when the gateway has ended.
    while let Some(mut request) = servers.requests.recv().await {
        let log = request.wait_for(RequestLog::all_ended).await?.clone();
        write!(io::stdout(), "\n{}\n{}", log.name, timeline(&log))?;
    }
    servers.ended().await?;
    Ok(())
}

fn print_commands(servers: &Servers) -> io::Result<()> {
    let address = servers.address;
    writeln!(
        io::stdout(),
        "the gateway listens on {address}; a branch takes as many ms as you ask for\n\
         \n\
         it succeeds          curl '{address}/orders/7?identity=100&order=200&token=300'\n\
         you hang up          curl -m 1 '{address}/orders/7?identity=5000&order=5000&token=5000'\n\
         the route times out  curl '{address}/quick/orders/7?identity=5000&order=5000&token=5000'\n\
         the gateway ends     Ctrl-C, or kill -INT {}",
        std::process::id(),
    )
}
