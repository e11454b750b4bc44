//! Child processes that end with a context: they are asked to, and killed if they do not.
//!
//! Who looks after a child is [`Supervisor`]. The handle holds the canceller of the context that it watches; so
//! dropping the handle is one more way in which that ends.

use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;

use super::supervisor::{Held, State, Supervisor};
use crate::cancelled::Cancelled;
use crate::canceller::Canceller;
use crate::context::Context;

/// How long a child that was asked to end may take, unless that is set.
const GRACE: Duration = Duration::from_secs(5);

/// A child process that is to be started; made by [`Context::process`].
///
/// # Examples
///
/// ```
/// use cancel_context::Context;
/// use std::process::Command;
/// use std::time::Duration;
///
/// let process = Context::background().process(Command::new("rsync"));
/// let process = process.grace(Duration::from_secs(30));
/// ```
#[derive(Debug)]
#[must_use = "it is not started before `spawn`"]
pub struct ProcessBuilder {
    context: Context,
    command: Command,
    grace: Duration,
}

impl ProcessBuilder {
    /// Sets how long a child that was asked to end may take until it is killed; 5 s unless this is called.
    ///
    /// [`Duration::ZERO`] kills it at once; with [`Duration::MAX`] it is never killed.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::process::Command;
    /// use std::time::Duration;
    ///
    /// let process = Context::background().process(Command::new("rsync"));
    /// let process = process.grace(Duration::MAX);
    /// ```
    pub const fn grace(mut self, duration: Duration) -> Self {
        self.grace = duration;
        self
    }

    /// Starts the child. When the context ends, it is asked to end, with `SIGTERM`, and killed after the
    /// [grace](Self::grace); where there is no such signal, it is killed at once.
    ///
    /// That needs nobody who waits: a task of the runtime sees to it, and to reaping the child. Only the child
    /// itself is signalled, not what it has started. If the runtime is shut down, the child is killed. In the
    /// tree of a [`Shutdown`](crate::shutdown::Shutdown), that waits for the child, as for a task.
    ///
    /// # Errors
    ///
    /// Returns the [`Cancelled`] as an [`io::Error`] if the context has ended already: no child is started then.
    /// Otherwise the system's error if it does not start it.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime with I/O enabled.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # mod example {
    /// use cancel_context::Context;
    /// use tokio::process::Command;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # pub async fn main() -> std::io::Result<()> {
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// let mut command = Command::new("sleep");
    /// command.arg("600");
    /// let mut child = ctx.process(command).spawn()?;
    ///
    /// canceller.cancel_with("nobody waits for it");
    /// assert!(!child.wait().await?.success());
    /// let asked = child.asked_to_end().unwrap();
    /// assert_eq!(asked.cause().to_string(), "nobody waits for it");
    /// # Ok(())
    /// # }
    /// # }
    /// # fn main() {
    /// #     #[cfg(unix)]
    /// #     example::main().unwrap();
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn(mut self) -> io::Result<ChildProcess> {
        self.context.check()?;
        // For when `Held` cannot start its thread.
        let mut child = self.command.kill_on_drop(true).spawn()?;
        let (context, canceller) = self.context.with_cancel();
        let (sender, state) = watch::channel(State {
            id: child.id(),
            ..State::default()
        });
        let handle = ChildProcess {
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            state,
            _canceller: canceller,
        };
        let supervisor = Supervisor {
            child: Held::new(child),
            context,
            grace: self.grace,
            state: sender,
        };
        // Detached: not even the end of the context ends it before the child has.
        drop(self.context.without_cancel().spawn(supervisor.supervise()));
        Ok(handle)
    }
}

/// A child process that ends with a context; made by [`ProcessBuilder::spawn`].
///
/// Dropping it ends the child in the same way as the context does, in the background.
///
/// # Examples
///
/// ```
/// # #[cfg(unix)]
/// # mod example {
/// use cancel_context::Context;
/// use std::process::Stdio;
/// use tokio::io::AsyncReadExt;
/// use tokio::process::Command;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # pub async fn main() -> std::io::Result<()> {
/// let mut command = Command::new("echo");
/// command.arg("hello").stdout(Stdio::piped());
/// let mut child = Context::background().process(command).spawn()?;
///
/// let mut text = String::new();
/// child.stdout.take().unwrap().read_to_string(&mut text).await?;
/// assert!(child.wait().await?.success());
/// assert_eq!(text, "hello\n");
/// # Ok(())
/// # }
/// # }
/// # fn main() {
/// #     #[cfg(unix)]
/// #     example::main().unwrap();
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping it ends the child"]
pub struct ChildProcess {
    /// The writing end of the child's standard input, if that was piped.
    pub stdin: Option<ChildStdin>,
    /// The reading end of the child's standard output, if that was piped.
    pub stdout: Option<ChildStdout>,
    /// The reading end of the child's standard error, if that was piped.
    pub stderr: Option<ChildStderr>,
    state: watch::Receiver<State>,
    _canceller: Canceller,
}

