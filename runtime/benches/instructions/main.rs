//! Counts the instructions of the shorter workloads of `peers`, under valgrind, against the committed ones.
//!
//! `cargo bench -p cancel-context --bench instructions` prints a table; `-- --help` lists the options. Where
//! a time differs by a tenth from run to run, a count does not: it shows what a change adds to an await on
//! any machine, if not what that costs.
//!
//! The workloads are those of `peers`, from the same source. What is counted, and what is not, is told in
//! [`callgrind`].

#[path = "../peers/annotated.rs"]
mod annotated;
#[path = "../peers/awaits.rs"]
mod awaits;
#[path = "../peers/by_hand.rs"]
#[expect(dead_code, reason = "channels are not counted")]
mod by_hand;
mod callgrind;
mod counts;
#[path = "../peers/flags.rs"]
mod flags;
#[path = "../peers/hand.rs"]
mod hand;
#[path = "../peers/measure.rs"]
#[expect(dead_code, reason = "times are not looked at")]
mod measure;
#[path = "../peers/nested.rs"]
mod nested;
#[path = "../peers/setting.rs"]
mod setting;
#[path = "../peers/time.rs"]
mod time;
#[path = "../peers/tree.rs"]
mod tree;
#[path = "../peers/turns.rs"]
mod turns;
#[path = "../peers/workload.rs"]
#[expect(dead_code, reason = "targets are not looked at")]
mod workload;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;

use crate::counts::{Change, Counts};
use crate::measure::Who;
use crate::workload::Workload;

/// Counts the instructions of short workloads, under valgrind.
#[derive(Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
struct Arguments {
    /// Fail if there are more of them than were committed.
    #[arg(long)]
    check: bool,
    /// Write them to the file that is committed.
    #[arg(long, conflicts_with = "check")]
    save: bool,
    /// Do the work, under valgrind.
    #[arg(long, hide = true)]
    work: bool,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

/// The workloads that take less than 100 ns or so.
const KEYS: [&str; 16] = [
    "await_ready_explicit",
    "await_ready_implicit",
    "await_ready_no_scope",
    "await_wake_explicit_by_hand",
    "await_wake_implicit_by_hand",
    "nested10_wake",
    "nested10_wake_implicit",
    "nested10_wake_inlined",
    "nested10_wake_inlined_implicit",
    "is_cancelled",
    "is_cancelled_unlinked10",
    "is_cancelled_deadline",
    "derive_drop",
    "derive_end_drop",
    "value_10_up",
    "timeout_scope_ready",
];

fn workloads() -> Vec<Workload> {
    let parts = [
        awaits::workloads(),
        nested::workloads(),
        flags::workloads(),
        tree::workloads(),
        time::workloads(),
    ];
    let all = parts.into_iter().flatten();
    let workloads: Vec<_> = all.filter(|work| KEYS.contains(&work.key)).collect();
    assert_eq!(
        workloads.len(),
        KEYS.len(),
        "each key is that of a workload"
    );
    workloads
}

/// Does the work that is counted, and prints whose it was.
fn work() {
    for workload in workloads() {
        let outcome = (workload.measure)(measure::Pace::Counted);
        for who in [Who::Bare, Who::Ours] {
            if outcome.samples.median(who).is_some() {
                println!("{} {}", workload.key, who.key());
            }
        }
    }
}

/// Whether there are no more instructions than were committed.
fn check(now: &Counts) -> Result<bool, Box<dyn Error>> {
    let committed = Counts::committed()?;
    if now.compiler != committed.compiler {
        println!("committed of {}", committed.compiler);
        println!("now of       {}\n", now.compiler);
    }
    let changes = Change::between(&committed, now);
    let faults = changes.iter().filter(|change| change.is_fault()).count();
    if changes.is_empty() {
        println!("all instructions are as they were committed");
        return Ok(true);
    }
    println!("{}", Change::header());
    for change in &changes {
        println!("{change}");
    }
    println!("\n{faults} of the counts have grown, are new, or are missing; `--save` writes them");
    Ok(faults == 0)
}

fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let now = callgrind::count()?;
    if arguments.check {
        return check(&now);
    }
    if arguments.save {
        now.save()?;
    }
    print!("{now}");
    Ok(true)
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.work {
        work();
        return ExitCode::SUCCESS;
    }
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("instructions: {error}");
            ExitCode::FAILURE
        }
    }
}
