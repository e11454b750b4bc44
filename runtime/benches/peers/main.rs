//! Measures this crate and its peers side by side: what an await, a context, a cancel and a deadline cost.
//!
//! `cargo bench -p cancel-context --bench peers` prints a table; `-- --help` lists the options.
//!
//! - *bare* is the same source without the attribute, or the least that the work takes (one load, one
//!   allocation, one clock read);
//! - *peers* do the same work: tokio-util's `CancellationToken`, `select!` against one by hand, tokio's
//!   `timeout`, stop-token.
//!
//! How it is measured is told in [`measure`], what by each of the modules below.

mod alloc;
mod annotated;
mod awaits;
mod by_hand;
mod cancel;
mod curve;
mod flags;
mod hand;
mod measure;
mod mpsc;
mod nested;
mod report;
mod setting;
mod time;
mod tree;
mod turns;
mod workload;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::measure::Pace;
use crate::report::Row;
use crate::workload::Workload;

/// Measures cancel-context and its peers side by side.
#[derive(Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
struct Arguments {
    /// Measure less often, within a minute for all workloads.
    #[arg(long)]
    quick: bool,
    /// Print one JSON object a workload, instead of a table.
    #[arg(long)]
    json: bool,
    /// Fail if a target is missed.
    #[arg(long)]
    check: bool,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
    /// The workloads to measure; all if there are none.
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
}

fn all() -> Vec<Workload> {
    let parts = [
        awaits::workloads(),
        nested::workloads(),
        mpsc::workloads(),
        flags::workloads(),
        tree::workloads(),
        alloc::workloads(),
        cancel::workloads(),
        time::workloads(),
        curve::workloads(),
    ];
    parts.into_iter().flatten().collect()
}

/// Those with one of the keys, in the order of the table.
fn chosen(keys: &[String]) -> Result<Vec<Workload>, clap::Error> {
    let all = all();
    let is_known = |key: &&String| all.iter().any(|workload| workload.key == **key);
    if let Some(unknown) = keys.iter().find(|key| !is_known(key)) {
        let known: Vec<_> = all.iter().map(|workload| workload.key).collect();
        let text = format!("no workload `{unknown}`; there are {}\n", known.join(", "));
        return Err(clap::Error::raw(ErrorKind::InvalidValue, text));
    }
    let is_chosen =
        |workload: &Workload| keys.is_empty() || keys.iter().any(|key| key == workload.key);
    Ok(all.into_iter().filter(is_chosen).collect())
}

/// Measures them one after the other; in JSON each is printed at once.
fn measure(workloads: &[Workload], pace: Pace, is_json: bool) -> serde_json::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for workload in workloads {
        eprintln!("measuring {}", workload.key);
        let row = Row::new(workload, (workload.measure)(pace));
        if is_json {
            println!("{}", serde_json::to_string(&row.record())?);
            if let Some(fault) = row.fault() {
                eprintln!("{}: {fault}", workload.key);
            }
        }
        rows.push(row);
    }
    Ok(rows)
}

fn main() -> serde_json::Result<ExitCode> {
    let arguments = Arguments::parse();
    let workloads = chosen(&arguments.keys).unwrap_or_else(|error| error.exit());
    let pace = if arguments.quick {
        Pace::Quick
    } else {
        Pace::Full
    };
    let rows = measure(&workloads, pace, arguments.json)?;
    if !arguments.json {
        report::print(&rows);
    }
    if arguments.check && !rows.iter().all(Row::holds) {
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