impl ChildProcess {
    /// Waits until the child has ended, and gives its status; again whenever it is asked.
    ///
    /// It does not end with the context, but with the child. In an annotated function, the await does; there
    /// `ctx.shield(|_| child.wait())` sees the child end. As with the children of `std` and tokio, the standard input is
    /// closed first, so that a child that reads all of it does not wait for more.
    ///
    /// # Errors
    ///
    /// Returns the system's error, if it does not say what has become of the child; and an error if the task
    /// that looks after the child was aborted, which kills the child.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing for the child, but that its standard input is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # mod example {
    /// use cancel_context::Context;
    /// use std::process::Command;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # pub async fn main() -> std::io::Result<()> {
    /// let mut child = Context::background().process(Command::new("false")).spawn()?;
    /// assert_eq!(child.wait().await?.code(), Some(1));
    /// assert_eq!(child.wait().await?.code(), Some(1));
    /// # Ok(())
    /// # }
    /// # }
    /// # fn main() {
    /// #     #[cfg(unix)]
    /// #     example::main().unwrap();
    /// # }
    /// ```
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        let ended = self.state.wait_for(|state| state.outcome.is_some()).await;
        match ended.as_ref().map(|state| &state.outcome) {
            Ok(Some(Ok(status))) => Ok(*status),
            Ok(Some(Err(error))) => Err(io::Error::new(error.kind(), Arc::clone(error))),
            _ => Err(io::Error::other(
                "the task that looks after the child was aborted",
            )),
        }
    }

    /// Returns why the child was asked to end; `None` if it runs, or has ended by itself.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # mod example {
    /// use cancel_context::Context;
    /// use std::process::Command;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # pub async fn main() -> std::io::Result<()> {
    /// let ctx = Context::background().with_timeout(Duration::from_secs(60));
    /// let mut child = ctx.process(Command::new("true")).spawn()?;
    /// child.wait().await?;
    /// assert!(child.asked_to_end().is_none());
    /// # Ok(())
    /// # }
    /// # }
    /// # fn main() {
    /// #     #[cfg(unix)]
    /// #     example::main().unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn asked_to_end(&self) -> Option<Cancelled> {
        self.state.borrow().asked.clone()
    }

    /// Returns whether the child has ended by being killed: it had not ended within its grace, or had none.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # mod example {
    /// use cancel_context::Context;
    /// use std::process::Command;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # pub async fn main() -> std::io::Result<()> {
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// let mut command = Command::new("sleep");
    /// command.arg("600");
    /// let mut child = ctx.process(command).grace(Duration::ZERO).spawn()?;
    /// canceller.cancel();
    /// child.wait().await?;
    /// assert!(child.was_killed());
    /// # Ok(())
    /// # }
    /// # }
    /// # fn main() {
    /// #     #[cfg(unix)]
    /// #     example::main().unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn was_killed(&self) -> bool {
        self.state.borrow().is_killed
    }

    /// Returns the system's number of the child, until it has ended, or its supervisor has.
    ///
    /// It is for what is shown. The system may give the number to another process as soon as the child was reaped,
    /// a moment before this says that there is none: so a signal to it may reach another one. Cancelling the context
    /// never does.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # mod example {
    /// use cancel_context::Context;
    /// use std::process::Command;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # pub async fn main() -> std::io::Result<()> {
    /// let mut child = Context::background().process(Command::new("true")).spawn()?;
    /// assert!(child.id().is_some());
    /// child.wait().await?;
    /// assert!(child.id().is_none());
    /// # Ok(())
    /// # }
    /// # }
    /// # fn main() {
    /// #     #[cfg(unix)]
    /// #     example::main().unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.state.borrow().id
    }
}

/// Child processes.
impl Context {
    /// Binds a child process, which is yet to be started, to the context; takes a command of tokio's or of `std`.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::{Cancelled, Context};
    /// use std::process::Command;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// canceller.cancel();
    /// let error = ctx.process(Command::new("true")).spawn().unwrap_err();
    /// assert!(error.downcast::<Cancelled>().is_ok(), "it was not started");
    /// # }
    /// ```
    pub fn process(&self, command: impl Into<Command>) -> ProcessBuilder {
        ProcessBuilder {
            context: self.clone(),
            command: command.into(),
            grace: GRACE,
        }
    }
}
