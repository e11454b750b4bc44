//! The audit: what is found in all files together.

use cancel_context_syntax::inspect::{Annotation, Await, AwaitKind, InspectedFunction};

use crate::cli::{self, Denied};
use crate::outcome::{Failure, Outcome, print};
use crate::source::Source;
use crate::{files, json, table};

/// The kinds, as they are listed.
pub(crate) const KINDS: [AwaitKind; 5] = [
    AwaitKind::Checked,
    AwaitKind::Shielded,
    AwaitKind::Opaque,
    AwaitKind::Detached,
    AwaitKind::NotAnnotated,
];

/// What a kind is called, on the command line and in JSON.
pub(crate) fn kind_name(kind: AwaitKind) -> &'static str {
    match kind {
        AwaitKind::Checked => "checked",
        AwaitKind::Shielded => "shielded",
        AwaitKind::Opaque => "opaque",
        AwaitKind::Detached => "detached",
        AwaitKind::NotAnnotated => "not-annotated",
    }
}

/// All files, and those that could not be read.
pub(crate) struct Report {
    pub(crate) sources: Vec<Source>,
    pub(crate) failures: Vec<Failure>,
}

pub(crate) fn run(options: &cli::Audit) -> Outcome {
    let report = Report::of(options);
    for failure in &report.failures {
        eprintln!("error: {failure}");
    }
    if report.sources.is_empty() && report.failures.is_empty() {
        eprintln!("warning: there are no Rust files here");
    }
    let text = if options.json {
        json::print(&report)
    } else {
        table::print(&report)
    };
    if let Err(error) = print(&text) {
        eprintln!("error: the output could not be written: {error}");
        return Outcome::Unread;
    }
    let denied = report.denied(&options.deny);
    if !denied.is_empty() {
        eprintln!("denied: {}", denied.join(", "));
    }
    match (report.failures.is_empty(), denied.is_empty()) {
        (false, _) => Outcome::Unread,
        (true, false) => Outcome::Denied,
        (true, true) => Outcome::Fine,
    }
}

impl Report {
    fn of(options: &cli::Audit) -> Self {
        let (files, failures) = files::find(&options.paths);
        let mut report = Self {
            sources: Vec::new(),
            failures,
        };
        for path in files {
            match Source::read(&path) {
                Ok(source) => report.sources.push(source),
                Err(failure) => report.failures.push(failure),
            }
        }
        report
    }

    /// Each function and other item that awaits, with its file.
    pub(crate) fn functions(&self) -> impl Iterator<Item = (&Source, &InspectedFunction)> {
        self.sources.iter().flat_map(|source| {
            let functions = source.found.functions.iter();
            functions.map(move |function| (source, function))
        })
    }

    /// Each await, with its file and function.
    pub(crate) fn sites(&self) -> impl Iterator<Item = (&Source, &InspectedFunction, &Await)> {
        self.functions().flat_map(|(source, function)| {
            let awaits = function.awaits.iter();
            awaits.map(move |awaited| (source, function, awaited))
        })
    }

    pub(crate) fn count(&self, kind: AwaitKind) -> usize {
        self.sites().filter(|(.., site)| site.kind == kind).count()
    }

    /// How many of the sites are macros that await.
    pub(crate) fn macros(&self) -> usize {
        self.sites().filter(|(.., site)| site.is_macro).count()
    }

    /// How many `async fn`s there are.
    pub(crate) fn async_functions(&self) -> usize {
        self.functions()
            .filter(|(_, function)| function.is_async)
            .count()
    }

    /// How many functions are annotated.
    pub(crate) fn annotated(&self) -> usize {
        let annotated = self
            .functions()
            .filter(|(_, function)| matches!(function.annotation, Annotation::Annotated { .. }));
        annotated.count()
    }

    pub(crate) fn findings(&self) -> usize {
        self.sources
            .iter()
            .map(|source| source.found.findings.len())
            .sum()
    }

    pub(crate) fn todos(&self) -> usize {
        self.sources
            .iter()
            .map(|source| source.found.todos.len())
            .sum()
    }

    pub(crate) fn left_out(&self) -> usize {
        self.sources
            .iter()
            .map(|source| source.found.left_out.len())
            .sum()
    }

    /// Detached awaits that nothing allows.
    fn detached_by_mistake(&self) -> usize {
        let detached = |site: &Await| site.kind == AwaitKind::Detached && !site.is_allowed;
        self.sites().filter(|(.., site)| detached(site)).count()
    }

    /// What is denied and there, with how many.
    fn denied(&self, deny: &[Denied]) -> Vec<String> {
        let counts = [
            (Denied::Opaque, self.count(AwaitKind::Opaque), "opaque"),
            (Denied::Detached, self.detached_by_mistake(), "detached"),
            (
                Denied::NotAnnotated,
                self.count(AwaitKind::NotAnnotated),
                "not annotated",
            ),
            (Denied::Findings, self.findings(), "findings"),
            (Denied::Todo, self.todos(), "todo"),
        ];
        let there = counts
            .into_iter()
            .filter(|(denied, count, _)| *count > 0 && deny.contains(denied));
        there
            .map(|(_, count, name)| format!("{count} {name}"))
            .collect()
    }
}
