//! Go's context tree for Rust, checked at every await.
//!
//! Rust cannot stop an async function from outside except by dropping it, wherever it is; by hand,
//! a cancellation has to be passed and checked at each await, and the one that was forgotten hangs
//! the shutdown. This crate has the compiler write the checks: [`cancellable`] rewrites a function so
//! that its context is checked at every `.await`, and leaves it with an error that says who ended the
//! context and which await was left.
//!
//! ```
//! # #[cfg(feature = "macros")]
//! # mod example {
//! use cancel_context::{Cancelled, Context, cancellable};
//! use std::time::Duration;
//!
//! #[cancellable]
//! async fn user(id: u64) -> Result<String, Cancelled> {
//!     let name = lookup(ctx, id).await?;                     // checked
//!     let ctx = ctx.with_timeout(Duration::from_millis(50)); // narrows it for what follows
//!     let title = lookup(&ctx, 0).await?;                    // checked against the narrowed one
//!     Ok(format!("{title} {name}"))
//! }
//!
//! #[cancellable]
//! async fn lookup(key: u64) -> Result<String, Cancelled> {
//!     tokio::task::yield_now().await;
//!     Ok(key.to_string())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # pub async fn main() {
//! let (ctx, canceller) = Context::background().with_name("request 7").with_cancel();
//! assert_eq!(user(&ctx, 7).await.unwrap(), "0 7"); // the caller hands the context in first
//!
//! canceller.cancel_with("the user hung up");
//! let error = user(&ctx, 7).await.unwrap_err().to_string();
//! // context canceled (the user hung up): left src/lib.rs:6:32 `lookup(ctx, id)`; cancelled at …
//! assert!(error.contains("`lookup(ctx, id)`") && error.ends_with("; in request 7"));
//! # }
//! # }
//! # fn main() {
//! #     #[cfg(feature = "macros")]
//! #     example::main();
//! # }
//! ```
//!
//! Existing code need not hand a context around: `#[cancellable(implicit)]` leaves the signature as it is
//! and checks the context in whose scope the function is polled.
//!
//! ```
//! # #[cfg(feature = "macros")]
//! # mod example {
//! use cancel_context::{Context, cancellable};
//! use std::time::Duration;
//!
//! #[cancellable(implicit)]
//! async fn serve() -> usize {
//!     std::future::pending::<()>().await;
//!     0
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # pub async fn main() {
//! let ctx = Context::background().with_timeout(Duration::from_millis(5));
//! // It has no error to return, so it is dropped at that await, and the scope says so.
//! let error = ctx.run(serve()).await.unwrap_err();
//! assert_eq!(error.site().unwrap().expression(), "std::future::pending::<()>()");
//! # }
//! # }
//! # fn main() {
//! #     #[cfg(feature = "macros")]
//! #     example::main();
//! # }
//! ```
//!
//! # Rules
//!
//! - Derive, do not store: a function takes its context from its caller and hands a derived one on.
//! - A [`Context`] can only be watched; what cancels it is the [`Canceller`] that came with it, and
//!   dropping that cancels. So a request ends when the function that made its context returns.
//! - [`Context::run`] opens a scope around code that is not annotated; [`Context::spawn`] does so for
//!   a task.
//! - Tasks that belong together are a group: it waits for all of them, and one that fails stops the rest.
//! - A service runs in a [`Shutdown`](shutdown::Shutdown): what is under way finishes, what hangs is named.
//! - Clean-up that has to finish goes into [`Context::shield`] or `#[shield]`.
//! - Blocking code and loops look with [`Context::check`]; a library's own interrupt is attached with
//!   [`Context::interrupt_with`].
//!
//! # Limits
//!
//! - Code between two awaits is never interrupted.
//! - A future that is dropped from outside (a lost `select!` arm, an aborted task) leaves no error.
//! - A function that was unwound by drop must not be polled elsewhere: it panics.
//! - A task is in no scope unless it was spawned by [`Context::spawn`], around [`Context::run`], or with
//!   `inherit_spawns`.
//!
//! # Cost
//!
//! Deriving is one allocation without a lock. An await that does not end up pending looks at the
//! context once. A task registers one waker per context, not one per await. A deadline costs a look
//! at the clock per await, and an entry with the runtime's one driver only while somebody waits.
//!
//! # Coming from …
//!
//! The [`guide`] goes step by step, with *before* and *after*:
//!
//! - [from nothing](guide::from_nothing): a tokio code base in which nothing is cancelled.
//! - [from `CancellationToken`](guide::from_tokens) and `select!`.
//! - [from Go](guide::from_go) and its `context`.
//!
//! # Features
//!
//! - `macros` (default): the attribute.
//! - `tokio` (default): tasks, signals, and deadlines on tokio's clock. Without it the tree, scopes
//!   and awaits work on any executor, and deadlines are kept by one thread of the process.
//! - `groups`: groups of tasks and of futures, in the module `task`.
//! - `streams`: the module `stream`: streams that end with a context, and streams that an async function
//!   produces. Without `tokio`, too.
//! - `tower`: requests with a context, on any HTTP server and client of tower's traits, in the module `tower`;
//!   `axum`: `Context` as an extractor, too. `tonic`: `Cancelled` as a gRPC status and back, and a layer for
//!   clients, in the module `tonic`.
//! - `reqwest`: reqwest's requests end with a context, and hand the remaining time on, in the module `reqwest`.
//! - `tokens`: tokio-util's `CancellationToken`, both ways. Without `tokio`, too.
//! - `tracing`: an event for each task that is cancelled, with both ends of the story; see the page `events`.
//! - `process`: child processes that end with a context.
//! - `testing`: cancels tests at random awaits.
//!
//! What is promised, by number, is in [`guarantees`].

