//! The results, as a table or as JSON.

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::measure::Who;
use crate::workload::{Outcome, Target, Unit, Workload};

/// A workload that was measured.
pub(crate) struct Row {
    key: &'static str,
    unit: Unit,
    target: Target,
    outcome: Outcome,
}

impl Row {
    pub(crate) fn new(workload: &Workload, outcome: Outcome) -> Self {
        Self {
            key: workload.key,
            unit: workload.unit,
            target: workload.target,
            outcome,
        }
    }

    /// Whether the target is met, if there is one.
    pub(crate) fn holds(&self) -> bool {
        self.outcome.fault.is_none() && self.target.is_met(&self.outcome.samples)
    }

    fn has_target(&self) -> bool {
        self.target != Target::None
    }

    /// What is to be said of it besides its figures.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.outcome.fault.as_deref()
    }

    pub(crate) fn record(&self) -> Record {
        let samples = &self.outcome.samples;
        let value = |who| {
            samples
                .median(who)
                .map(|value| (value * 100.0).round() / 100.0)
        };
        let peers = Who::PEERS.into_iter();
        Record {
            workload: self.key,
            unit: self.unit.name(),
            bare: value(Who::Bare),
            ours: value(Who::Ours),
            peers: (peers.filter_map(|who| Some((who.key(), value(who)?)))).collect(),
        }
    }

    fn cells(&self) -> Vec<String> {
        let samples = &self.outcome.samples;
        let value = |who| samples.median(who).map_or_else(String::new, number);
        let ratio = |other: Option<Who>| {
            let ratio = other.and_then(|other| samples.ratio(Who::Ours, other));
            ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}×"))
        };
        let mut cells = vec![
            self.key.to_owned(),
            self.unit.name().to_owned(),
            value(Who::Bare),
            value(Who::Ours),
        ];
        cells.extend(Who::PEERS.map(value));
        cells.extend([ratio(Some(Who::Bare)), ratio(samples.best_peer())]);
        let holds = match (self.holds(), self.has_target()) {
            (false, _) => "NO",
            (true, true) => "yes",
            (true, false) => "-",
        };
        cells.extend([self.target.text(self.unit), holds.to_owned()]);
        cells
    }
}

/// A row as JSON.
#[derive(Serialize)]
pub(crate) struct Record {
    workload: &'static str,
    unit: &'static str,
    bare: Option<f64>,
    ours: Option<f64>,
    peers: BTreeMap<&'static str, f64>,
}

/// With as many digits as tell something.
pub(crate) fn number(value: f64) -> String {
    if value < 100.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.0}")
    }
}

/// A table of numbers, with names in the first column.
pub(crate) fn table(header: Vec<String>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Prints the table, what is to be said of single rows, and how many targets hold.
pub(crate) fn print(rows: &[Row]) {
    let mut header = vec!["workload", "unit", "bare", "ours"];
    header.extend(Who::PEERS.map(Who::title));
    header.extend(["ours/bare", "ours/best peer", "target", "holds"]);
    let mut table = table(header.into_iter().map(String::from).collect());
    for row in rows {
        table.add_row(row.cells());
    }
    println!("{table}");
    for row in rows {
        if let Some(fault) = row.fault() {
            println!("{}: {fault}", row.key);
        }
        if let Some(appendix) = &row.outcome.appendix {
            println!("\n{}:\n{appendix}", row.key);
        }
    }
    let missed: Vec<_> = (rows.iter().filter(|row| !row.holds()))
        .map(|row| row.key)
        .collect();
    let targets: Vec<_> = rows.iter().filter(|row| row.has_target()).collect();
    let held = targets.iter().filter(|row| row.holds()).count();
    println!("\n{held} of {} targets hold", targets.len());
    if !missed.is_empty() {
        println!("missed: {}", missed.join(", "));
    }
}
