//! The task of one connection.

use std::sync::Arc;

use cancel_context::cancellable;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Config;
use super::connection::Connection;
use super::request::Request;
use super::store::Store;
use crate::parts::{Failures, Kind, Parts};

#[derive(Debug)]
pub(super) struct Handler {
    connection: Connection,
    store: Store,
    limit: Arc<Semaphore>,
    parts: Parts,
    failures: Failures,
}

#[cancellable(implicit, inherit_spawns)]
impl Handler {
    pub(super) fn new(
        connection: Connection,
        store: Store,
        limit: Arc<Semaphore>,
        config: &Config,
    ) -> Self {
        Self {
            connection,
            store,
            limit,
            parts: config.parts.clone(),
            failures: config.failures.clone(),
        }
    }

    /// Serves the connection to its end; gives the number of requests.
    pub(super) async fn run(mut self) -> usize {
        let _permit = self.turn().await;
        let mut served = 0;
        loop {
            match self.serve_one().await {
                Ok(true) => served += 1,
                Ok(false) => return served,
                Err(error) => {
                    self.failures.note(error);
                    return served;
                }
            }
        }
    }

    async fn turn(&self) -> OwnedSemaphorePermit {
        let _queued = self.parts.part(Kind::Queued);
        let permit = Arc::clone(&self.limit).acquire_owned().await;
        permit.expect("nobody closes the semaphore")
    }

    /// Serves one request; false if there is no further one.
    async fn serve_one(&mut self) -> anyhow::Result<bool> {
        let Some(line) = self.connection.read_line().await? else {
            return Ok(false);
        };
        match Request::parse(&line) {
            Ok(Request::Subscribe { channel }) => return self.follow(channel).await,
            Ok(request) => self.reply(&request).await?,
            Err(error) => {
                let text = format!("ERROR {error}");
                self.connection.write_line(&text).await?;
            }
        }
        Ok(true)
    }

    async fn reply(&mut self, request: &Request<'_>) -> anyhow::Result<()> {
        let reply = match *request {
            Request::Ping => "PONG".into(),
            Request::Get { key } => match self.store.get(key) {
                Some(value) => format!("VALUE {value}"),
                None => "NONE".into(),
            },
            Request::Set { key, value, expiry } => {
                self.store.set(key, value, expiry);
                "OK".into()
            }
            Request::Publish { channel, text } => {
                format!("RECEIVERS {}", self.store.publish(channel, text))
            }
            Request::Subscribe { .. } => unreachable!("is no single reply"),
        };
        Ok(self.connection.write_line(&reply).await?)
    }

    /// Passes on what is published; false if the client has closed the connection.
    async fn follow(&mut self, channel: &str) -> anyhow::Result<bool> {
        let part = self.parts.part(Kind::Subscription);
        let mut subscription = self.store.subscribe(channel, part);
        let text = format!("SUBSCRIBED {channel}");
        self.connection.write_line(&text).await?;
        loop {
            self.connection.flush().await?;
            tokio::select! {
                Some(text) = subscription.next() => {
                    self.connection.write_line(&format!("MESSAGE {text}")).await?;
                }
                line = self.connection.read_line() => match line?.as_deref() {
                    None => return Ok(false),
                    Some("UNSUBSCRIBE") => break,
                    Some(_) => self.connection.write_line("ERROR subscribed").await?,
                },
            }
        }
        self.connection.write_line("OK").await?;
        Ok(true)
    }
}
