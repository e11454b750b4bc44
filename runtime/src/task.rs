//! Tasks, and what ends them: the context they were spawned with, the group they are in, or themselves.
//!
//! [`Context::spawn`](crate::Context::spawn) starts a task in the scope of its context; [`exit_task`] leaves one
//! from within. With the feature `groups`, tasks and futures end together in a `TaskGroup` and a
//! `FutureGroup`.
//!
//! Code that blocks waits with [`Context::block_on`](crate::Context::block_on) and its kin, and reads and writes
//! what [`Context::interruptible`](crate::Context::interruptible) makes of its socket. With the feature `process`,
//! child processes end with a context, too.

mod blocking;
mod body;
mod exit;
mod handle;
mod interruptible;
pub(crate) mod roll;
mod spawn;

#[cfg(feature = "groups")]
mod futures;
#[cfg(feature = "groups")]
mod group;
#[cfg(feature = "groups")]
mod outcomes;
#[cfg(feature = "groups")]
mod policy;
#[cfg(feature = "process")]
mod process;
#[cfg(feature = "process")]
mod supervisor;
#[cfg(feature = "groups")]
mod tasks;

pub(crate) use body::Body;
pub(crate) use exit::outside;
pub use exit::{ExitTask, exit_task};
#[cfg(feature = "groups")]
pub use futures::{FutureGroup, Futures};
#[cfg(feature = "groups")]
pub use group::{Group, Members};
pub use handle::{JoinError, JoinHandle, Panic};
pub use interruptible::{Interruptible, Socket};
#[cfg(feature = "process")]
pub use process::{ChildProcess, ProcessBuilder};
#[cfg(feature = "groups")]
pub use tasks::{TaskGroup, Tasks};
