//! The behaviour of the runtime, one module per topic. The numbers in the tests are those of
//! `cancel_context::guarantees`.

#![expect(
    clippy::similar_names,
    reason = "`cancelled` and `canceller`, `moved` and `mover` are the terms of the crate"
)]

#[path = "../support/mod.rs"]
mod support;

mod await_sharing;
mod callbacks;
mod cancellers;
mod deep;
mod derive;
mod error;
mod foreign_code;
mod foreign_drops;
mod foreign_functions;
mod foreign_values;
mod foreign_wakers;
mod interrupts;
mod merges;
mod roots_and_identity;
mod values;
mod visibility;
mod waiters;
mod with_future;

#[cfg(feature = "tokio")]
mod callbacks_on_a_runtime;
#[cfg(feature = "tokio")]
mod causes;
#[cfg(feature = "tokio")]
mod clocks;
#[cfg(feature = "tokio")]
mod deadlines;
#[cfg(feature = "tokio")]
mod executors;
mod scope;
mod shields;
#[cfg(feature = "tokio")]
mod spawn;
