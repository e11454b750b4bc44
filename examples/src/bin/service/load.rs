//! The load: connections that keep requests in flight, and count what becomes of them.

use std::fmt;
use std::io;
use std::iter;
use std::net::SocketAddr;
use std::ops::AddAssign;

use cancel_context::signal;
use cancel_context::task::TaskGroup;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::serve::STUCK;

/// Requests in flight on one connection.
pub(crate) const PER_CONNECTION: usize = 20;

/// What became of the requests.
#[derive(Default)]
pub(crate) struct Tally {
    sent: usize,
    answered: usize,
    accepted: usize,
    /// Connections that the service has ended with a number.
    goodbyes: usize,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.answered += other.answered;
        self.accepted += other.accepted;
        self.goodbyes += other.goodbyes;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sent,
            answered,
            accepted,
            goodbyes,
        } = self;
        let lost = accepted.saturating_sub(*answered);
        let free = sent.saturating_sub(*accepted);
        write!(
            f,
            "sent {sent}, accepted {accepted}, answered {answered}, lost {lost}, not accepted {free}, \
             goodbyes {goodbyes}"
        )
    }
}

/// Keeps `requests` in flight until the service ends the connections.
pub(crate) async fn load(
    address: SocketAddr,
    requests: usize,
    stuck: bool,
) -> Result<Tally, Box<dyn std::error::Error>> {
    let mut group = TaskGroup::new(&signal::context()?);
    for number in 0..requests.div_ceil(PER_CONNECTION) {
        let first = if stuck && number == 0 { STUCK } else { "first" };
        let in_flight = PER_CONNECTION.min(requests - number * PER_CONNECTION);
        group.spawn(|_| connection(address, first, in_flight));
    }
    let mut all = Tally::default();
    group
        .wait()
        .await?
        .into_iter()
        .for_each(|tally| all += tally);
    Ok(all)
}

/// Sends a request for each answer, until the service says goodbye, or is gone.
async fn connection(address: SocketAddr, first: &str, in_flight: usize) -> io::Result<Tally> {
    let (reader, mut writer) = TcpStream::connect(address).await?.into_split();
    let mut lines = BufReader::new(reader).lines();
    let others = (1..in_flight).map(|number| format!("{number}\n"));
    let batch: String = iter::once(format!("{first}\n")).chain(others).collect();
    writer.write_all(batch.as_bytes()).await?;
    let mut tally = Tally {
        sent: in_flight,
        ..Tally::default()
    };
    // A connection that breaks off ends the count, without a goodbye.
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(accepted) = line.strip_prefix("bye ") {
            tally.accepted = accepted.parse().map_err(io::Error::other)?;
            tally.goodbyes = 1;
            break;
        }
        tally.answered += 1;
        if writer.write_all(b"another\n").await.is_ok() {
            tally.sent += 1;
        }
    }
    Ok(tally)
}
