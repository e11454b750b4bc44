//! The clients of the scenes: processes of their own, each with a real socket.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::Stdio;
use std::thread;

use tokio::process::{Child, Command};

/// The client process: sends one request and prints the answer. It hangs up when its input ends.
pub(crate) fn run(address: SocketAddr, path: &str) -> io::Result<()> {
    let mut socket = TcpStream::connect(address)?;
    write!(
        socket,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let ours = socket.try_clone()?;
    thread::spawn(move || {
        // Whether the input ended or broke: the user is gone. So may the server be.
        io::copy(&mut io::stdin(), &mut io::sink()).ok();
        ours.shutdown(Shutdown::Both).ok();
    });
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer)?;
    io::stdout().write_all(&answer)
}

/// A client process, seen from the gateway.
pub(crate) struct Client {
    process: Child,
}

impl Client {
    pub(crate) fn start(address: SocketAddr, path: &str) -> io::Result<Self> {
        let process = Command::new(std::env::current_exe()?)
            .args(["client", &address.to_string(), path])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { process })
    }

    /// Makes it close its socket.
    pub(crate) fn hang_up(&mut self) {
        self.process.stdin = None;
    }

    /// Waits for its end; the status of the answer it got, if it got one.
    pub(crate) async fn status(mut self) -> io::Result<Option<u16>> {
        // Held open until the end: closing it means hanging up.
        let _input = self.process.stdin.take();
        let output = self.process.wait_with_output().await?;
        let answer = String::from_utf8_lossy(&output.stdout);
        let status = answer.split_whitespace().nth(1);
        Ok(status.and_then(|status| status.parse().ok()))
    }
}