mod as_context;
#[cfg(feature = "axum")]
pub mod axum;
mod callbacks;
mod cancelled;
mod canceller;
mod completion;
mod context;
mod current;
mod deadline;
mod derivation;
mod derive;
mod dropping;
mod exits;
mod frame;
mod guard;
mod implicit;
mod leaving;
mod line;
mod logged;
#[cfg(all(test, loom))]
mod loom_tests;
mod memory;
#[cfg(all(test, any(loom, shuttle)))]
mod models;
#[cfg(feature = "tower")]
mod named;
mod origin;
mod owner;
mod prospects;
#[expect(unsafe_code, reason = "the tagged pointer behind `Context`")]
mod raw;
#[cfg(any(feature = "streams", feature = "tower"))]
mod repeated;
#[cfg(feature = "reqwest")]
pub mod reqwest;
mod roster;
mod run;
mod scope;
mod shield;
#[cfg(feature = "tokio")]
pub mod shutdown;
#[cfg(all(test, shuttle))]
mod shuttle_tests;
#[cfg(feature = "tokio")]
pub mod signal;
mod site;
#[cfg(feature = "tokio")]
mod spawned;
mod state;
#[cfg(feature = "streams")]
pub mod stream;
mod sync;
#[cfg(feature = "tokio")]
pub mod task;
#[cfg(feature = "testing")]
pub mod testing;
mod tick;
mod timeline;
#[cfg(feature = "tokens")]
mod tokens;
#[cfg(feature = "tonic")]
pub mod tonic;
#[cfg(feature = "tower")]
pub mod tower;
mod tree;
mod until;
mod value;
mod vigil;
mod waiters;
mod watch;

#[doc(hidden)]
pub mod private;

#[cfg(feature = "tracing")]
pub mod events {
    #![doc = include_str!("events.md")]
}

pub mod guarantees {
    #![doc = include_str!("guarantees.md")]
}

// Its examples need both.
#[cfg(all(feature = "macros", feature = "tokio"))]
pub mod guide;

pub use as_context::AsContext;
pub use callbacks::{AfterCancel, InterruptGuard};
#[cfg(feature = "macros")]
pub use cancel_context_macros::cancellable;
pub use cancelled::{Cancelled, Cause, Kind};
pub use canceller::{Canceller, DeadlineMover};
pub use context::Context;
pub use leaving::FromCancelled;
pub use origin::Origin;
pub use run::Run;
pub use scope::outside;
pub use shield::Shield;
pub use site::Site;
pub use until::UntilCancelled;
