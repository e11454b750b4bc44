//! Streams that end with a context, and streams that an async function produces.
//!
//! [`until_cancelled`](CancellableStream::until_cancelled) ends any stream when a context does. [`generate`] and
//! [`try_generate`] make one of an async function that runs inside of the stream, as far as its consumer asks:
//! when the consumer drops the stream, the function is dropped with it, so a producer whose consumer is gone
//! never waits for ever. With the feature `tokio`, the function `spawn` has the producer work ahead, in a task of
//! its own, which ends with the consumer as well.
//!
//! # Examples
//!
//! ```
//! use cancel_context::stream::generate;
//! use cancel_context::Context;
//! use futures::StreamExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let (ctx, canceller) = Context::background().with_cancel();
//! let numbers = generate(&ctx, async |mut yielder| {
//!     for number in 1.. {
//!         yielder.send(number).await;
//!     }
//! });
//! let mut numbers = std::pin::pin!(numbers);
//! assert_eq!(numbers.next().await.unwrap().unwrap(), 1);
//! assert_eq!(numbers.next().await.unwrap().unwrap(), 2);
//! canceller.cancel_with("two are enough");
//! let error = numbers.next().await.unwrap().unwrap_err();
//! assert_eq!(error.cause().to_string(), "two are enough");
//! assert!(numbers.next().await.is_none());
//! # }
//! ```

mod generator;
#[cfg(feature = "tokio")]
mod spawned;
mod until_cancelled;
mod yielder;

pub use generator::{Generator, Outcome, generate, try_generate};
#[cfg(feature = "tokio")]
pub use spawned::{Spawned, spawn};
pub use until_cancelled::{CancellableStream, UntilCancelled};
pub use yielder::{Sending, Yielder};
