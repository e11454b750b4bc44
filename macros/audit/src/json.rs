//! The report for programs; its schema is described in the head of the crate.

use std::collections::BTreeMap;

use cancel_context_syntax::inspect::{Annotation, Place};
use serde::Serialize;

use crate::audit::{KINDS, Report, kind_name};
use crate::outcome::Failure;
use crate::source::Source;

/// Changes only if a field goes, or changes its meaning.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Output<'r> {
    version: u32,
    sites: Vec<Site<'r>>,
    functions: Vec<Function<'r>>,
    findings: Vec<Finding<'r>>,
    todos: Vec<Todo<'r>>,
    left_out: Vec<LeftOut<'r>>,
    unread: Vec<Unread<'r>>,
    summary: Summary,
}

#[derive(Serialize)]
struct At {
    file: String,
    line: Option<usize>,
    column: Option<usize>,
}

#[derive(Serialize)]
struct Site<'r> {
    #[serde(flatten)]
    at: At,
    function: &'r str,
    kind: &'static str,
    allowed: bool,
    expression: &'r str,
    r#macro: bool,
}

#[derive(Serialize)]
struct Function<'r> {
    #[serde(flatten)]
    at: At,
    name: &'r str,
    r#async: bool,
    annotation: &'static str,
    block: Option<&'r str>,
}

#[derive(Serialize)]
struct Finding<'r> {
    #[serde(flatten)]
    at: At,
    function: &'r str,
    name: &'static str,
    message: &'r str,
}

#[derive(Serialize)]
struct Todo<'r> {
    #[serde(flatten)]
    at: At,
    function: &'r str,
}

#[derive(Serialize)]
struct LeftOut<'r> {
    #[serde(flatten)]
    at: At,
    function: &'r str,
    reason: &'r str,
}

#[derive(Serialize)]
struct Unread<'r> {
    #[serde(flatten)]
    at: At,
    message: &'r str,
}

#[derive(Serialize)]
struct Summary {
    files: usize,
    functions: usize,
    annotated: usize,
    sites: BTreeMap<&'static str, usize>,
    awaits: usize,
    macros: usize,
    findings: usize,
    todos: usize,
    left_out: usize,
    unread: usize,
}

/// One object, and a line break.
pub(crate) fn print(report: &Report) -> String {
    let output = Output {
        version: VERSION,
        sites: sites(report),
        functions: functions(report),
        findings: findings(report),
        todos: todos(report),
        left_out: left_out(report),
        unread: report.failures.iter().map(unread).collect(),
        summary: summary(report),
    };
    // Strings and numbers under names always can be written.
    let mut text = serde_json::to_string_pretty(&output).unwrap_or_default();
    text.push('\n');
    text
}

fn at(source: &Source, place: Place) -> At {
    At {
        file: source.path.display().to_string(),
        line: Some(place.line),
        column: Some(place.column),
    }
}

fn sites(report: &Report) -> Vec<Site<'_>> {
    let sites = report.sites().map(|(source, function, site)| Site {
        at: at(source, site.place),
        function: &function.name,
        kind: kind_name(site.kind),
        allowed: site.is_allowed,
        expression: &site.expression,
        r#macro: site.is_macro,
    });
    sites.collect()
}

fn functions(report: &Report) -> Vec<Function<'_>> {
    let functions = report.functions().map(|(source, function)| {
        let (annotation, block) = match &function.annotation {
            Annotation::None => ("none", None),
            Annotation::Skipped => ("skipped", None),
            Annotation::Annotated { is_implicit, block } => {
                let mode = if *is_implicit { "implicit" } else { "explicit" };
                (mode, block.as_deref())
            }
        };
        Function {
            at: at(source, function.place),
            name: &function.name,
            r#async: function.is_async,
            annotation,
            block,
        }
    });
    functions.collect()
}

fn findings(report: &Report) -> Vec<Finding<'_>> {
    let all = report.sources.iter().flat_map(|source| {
        source.found.findings.iter().map(move |finding| Finding {
            at: at(source, finding.place),
            function: &finding.function,
            name: finding.name,
            message: &finding.message,
        })
    });
    all.collect()
}

fn todos(report: &Report) -> Vec<Todo<'_>> {
    let all = report.sources.iter().flat_map(|source| {
        source.found.todos.iter().map(move |todo| Todo {
            at: at(source, todo.place),
            function: &todo.function,
        })
    });
    all.collect()
}

fn left_out(report: &Report) -> Vec<LeftOut<'_>> {
    let all = report.sources.iter().flat_map(|source| {
        source.found.left_out.iter().map(move |left_out| LeftOut {
            at: at(source, left_out.place),
            function: &left_out.function,
            reason: &left_out.reason,
        })
    });
    all.collect()
}

fn unread(failure: &Failure) -> Unread<'_> {
    Unread {
        at: At {
            file: failure.path.display().to_string(),
            line: failure.place.map(|place| place.line),
            column: failure.place.map(|place| place.column),
        },
        message: &failure.message,
    }
}

fn summary(report: &Report) -> Summary {
    let sites = KINDS.map(|kind| (kind_name(kind), report.count(kind)));
    let macros = report.macros();
    Summary {
        files: report.sources.len(),
        functions: report.async_functions(),
        annotated: report.annotated(),
        sites: sites.into_iter().collect(),
        awaits: report.sites().count() - macros,
        macros,
        findings: report.findings(),
        todos: report.todos(),
        left_out: report.left_out(),
        unread: report.failures.len(),
    }
}
