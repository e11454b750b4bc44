//! Reads a source file as the attribute sees it: what is annotated, how each await is treated, and
//! what is left to do.
//!
//! 1. What is annotated goes through the very stages of the attribute, so that the two cannot
//!    disagree; what they say nothing about is *not annotated*.
//! 2. Each `.await` of a file is listed once, wherever it is; those in quoted tokens and in
//!    `macro_rules!` definitions are none yet.
//! 3. `cfg` is not evaluated: what is compiled elsewhere is read like everything else.

mod attribute;
mod function;
mod macros;
mod raw;
mod walk;

use std::fmt;
use std::ops::Range;

use proc_macro2::{Span, TokenStream};

use crate::diagnostics::Errors;
use crate::options::Options;
use crate::site::SiteKind;

/// A place in a source file: line and column, counted in characters, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// From 1, in characters, as the compiler counts.
    pub column: usize,
}

impl Place {
    fn of(span: Span) -> Self {
        let start = span.start();
        Self {
            line: start.line,
            column: start.column + 1,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// How an await is treated at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AwaitKind {
    /// A cancellation point.
    Checked,
    /// Runs to completion although the context is cancelled.
    Shielded,
    /// In tokens that cannot be read.
    Opaque,
    /// In a future that is handed to a task of its own.
    Detached,
    /// In code without the attribute.
    NotAnnotated,
}

impl From<SiteKind> for AwaitKind {
    fn from(kind: SiteKind) -> Self {
        match kind {
            SiteKind::Checked => Self::Checked,
            SiteKind::Shielded => Self::Shielded,
            SiteKind::Opaque => Self::Opaque,
            SiteKind::Detached => Self::Detached,
        }
    }
}

/// One await.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Await {
    /// Of the `await` keyword, or of the macro that awaits.
    pub place: Place,
    /// How it is treated.
    pub kind: AwaitKind,
    /// Whether it is detached on purpose, by `allow(detached)`.
    pub is_allowed: bool,
    /// The awaited expression, on one line, cut short.
    pub expression: String,
    /// Whether it is a `select!`, `join!` or `try_join!`, which await without an `.await`.
    pub is_macro: bool,
}

/// Whether and how a function is annotated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Annotation {
    /// Not at all.
    None,
    /// Left out on purpose, by `#[cancellable(skip)]`.
    Skipped,
    /// By an attribute.
    Annotated {
        /// Whether the context is the current one.
        is_implicit: bool,
        /// The annotated block around it, as `impl Server`; `None` if it has an attribute of its own.
        block: Option<String>,
    },
}

/// A function, or another item that awaits.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InspectedFunction {
    /// Its path in the file, as `module::Type::name`.
    pub name: String,
    /// Of its name.
    pub place: Place,
    /// Whether it is an `async fn`.
    pub is_async: bool,
    /// Whether and how it is annotated.
    pub annotation: Annotation,
    /// Its awaits, in source order; those of nested functions are theirs.
    pub awaits: Vec<Await>,
    /// The byte offset at which an attribute is to be put; `None` if it needs none or can have none.
    pub insert_at: Option<usize>,
}

/// Something in annotated code that breaks cancellation in practice (guarantee A9).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InspectedFinding {
    /// What was found.
    pub place: Place,
    /// The function it is in.
    pub function: String,
    /// The name by which it can be allowed, as `thread_sleep`.
    pub name: &'static str,
    /// What is wrong; what to write.
    pub message: String,
}

/// A `Context::todo()`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Todo {
    /// Of its path.
    pub place: Place,
    /// The function or item it is in.
    pub function: String,
}

/// An `async fn` that the attribute cannot be put on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOut {
    /// Of its name.
    pub place: Place,
    /// Its path in the file.
    pub function: String,
    /// Why.
    pub reason: String,
}

