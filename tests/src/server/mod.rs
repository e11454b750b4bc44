//! A key-value server, as one writes it with tokio: a task per connection, a limit on those that are
//! served, channels to publish to, keys that expire. It knows of no shutdown.
//!
//! Requests and replies are lines of words: `PING`, `GET key`, `SET key value [milliseconds]`,
//! `PUBLISH channel text`, `SUBSCRIBE channel`; in a subscription, `UNSUBSCRIBE` ends it.

mod connection;
mod handler;
mod request;
mod store;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use cancel_context::cancellable;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use crate::parts::{Failures, Kind, Parts};
use connection::Connection;
use handler::Handler;
pub use store::{Store, purge};

/// The longest wait after an `accept` that failed.
const MAX_BACKOFF: Duration = Duration::from_secs(1);

/// How to serve.
#[derive(Clone, Debug)]
pub struct Config {
    /// How many connections are served at a time; more are accepted and wait.
    pub limit: usize,
    /// Counts the drops of what the server is made of.
    pub parts: Parts,
    /// Where connections that end with an error report it.
    pub failures: Failures,
}

/// A server that has its port.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    config: Config,
}

#[cancellable(implicit, inherit_spawns)]
impl Server {
    /// Listens on a free port of the loopback interface.
    ///
    /// # Errors
    ///
    /// Returns the error of the socket.
    pub async fn bind(config: Config) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Ok(Self { listener, config })
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// Returns the error of the socket.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves for ever.
    ///
    /// # Errors
    ///
    /// Returns the error of an `accept` that keeps failing.
    pub async fn run(self) -> io::Result<()> {
        let _part = self.config.parts.part(Kind::Listener);
        let store = Store::default();
        let purged = self.config.parts.part(Kind::Purge);
        tokio::spawn(purge(store.clone(), purged));
        let limit = Arc::new(Semaphore::new(self.config.limit));
        loop {
            let connection = Connection::new(self.accept().await?, self.config.parts.clone());
            let handler = Handler::new(connection, store.clone(), limit.clone(), &self.config);
            tokio::spawn(async move { handler.run().await });
        }
    }

    async fn accept(&self) -> io::Result<TcpStream> {
        let mut backoff = Duration::from_millis(10);
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) if backoff > MAX_BACKOFF => return Err(error),
                Err(_) => sleep(backoff).await,
            }
            backoff *= 2;
        }
    }
}
