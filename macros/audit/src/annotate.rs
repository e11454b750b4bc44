//! `annotate`: puts the attribute on every `async fn` of a tree.
//!
//! 1. Only attributes are put in, on lines that are there: all else stays as it is, byte for byte.
//! 2. What would no longer parse is not written.
//! 3. A file is replaced whole, or stays as it was.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use cancel_context_syntax::inspect;
use similar::TextDiff;
use tempfile::NamedTempFile;

use crate::cli;
use crate::files;
use crate::outcome::{Failure, Outcome, print};
use crate::source::Source;
use crate::table::plural;

/// Lines around a change in the diff.
const CONTEXT_LINES: usize = 3;

/// What was done.
#[derive(Default)]
struct Done {
    functions: usize,
    files: usize,
    diff: String,
    failures: Vec<Failure>,
}

pub(crate) fn run(options: &cli::Annotate) -> Outcome {
    let attribute = match attribute(options) {
        Ok(attribute) => attribute,
        Err(messages) => {
            for message in messages {
                eprintln!("error: {message}");
            }
            return Outcome::Usage;
        }
    };
    let (files, failures) = files::find(&options.paths);
    let mut done = Done {
        failures,
        ..Done::default()
    };
    for path in files {
        match Source::read(&path) {
            Ok(source) => done.file(&source, &attribute, options.dry_run),
            Err(failure) => done.failures.push(failure),
        }
    }
    done.report(options.dry_run)
}

/// The text to put in; what is wrong with it is said before anything is read.
fn attribute(options: &cli::Annotate) -> Result<String, Vec<String>> {
    let mut messages = Vec::new();
    let path = &options.attribute;
    let is_ours = syn::parse_str::<syn::Path>(path).is_ok_and(|path| {
        path.segments
            .last()
            .is_some_and(|last| last.ident == "cancellable")
    });
    if !is_ours {
        messages.push(format!(
            "`--attribute {path}` is no path that ends in `cancellable`"
        ));
    }
    let list = options.options.trim();
    if let Err(wrong) = inspect::check_options(list) {
        messages.extend(wrong);
    }
    if !messages.is_empty() {
        return Err(messages);
    }
    Ok(if list.is_empty() {
        format!("#[{path}] ")
    } else {
        format!("#[{path}({list})] ")
    })
}

impl Done {
    fn file(&mut self, source: &Source, attribute: &str, dry_run: bool) {
        let mut offsets: Vec<usize> = source
            .found
            .functions
            .iter()
            .filter_map(|function| function.insert_at)
            .collect();
        if source.is_generated() {
            if !offsets.is_empty() {
                let functions = plural(offsets.len(), "function");
                eprintln!(
                    "left alone: {}: generated, {functions}",
                    source.path.display()
                );
            }
            return;
        }
        for left_out in &source.found.left_out {
            let path = source.path.display();
            let (place, function, reason) = (left_out.place, &left_out.function, &left_out.reason);
            eprintln!("left alone: {path}:{place}: `{function}`: {reason}");
        }
        if offsets.is_empty() {
            return;
        }
        offsets.sort_unstable();
        let text = with_inserted(&source.text, &offsets, attribute);
        if let Err(error) = inspect::inspect(&text) {
            let message = format!("it would not parse any more: {}", error.message);
            self.failures.push(Failure::new(&source.path, &message));
            return;
        }
        if dry_run {
            self.diff.push_str(&diff(&source.path, &source.text, &text));
        } else if let Err(error) = replace(&source.path, &text) {
            self.failures.push(Failure::new(&source.path, &error));
            return;
        }
        self.functions += offsets.len();
        self.files += 1;
    }

    fn report(self, dry_run: bool) -> Outcome {
        for failure in &self.failures {
            eprintln!("error: {failure}");
        }
        let (functions, files) = (
            plural(self.functions, "function"),
            plural(self.files, "file"),
        );
        let printed = if dry_run {
            eprintln!("{functions} in {files} to annotate");
            print(&self.diff)
        } else {
            print(&format!("{functions} in {files} annotated\n"))
        };
        match printed {
            Ok(()) if self.failures.is_empty() => Outcome::Fine,
            Ok(()) => Outcome::Unread,
            Err(error) => {
                eprintln!("error: the output could not be written: {error}");
                Outcome::Unread
            }
        }
    }
}

/// `offsets` in ascending order.
fn with_inserted(text: &str, offsets: &[usize], attribute: &str) -> String {
    let mut inserted = String::with_capacity(text.len() + offsets.len() * attribute.len());
    let mut rest = text;
    // From the end, where the offsets hold.
    let mut parts = Vec::new();
    for offset in offsets.iter().rev() {
        let (before, after) = rest.split_at(*offset);
        parts.push(after);
        rest = before;
    }
    inserted.push_str(rest);
    for part in parts.into_iter().rev() {
        inserted.push_str(attribute);
        inserted.push_str(part);
    }
    inserted
}

fn diff(path: &Path, old: &str, new: &str) -> String {
    let name = |side: &str| {
        if path.is_relative() {
            format!("{side}/{}", path.display())
        } else {
            path.display().to_string()
        }
    };
    let mut text = String::new();
    let diff = TextDiff::from_lines(old, new);
    // Writing to a string does not fail.
    write!(
        text,
        "{}",
        diff.unified_diff()
            .context_radius(CONTEXT_LINES)
            .header(&name("a"), &name("b"))
    )
    .ok();
    text
}

/// Writes beside the file, then renames; a link stays one.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = path.canonicalize()?;
    let permissions = path.metadata()?.permissions();
    if permissions.readonly() {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "it is read-only",
        ));
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(permissions)?;
    file.persist(&path)?;
    Ok(())
}