/// All that is found in one file, each list in source order.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Inspection {
    /// Every `async fn` with a body, every annotated function, and all else that awaits.
    pub functions: Vec<InspectedFunction>,
    /// What breaks cancellation in annotated code.
    pub findings: Vec<InspectedFinding>,
    /// The `Context::todo()`s left.
    pub todos: Vec<Todo>,
    /// Functions that cannot be annotated where they are.
    pub left_out: Vec<LeftOut>,
}

impl Inspection {
    /// Changes all places, as to columns that are counted otherwise.
    pub fn map_places(&mut self, map: impl Fn(Place) -> Place) {
        let functions = self.functions.iter_mut().flat_map(|function| {
            let awaits = function.awaits.iter_mut();
            std::iter::once(&mut function.place).chain(awaits.map(|awaited| &mut awaited.place))
        });
        let findings = self.findings.iter_mut().map(|finding| &mut finding.place);
        let todos = self.todos.iter_mut().map(|todo| &mut todo.place);
        let left_out = self.left_out.iter_mut().map(|left_out| &mut left_out.place);
        for place in functions.chain(findings).chain(todos).chain(left_out) {
            *place = map(*place);
        }
    }
}

/// Why a file could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unreadable {
    /// Where it stops making sense.
    pub place: Place,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl std::error::Error for Unreadable {}

/// Reads the text of one source file.
///
/// A byte-order mark and a `#!` line are allowed, and counted in offsets; the mark is no column.
///
/// # Errors
///
/// The text is no Rust that can be parsed.
pub fn inspect(source: &str) -> Result<Inspection, Unreadable> {
    let (mark, text) = match source.strip_prefix(BYTE_ORDER_MARK) {
        Some(text) => (BYTE_ORDER_MARK.len_utf8(), text),
        None => (0, source),
    };
    let text = without_shebang(text);
    let file = syn::parse_file(&text).map_err(|error| unreadable(&text, &error))?;
    let mut inspection = walk::inspect(&file);
    for function in &mut inspection.functions {
        function.insert_at = function.insert_at.map(|offset| offset + mark);
    }
    Ok(inspection)
}

/// Checks the options of an attribute that is to be written; the messages of all that is wrong.
///
/// # Errors
///
/// The options do not parse, or exclude each other.
pub fn check_options(options: &str) -> Result<(), Vec<String>> {
    let tokens: TokenStream = options
        .parse()
        .map_err(|_| vec![format!("`{options}` is not a list of options")])?;
    let mut errors = Errors::default();
    let options = Options::parse(tokens, &mut errors);
    options.check_conflicts(&mut errors);
    if let Some(skip) = &options.skip {
        errors.push(skip.span(), "`skip` annotates nothing; leave it out");
    }
    match errors.into_messages() {
        messages if messages.is_empty() => Ok(()),
        messages => Err(messages),
    }
}

const BYTE_ORDER_MARK: char = '\u{feff}';

/// A `#!` line made blank, so that all places stay; `#![…]` is an attribute.
fn without_shebang(text: &str) -> String {
    match text.strip_prefix("#!") {
        Some(rest) if !rest.trim_start().starts_with('[') => {
            let length = text.find('\n').unwrap_or(text.len());
            format!("{}{}", " ".repeat(length), &text[length..])
        }
        _ => text.to_owned(),
    }
}

fn unreadable(text: &str, error: &syn::Error) -> Unreadable {
    let message = error.to_string();
    // At the end of the file, there is no token to point at.
    let place = if message.starts_with("unexpected end of input") {
        let last = text.lines().last().unwrap_or_default();
        Place {
            line: text.lines().count().max(1),
            column: last.chars().count() + 1,
        }
    } else {
        Place::of(error.span())
    };
    Unreadable { place, message }
}

/// The bytes that tokens take.
fn range(tokens: impl quote::ToTokens) -> Range<usize> {
    let (first, last) = crate::signature::ends(&tokens);
    first.byte_range().start..last.byte_range().end
}
