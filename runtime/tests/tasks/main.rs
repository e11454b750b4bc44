//! Tasks and what ends them, one module per topic. The numbers in the tests are those of
//! `cancel_context::guarantees`.

#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "shared with the other suites")]
mod support;

mod blocking;
mod blocking_io;
mod exit;
mod failures;
mod generators;
mod groups;
mod limits;
mod panics_in_groups;
#[cfg(all(unix, feature = "process"))]
mod processes;
mod shielded_streams;
mod shutdown;
mod spawned_streams;
mod streams;
