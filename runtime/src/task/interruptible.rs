//! Blocking reads and writes on sockets, which end with a context.
//!
//! Invariants:
//! 1. The interrupt holds the socket weakly, and its guard waits for a run: once the guard is gone, the adaptor
//!    alone holds it.
//! 2. The context has ended before the interrupt shuts the socket down. So what a call gives afterwards, be it an
//!    error or the end of the stream, may be due to that, and is given as the context's end.
//! 3. The timeouts that are handed to the system are a help, and the interrupt ends a call without them, too. So
//!    where the system refuses them, as macOS does for a socket that is shut down in both directions, that is no
//!    error: there may still be something to read.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::callbacks::InterruptGuard;
use crate::cancelled::Left;
use crate::context::Context;

/// The least time that is handed to the system, where zero would be none at all.
const LEAST: Duration = Duration::from_millis(1);

/// How much too early the system may find that a time has passed.
const SLACK: Duration = Duration::from_millis(10);

/// A blocking socket whose reads and writes end with a context; made by [`Context::interruptible`].
///
/// Each call is given the context's remaining time, or the socket's own timeout if that is shorter. A call that
/// blocks when the context ends is interrupted at once: the socket is shut down in both directions. So a socket
/// whose context has ended cannot be used any more, by nobody: a connection that is worth keeping has to be
/// [taken back](Self::into_inner) before.
///
/// What was read when the context ends is delivered. After that each call gives the [`Cancelled`] as an
/// [`io::Error`], of the kind `TimedOut` for a deadline and `Other` for a cancel; never the end of the stream, as
/// if the peer had closed it, nor an error of the socket. It says where the socket was bound to the context. An own timeout of the socket gives what it always gave.
///
/// As with the sockets themselves, a shared reference can be read from and written to, also by two threads.
///
/// The timeouts are those of the connection, which all clones of the socket share. They are given back when this is
/// dropped. Of two adaptors on clones of one socket, each overwrites what the other has set: there, a call still ends
/// when its context does, but own timeouts of the socket may be lost.
///
/// [`Cancelled`]: crate::Cancelled
///
/// # Examples
///
/// ```
/// use cancel_context::{Cancelled, Context};
/// use std::io::Read;
/// use std::net::{TcpListener, TcpStream};
/// use std::time::Duration;
///
/// # fn main() -> std::io::Result<()> {
/// let silent = TcpListener::bind("127.0.0.1:0")?;
/// let ctx = Context::background().with_timeout(Duration::from_millis(20));
///
/// let left = ctx.remaining().unwrap();
/// let stream = TcpStream::connect_timeout(&silent.local_addr()?, left)?;
/// let mut stream = ctx.interruptible(stream)?;
/// let error = stream.read(&mut [0; 16]).unwrap_err();
/// let cancelled = error.downcast::<Cancelled>().unwrap();
/// assert!(cancelled.is_timeout());
/// # Ok(())
/// # }
/// ```
pub struct Interruptible<S: Socket> {
    context: Context,
    socket: Arc<S>,
    own: Timeouts<S>,
    interrupt: InterruptGuard,
    /// Where it was made: who reads it is mostly a loop of `std`.
    place: &'static Location<'static>,
}

/// The timeouts that a socket had, until this is dropped: then it has them again.
struct Timeouts<S: Socket> {
    socket: Arc<S>,
    of_read: Option<Duration>,
    of_write: Option<Duration>,
}

impl<S: Socket> Timeouts<S> {
    fn of(socket: &Arc<S>) -> io::Result<Self> {
        Ok(Self {
            of_read: socket.read_timeout()?,
            of_write: socket.write_timeout()?,
            socket: Arc::clone(socket),
        })
    }
}

impl<S: Socket> Drop for Timeouts<S> {
    fn drop(&mut self) {
        // See invariant 3.
        self.socket.set_read_timeout(self.of_read).ok();
        self.socket.set_write_timeout(self.of_write).ok();
    }
}

/// A blocking socket: a [`TcpStream`], on Unix also a `UnixStream`. Sealed.
pub trait Socket: sealed::Socket {}

mod sealed {
    use std::io;
    use std::net::Shutdown;
    use std::time::Duration;

    pub trait Socket: Send + Sync + 'static {
        fn read(&self, buffer: &mut [u8]) -> io::Result<usize>;
        fn write(&self, buffer: &[u8]) -> io::Result<usize>;
        fn shutdown(&self, how: Shutdown) -> io::Result<()>;
        fn read_timeout(&self) -> io::Result<Option<Duration>>;
        fn write_timeout(&self) -> io::Result<Option<Duration>>;
        fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;
        fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;
    }
}

macro_rules! socket {
    ($type:ty) => {
        impl Socket for $type {}

        impl sealed::Socket for $type {
            fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
                Read::read(&mut &*self, buffer)
            }

            fn write(&self, buffer: &[u8]) -> io::Result<usize> {
                Write::write(&mut &*self, buffer)
            }

            fn shutdown(&self, how: Shutdown) -> io::Result<()> {
                self.shutdown(how)
            }

            fn read_timeout(&self) -> io::Result<Option<Duration>> {
                self.read_timeout()
            }

            fn write_timeout(&self) -> io::Result<Option<Duration>> {
                self.write_timeout()
            }

            fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.set_read_timeout(timeout)
            }

            fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.set_write_timeout(timeout)
            }
        }
    };
}

socket!(TcpStream);
#[cfg(unix)]
socket!(UnixStream);

