//! The three processes, seen from their parent.

use std::error::Error;
use std::net::SocketAddr;
use std::process::Stdio;

use examples::Signal;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::UnboundedSender;

use crate::log::Event;

/// Who has said something, and what.
pub(crate) type Said = (&'static str, Event);

pub(crate) struct Process {
    name: &'static str,
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    /// Starts the process of a role, which says what it does to `events`.
    pub(crate) async fn start(
        name: &'static str,
        next: Option<SocketAddr>,
        events: UnboundedSender<Said>,
    ) -> Result<Self, Box<dyn Error>> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(name).args(next.map(|next| next.to_string()));
        command.stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(stdout).lines();
        let first = lines.next_line().await?.ok_or("it says nothing")?;
        let first: Event = serde_json::from_str(&first)?;
        let address = first.text.strip_prefix("serves at ");
        let address = address.ok_or("it does not say where it serves")?.parse()?;
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let event = serde_json::from_str(&line);
                let event = event.unwrap_or_else(|_| Event::now(line));
                // Nobody wants to know when the scenes are over.
                events.send((name, event)).ok();
            }
        });
        Ok(Self {
            name,
            child,
            address,
        })
    }

    /// Ends it, as an operator does.
    pub(crate) async fn end(mut self) -> Result<(), Box<dyn Error>> {
        let process = self.child.id().ok_or("it is gone")?;
        examples::send(Signal::Terminate, process)?;
        let status = self.child.wait().await?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("{} has ended with {status}", self.name).into())
        }
    }
}
