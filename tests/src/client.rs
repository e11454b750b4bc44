//! A client of the server, for tests.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// One connection.
#[derive(Debug)]
pub struct Client(BufReader<TcpStream>);

impl Client {
    /// Connects.
    ///
    /// # Errors
    ///
    /// Returns the error of the socket.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends text as it is.
    ///
    /// # Errors
    ///
    /// Returns the error of the socket.
    pub async fn send(&mut self, text: &str) -> io::Result<()> {
        self.0.write_all(text.as_bytes()).await
    }

    /// Receives one line.
    ///
    /// # Errors
    ///
    /// Returns the error of the socket, or one that says that there is no further line.
    pub async fn receive(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line).await?;
        if line.pop() != Some('\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line)
    }

    /// Sends a request and receives the reply.
    ///
    /// # Errors
    ///
    /// Returns what [`send`](Self::send) and [`receive`](Self::receive) do.
    pub async fn ask(&mut self, request: &str) -> io::Result<String> {
        self.send(&format!("{request}\n")).await?;
        self.receive().await
    }

    /// Waits until the server has closed the connection or reset it; gives what was sent before.
    ///
    /// # Errors
    ///
    /// Returns any other error of the socket.
    pub async fn until_closed(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest).await {
            Err(error) if error.kind() != io::ErrorKind::ConnectionReset => Err(error),
            _ => Ok(rest),
        }
    }
}
