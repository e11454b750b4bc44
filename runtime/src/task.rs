//! Tasks, and what ends them: the context they were spawned with, the group they are in, or themselves.
//!
//! [`Context::spawn`](crate::Context::spawn) starts a task in the scope of its context; [`exit_task`] leaves one
//! from within.

mod body;
mod exit;
mod handle;
pub(crate) mod roll;
mod spawn;


pub(crate) use body::Body;
pub(crate) use exit::outside;
pub use exit::{ExitTask, exit_task};
pub use handle::{JoinError, JoinHandle, Panic};
