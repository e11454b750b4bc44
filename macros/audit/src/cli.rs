//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::outcome::Outcome;
use crate::{annotate, audit};

/// The parser descends as deep as the source is nested.
const STACK_SIZE: usize = 256 << 20;

const NOTES: &str = "\
Kinds of awaits:
  checked        a cancellation point
  shielded       in #[shield] or ctx.shield(…); runs to completion
  opaque         in tokens of a macro that cannot be read; stays as it was
  detached       in a future that is handed to a task of its own, which is in no scope
  not annotated  in code without the attribute

The JSON object has the lists sites, functions, findings, todos, left_out and unread, a summary with
the counts, and a version, which changes only if something goes or changes its meaning.

Exit codes:
  0  all is well
  1  a file could not be read, parsed or written; it is named, the others go on
  2  wrong usage; nothing was read or written
  3  something that --deny names is there; if 1 applies too, it is 1

Nothing is compiled: #[cfg] is not evaluated, and code that is configured out is read like any other.
Folders are read without hidden files, files that .gitignore names, cargo's target folders, and
symbolic links.";

const ANNOTATE_NOTES: &str = "\
Put on each async fn with a body, those of tests, examples and main included, that is not annotated
yet, neither itself nor by a block around it, and that no #[cancellable(skip)] leaves out. The
attribute goes on the same line, below the documentation and above all other attributes, since it
has to expand before #[instrument], #[tokio::main] and tests. Formatting, comments and line numbers
stay. Running it twice changes nothing.

Left alone, and named: generated files (a comment at their top says @generated or DO NOT EDIT), and
functions in the tokens of macros.

The code then needs the crate: run `cargo add cancel-context` in each package.";

/// Lists every await of a code base by how `#[cancellable]` treats it.
#[derive(Parser)]
#[command(
    name = "cargo-cancellable",
    bin_name = "cargo cancellable",
    version,
    args_conflicts_with_subcommands = true,
    after_help = NOTES
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    audit: Audit,
}

#[derive(Subcommand)]
enum Command {
    /// Puts the attribute on every async fn, in place.
    #[command(after_help = ANNOTATE_NOTES)]
    Annotate(Annotate),
}

#[derive(Args)]
pub(crate) struct Audit {
    /// Files, and folders with all they have in them.
    #[arg(default_value = ".")]
    pub(crate) paths: Vec<PathBuf>,
    /// Prints one JSON object instead of the table.
    #[arg(long)]
    pub(crate) json: bool,
    /// Fails with exit code 3 if any of these is there.
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    pub(crate) deny: Vec<Denied>,
}

/// What `--deny` accepts.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Denied {
    /// Awaits in macro tokens that cannot be read
    Opaque,
    /// Awaits in futures handed to a task of their own
    Detached,
    /// Awaits in code without the attribute
    NotAnnotated,
    /// What breaks cancellation in practice
    Findings,
    /// `Context::todo()`
    Todo,
}

#[derive(Args)]
pub(crate) struct Annotate {
    /// Files, and folders with all they have in them.
    #[arg(default_value = ".")]
    pub(crate) paths: Vec<PathBuf>,
    /// The options of the attribute, as `implicit, inherit_spawns`; empty for none.
    #[arg(long, default_value = "implicit")]
    pub(crate) options: String,
    /// The path of the attribute.
    #[arg(
        long,
        value_name = "PATH",
        default_value = "::cancel_context::cancellable"
    )]
    pub(crate) attribute: String,
    /// Prints a diff and writes nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Runs the tool; cargo passes its own name for it as the first argument.
pub(crate) fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let mut arguments: Vec<OsString> = arguments.collect();
    if arguments.get(1).is_some_and(|first| first == "cancellable") {
        arguments.remove(1);
    }
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let run = move || match cli.command {
        Some(Command::Annotate(options)) => annotate::run(&options),
        None => audit::run(&cli.audit),
    };
    let outcome = thread::Builder::new()
        .stack_size(STACK_SIZE)
        .spawn(run)
        .map(thread::JoinHandle::join);
    match outcome {
        Ok(Ok(outcome)) => outcome.into(),
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(error) => {
            eprintln!("error: no thread could be started: {error}");
            Outcome::Unread.into()
        }
    }
}

/// Help and the version are no mistakes.
fn refuse(error: &clap::Error) -> ExitCode {
    let is_mistake = !matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    // Nobody is left to tell.
    error.print().ok();
    if is_mistake {
        Outcome::Usage.into()
    } else {
        Outcome::Fine.into()
    }
}
