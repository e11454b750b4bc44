//! Lines over a socket; replies are kept until there is no further request to read.

use std::io;

use cancel_context::cancellable;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::parts::{Kind, Part, Parts};

/// The longest request.
const MAX_LINE: usize = 64 * 1024;
/// How much output is kept at most.
const MAX_OUTPUT: usize = 8 * 1024;

#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    /// How much of the input was taken.
    taken: usize,
    output: Vec<u8>,
    parts: Parts,
    _part: Part,
}

#[cancellable(implicit, inherit_spawns)]
impl Connection {
    pub(super) fn new(stream: TcpStream, parts: Parts) -> Self {
        Self {
            stream,
            input: Vec::with_capacity(4096),
            taken: 0,
            output: Vec::with_capacity(4096),
            _part: parts.part(Kind::Connection),
            parts,
        }
    }

    /// Reads a line, unless the client has closed the connection.
    pub(super) async fn read_line(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(line) = self.take_line()? {
                return Ok(Some(line));
            }
            self.flush().await?;
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    /// Reads what has arrived; false if the client has closed the connection.
    async fn fill(&mut self) -> io::Result<bool> {
        let is_partial = !self.input.is_empty();
        let _partial = is_partial.then(|| self.parts.part(Kind::PartialRequest));
        match self.stream.read_buf(&mut self.input).await? {
            0 if is_partial => Err(io::ErrorKind::UnexpectedEof.into()),
            count => Ok(count > 0),
        }
    }

    fn take_line(&mut self) -> io::Result<Option<String>> {
        let rest = &self.input[self.taken..];
        let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
            self.input.drain(..self.taken);
            self.taken = 0;
            if self.input.len() > MAX_LINE {
                return Err(io::ErrorKind::InvalidData.into());
            }
            return Ok(None);
        };
        let line = std::str::from_utf8(&rest[..length]).map_err(io::Error::other)?;
        let line = line.to_owned();
        self.taken += length + 1;
        Ok(Some(line))
    }

    pub(super) async fn write_line(&mut self, line: &str) -> io::Result<()> {
        self.output.extend_from_slice(line.as_bytes());
        self.output.push(b'\n');
        if self.output.len() > MAX_OUTPUT {
            self.flush().await?;
        }
        Ok(())
    }

    /// Sends the replies.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        if !self.output.is_empty() {
            self.stream.write_all(&self.output).await?;
            self.output.clear();
        }
        Ok(())
    }
}
