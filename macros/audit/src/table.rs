//! The report for people.

use std::fmt::Write;
use std::path::Path;

use cancel_context_syntax::inspect::{Await, Place};
use comfy_table::Table;
use comfy_table::presets::NOTHING;

use crate::audit::{KINDS, Report, kind_name};
use crate::source::Source;

/// The table of awaits, what else is found, and a line with the counts.
pub(crate) fn print(report: &Report) -> String {
    let mut text = String::new();
    let sites = report.sites().map(|(source, function, site)| {
        [
            at(&source.path, site.place),
            function.name.clone(),
            kind_text(site),
            one_line(&site.expression),
        ]
    });
    section(
        &mut text,
        ["await", "function", "kind", "expression"],
        sites,
    );
    let findings = all(report, |source| &source.found.findings).map(|(source, finding)| {
        [
            at(&source.path, finding.place),
            finding.function.clone(),
            finding.name.to_owned(),
            one_line(&finding.message),
        ]
    });
    section(
        &mut text,
        ["finding", "function", "name", "message"],
        findings,
    );
    let todos = all(report, |source| &source.found.todos)
        .map(|(source, todo)| [at(&source.path, todo.place), todo.function.clone()]);
    section(&mut text, ["`Context::todo()`", "function"], todos);
    let left_out = all(report, |source| &source.found.left_out).map(|(source, left_out)| {
        [
            at(&source.path, left_out.place),
            left_out.function.clone(),
            left_out.reason.clone(),
        ]
    });
    section(
        &mut text,
        ["cannot be annotated", "function", "reason"],
        left_out,
    );
    text.push_str(&summary(report));
    text
}

fn kind_text(site: &Await) -> String {
    let name = kind_name(site.kind).replace('-', " ");
    if site.is_allowed {
        name + ", allowed"
    } else {
        name
    }
}

fn all<'r, T: 'r>(
    report: &'r Report,
    list: fn(&Source) -> &Vec<T>,
) -> impl Iterator<Item = (&'r Source, &'r T)> {
    let sources = report.sources.iter();
    sources.flat_map(move |source| list(source).iter().map(move |item| (source, item)))
}

/// A table with a line under it; nothing without rows.
fn section<const COLUMNS: usize>(
    text: &mut String,
    header: [&str; COLUMNS],
    rows: impl Iterator<Item = [String; COLUMNS]>,
) {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header);
    rows.for_each(|row| {
        table.add_row(row);
    });
    if table.is_empty() {
        return;
    }
    for line in table.lines() {
        text.push_str(line.trim());
        text.push('\n');
    }
    text.push('\n');
}

fn at(path: &Path, place: Place) -> String {
    format!("{}:{place}", path.display())
}

/// Strings may have line breaks in them.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

fn summary(report: &Report) -> String {
    let counts: Vec<String> = KINDS
        .into_iter()
        .map(|kind| {
            format!(
                "{} {}",
                report.count(kind),
                kind_name(kind).replace('-', " ")
            )
        })
        .collect();
    let mut line = format!(
        "{}, of them {}: {}",
        plural(report.sites().count(), "await"),
        plural(report.macros(), "macro"),
        counts.join(", "),
    );
    let rest = [
        plural(report.findings(), "finding"),
        format!("{} todo", report.todos()),
        format!(
            "{} of {} annotated",
            report.annotated(),
            plural(report.async_functions(), "async fn")
        ),
        format!("{} cannot be", report.left_out()),
        plural(report.sources.len(), "file"),
    ];
    for part in rest {
        // Writing to a string does not fail.
        write!(line, "; {part}").ok();
    }
    if !report.failures.is_empty() {
        write!(line, ", {} not read", report.failures.len()).ok();
    }
    line.push('\n');
    line
}

/// `1 file`, `2 files`
pub(crate) fn plural(count: usize, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}