impl<S: Socket> Interruptible<S> {
    #[track_caller]
    fn new(context: &Context, socket: S) -> io::Result<Self> {
        let socket = Arc::new(socket);
        let own = Timeouts::of(&socket)?;
        let of_interrupt = Arc::downgrade(&socket);
        let interrupt = context.interrupt_with(move || {
            if let Some(socket) = of_interrupt.upgrade() {
                // It fails if the peer has gone, and nothing blocks then.
                socket.shutdown(Shutdown::Both).ok();
            }
        });
        Ok(Self {
            context: context.clone(),
            socket,
            own,
            interrupt,
            place: Location::caller(),
        })
    }

    /// Returns the socket, for what neither reads nor writes.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let address = listener.local_addr()?;
    /// let stream = Context::background().interruptible(TcpStream::connect(address)?)?;
    /// assert_eq!(stream.get_ref().peer_addr()?, address);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.socket
    }

    /// Takes the socket off the context, and gives it back with the timeouts it had.
    ///
    /// When this returns, the end of the context does nothing to it any more. If it has ended before, the socket
    /// has been shut down; not every system sets the timeouts of such a socket.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::io::Write;
    /// use std::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// let mut stream = ctx.interruptible(TcpStream::connect(listener.local_addr()?)?)?;
    /// stream.write_all(b"request 7")?;
    /// let mut stream = stream.into_inner();
    /// canceller.cancel();
    /// stream.write_all(b"request 8")?;
    /// # Ok(())
    /// # }
    /// ```
    #[expect(clippy::missing_panics_doc, reason = "it does not panic")]
    #[must_use = "else drop it"]
    pub fn into_inner(self) -> S {
        drop(self.interrupt);
        drop(self.own);
        Arc::into_inner(self.socket).expect("nobody else holds it, by invariant 1")
    }

    /// Makes a call that has `limit` as its own timeout, again and again until it has something to say.
    fn call<T>(
        &self,
        limit: Option<Duration>,
        set_timeout: impl Fn(&S, Option<Duration>) -> io::Result<()>,
        mut call: impl FnMut(&S) -> io::Result<Called<T>>,
    ) -> io::Result<T> {
        loop {
            self.check()?;
            let remaining = self.context.remaining().map(|left| left.max(LEAST));
            let ours = remaining.filter(|left| limit.is_none_or(|limit| *left < limit));
            let began = Instant::now();
            // See invariant 3.
            set_timeout(&self.socket, ours.or(limit)).ok();
            match call(&self.socket) {
                Ok(Called::Value(value)) => return Ok(value),
                Ok(Called::Closed(value)) => return self.check().map(|()| value),
                Err(error) => {
                    self.check()?;
                    let is_ours = ours.is_some_and(|left| began.elapsed() + SLACK >= left);
                    if !(is_ours && has_timed_out(&error)) {
                        return Err(error);
                    }
                    // The deadline was moved, or is that of another clock.
                }
            }
        }
    }

    fn check(&self) -> io::Result<()> {
        let cancelled = self.context.cancelled_at(Some(Left::Place(self.place)));
        cancelled.map_or(Ok(()), |cancelled| Err(cancelled.into()))
    }
}

/// What a call gives.
enum Called<T> {
    Value(T),
    /// It is over, which may be by our doing.
    Closed(T),
}

fn has_timed_out(error: &io::Error) -> bool {
    // The one on Unix, the other elsewhere.
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

impl<S: Socket> Read for &Interruptible<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.call(self.own.of_read, S::set_read_timeout, |socket| {
            Ok(match socket.read(buffer)? {
                0 => Called::Closed(0),
                count => Called::Value(count),
            })
        })
    }
}

impl<S: Socket> Write for &Interruptible<S> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.call(self.own.of_write, S::set_write_timeout, |socket| {
            socket.write(buffer).map(Called::Value)
        })
    }

    /// Does nothing: the socket keeps nothing back.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<S: Socket> Read for Interruptible<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }
}

impl<S: Socket> Write for Interruptible<S> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        (&*self).write(buffer)
    }

    /// Does nothing: the socket keeps nothing back.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<S: Socket + fmt::Debug> fmt::Debug for Interruptible<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interruptible")
            .field("context", &self.context)
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}

/// Blocking sockets.
impl Context {
    /// Binds a blocking socket to the context: reads and writes end when it does.
    ///
    /// If the context has ended already, the socket is shut down before this returns, and each call gives the
    /// error.
    ///
    /// # Errors
    ///
    /// Returns the system's error if the socket does not say which timeouts it has.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::{Cancelled, Context};
    /// use std::io::{self, Read};
    /// use std::net::{TcpListener, TcpStream};
    ///
    /// fn greeting(ctx: &Context, stream: TcpStream) -> io::Result<String> {
    ///     let mut greeting = String::new();
    ///     ctx.interruptible(stream)?.read_to_string(&mut greeting)?;
    ///     Ok(greeting)
    /// }
    ///
    /// # fn main() -> io::Result<()> {
    /// let silent = TcpListener::bind("127.0.0.1:0")?;
    /// let stream = TcpStream::connect(silent.local_addr()?)?;
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// let reader = std::thread::spawn(move || greeting(&ctx, stream));
    /// canceller.cancel_with("the user hung up");
    /// let error = reader.join().unwrap().unwrap_err();
    /// let cancelled = error.downcast::<Cancelled>().unwrap();
    /// assert_eq!(cancelled.cause().to_string(), "the user hung up");
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn interruptible<S: Socket>(&self, socket: S) -> io::Result<Interruptible<S>> {
        Interruptible::new(self, socket)
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
