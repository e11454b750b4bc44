//! `cargo cancellable`: lists every await of a code base by how `#[cancellable]` treats it, fails CI
//! on what should not be there, and puts the attribute on every `async fn` of a tree.
//!
//! ```text
//! cargo cancellable [PATHS]…                      the table
//! cargo cancellable --deny opaque,detached src    exit code 3 if there is any
//! cargo cancellable --json > audit.json           the same for programs
//! cargo cancellable annotate --dry-run            what `annotate` would do, as a diff
//! ```
//!
//! It reads source text with the library behind the attribute, so that it and the attribute cannot
//! disagree. Nothing is compiled: `#[cfg]` is not evaluated, code that is configured out is listed
//! and annotated like any other, and what macros make of their tokens is not known.
//!
//! # What is read
//!
//! Files given by name, and all `.rs` files in folders given, except hidden ones, those that
//! `.gitignore` names, and `target` folders of cargo. Symbolic links in a folder are not followed.
//! A file that is reached twice is read once.
//!
//! # Kinds of awaits
//!
//! - *checked*: a cancellation point.
//! - *shielded*: in `#[shield]` or `ctx.shield(…)`; runs to completion.
//! - *opaque*: in tokens of a macro that cannot be read; stays as it was.
//! - *detached*: in a future that is handed to a task of its own, which is in no scope; `--deny` passes
//!   over those that `#[cancellable(allow(detached))]` allows.
//! - *not annotated*: in code without the attribute.
//!
//! `select!`, `join!` and `try_join!` are awaits too, though they write none.
//!
//! # Exit codes
//!
//! | code | meaning |
//! |---|---|
//! | 0 | all is well |
//! | 1 | a file could not be read, parsed or written; it is named, the others go on |
//! | 2 | wrong usage; nothing was read or written |
//! | 3 | something that `--deny` names is there |
//!
//! If both 1 and 3 apply, it is 1: what could not be read may hide more. What is denied is named on
//! the standard error output in either case.
//!
//! # JSON
//!
//! `--json` prints one object. Fields may be added under the same `version`; what is there keeps its
//! name and meaning. Lines and columns count from 1; columns are those that a cancellation reports
//! at run time, for which a tab is four columns and a wide character two.
//!
//! ```text
//! {
//!   "version": 1,
//!   "sites": [{ "file", "line", "column", "function", "kind", "allowed", "expression", "macro" }],
//!   "functions": [{ "file", "line", "column", "name", "async", "annotation", "block" }],
//!   "findings": [{ "file", "line", "column", "function", "name", "message" }],
//!   "todos": [{ "file", "line", "column", "function" }],
//!   "left_out": [{ "file", "line", "column", "function", "reason" }],
//!   "unread": [{ "file", "line", "column", "message" }],
//!   "summary": {
//!     "files", "functions", "annotated",
//!     "sites": { "checked", "shielded", "opaque", "detached", "not-annotated" },
//!     "awaits", "macros", "findings", "todos", "left_out", "unread"
//!   }
//! }
//! ```
//!
//! - `kind` is one of the keys of `summary.sites`; `macro` says whether the site is a `select!`,
//!   `join!` or `try_join!`. `summary.awaits` counts the sites that are an `.await`,
//!   `summary.macros` the others.
//! - `functions` has every `async fn` with a body, every annotated function, and what else awaits:
//!   functions that build `async` blocks, statics, macros. `annotation` is `none`, `skipped`,
//!   `explicit` or `implicit`; `block` is the annotated block around it, as `impl Server`, or null.
//!   `summary.functions` counts those with `async`, `summary.annotated` those that are annotated.
//! - `findings` are what the attribute refuses in explicit mode; in implicit mode they are only here.
//! - `left_out` are `async fn`s that the attribute cannot be put on, since they are in the tokens of
//!   a macro, or `const` or `extern`.
//! - `unread` are files that could not be read or parsed; `line` and `column` are null where
//!   there is no place.

#![forbid(unsafe_code)]

mod annotate;
mod audit;
mod cli;
mod files;
mod json;
mod outcome;
mod source;
mod table;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run(std::env::args_os())
}
