//! A socket whose system refuses to set timeouts, as macOS does once it is shut down in both directions.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Mutex;
use std::time::Duration;

use super::{Socket, sealed};
use crate::context::Context;

struct Refusing(Mutex<Vec<u8>>);

impl Socket for Refusing {}

impl sealed::Socket for Refusing {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut bytes = self.0.lock().unwrap();
        let count = buffer.len().min(bytes.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        bytes.drain(..count);
        Ok(count)
    }

    fn write(&self, _: &[u8]) -> io::Result<usize> {
        Err(ErrorKind::BrokenPipe.into())
    }

    fn shutdown(&self, _: Shutdown) -> io::Result<()> {
        Ok(())
    }

    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(None)
    }

    fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(None)
    }

    fn set_read_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Err(ErrorKind::InvalidInput.into())
    }

    fn set_write_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Err(ErrorKind::InvalidInput.into())
    }
}

// guarantee D5; the symptom: on macOS, what had come before the connection was shut down could not be read
#[test]
fn what_has_come_is_read_from_a_socket_that_takes_no_timeouts_and_its_errors_are_its_own() {
    let socket = Refusing(Mutex::new(b"the rest".to_vec()));
    let ctx = Context::background().with_timeout(Duration::from_secs(600));
    let mut socket = ctx.interruptible(socket).unwrap();
    let mut start = [0; 4];
    socket.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"the ");
    let error = socket.write(b"more").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);

    let socket = socket.into_inner();
    assert_eq!(*socket.0.lock().unwrap(), b"rest");
}
