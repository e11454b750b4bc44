//! The attribute, run on tokens: what goes in and what comes out.

mod errors;
mod inspecting;
mod macros;
mod rewriting;
mod signatures;
mod support;
