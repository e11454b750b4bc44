//! Random trees and 100,000 tasks at a time, for as long as it is told; the heap ends as it began.
//!
//! `cargo run --release -p tests --bin soak -- --seconds 600 --seed 7`
//!
//! In each round several threads derive, wait for, cancel and drop contexts of one tree; then tasks run in scopes
//! that end by a cancel, by a deadline or by completion. One root lives on. The first rounds do not count:
//! the runtime, its timer and the threads' own tables reach their size. After each later one there are no
//! more tasks, waiters, children or handles than before, and hardly more bytes.

mod heap;
mod random;
mod tasks;
mod trees;

use std::env;
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use cancel_context::Context;
use cancel_context::private::{children, waiting};
use tokio::runtime::{Builder, Runtime};

use crate::tasks::Counts;

/// Rounds that do not count.
const WARM_UP: u64 = 3;
/// Which of a table or a queue of tokio has grown depends on how the threads take turns. A byte lost by
/// one task in two would be more than this after a single round.
const SLACK: isize = 48 * 1024;
/// Tasks that live as long as the runtime: the one that ends contexts on time.
const DRIVERS: usize = 1;
/// Far more than anything takes that does not hang.
const BOUND: Duration = Duration::from_secs(20);

struct Options {
    seconds: u64,
    seed: u64,
}

impl Options {
    fn parse(arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut options = Self {
            seconds: 30,
            seed: RandomState::new().hash_one(0),
        };
        let mut arguments = arguments;
        while let Some(option) = arguments.next() {
            let value = arguments.next();
            let value = value.with_context(|| format!("`{option}` takes a number"))?;
            match option.as_str() {
                "--seconds" => options.seconds = value.parse()?,
                "--seed" => options.seed = value.parse()?,
                _ => bail!("unknown option `{option}`; expected `--seconds` or `--seed`"),
            }
        }
        Ok(options)
    }
}

/// Waits until `is_so`, though not for ever.
///
/// # Panics
///
/// Panics with `otherwise` if it hangs.
fn await_that(is_so: impl Fn() -> bool, otherwise: &str) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < BOUND, "{otherwise}");
        thread::yield_now();
    }
}

/// What may not grow.
#[derive(Clone, Copy, Debug)]
struct Level {
    bytes: isize,
    tasks: usize,
    waiting: usize,
    children: usize,
    handles: usize,
}

impl Level {
    fn of(root: &Context, runtime: &Runtime) -> Self {
        Self {
            bytes: heap::bytes(),
            tasks: runtime.metrics().num_alive_tasks(),
            waiting: waiting(root),
            children: children(root),
            handles: root.handle_count(),
        }
    }

    fn is_reached_by(self, other: Self) -> bool {
        let counts = |it: Self| [it.tasks, it.waiting, it.children, it.handles];
        other.bytes - self.bytes <= SLACK && counts(other) == counts(self)
    }
}

#[derive(Default)]
struct Figures {
    rounds: u64,
    steps: usize,
    tasks: Counts,
}

/// Waits until what other threads still have to clear away is gone; a worker may hold the last task.
fn settle(first: Level, root: &Context, runtime: &Runtime) -> Level {
    let begun = Instant::now();
    loop {
        let level = Level::of(root, runtime);
        if first.is_reached_by(level) || begun.elapsed() > BOUND {
            return level;
        }
        thread::yield_now();
    }
}

fn soak(options: &Options) -> anyhow::Result<()> {
    let runtime = Builder::new_multi_thread().enable_time().build()?;
    let (root, _canceller) = Context::background().with_name("soak").with_cancel();
    let begun = Instant::now();
    let (mut figures, mut first) = (Figures::default(), None);
    while figures.rounds <= WARM_UP || begun.elapsed().as_secs() < options.seconds {
        figures.steps += trees::round(&root, options.seed, figures.rounds);
        let tasks = tasks::round(&root, options.seed, figures.rounds);
        figures.tasks += runtime.block_on(tasks);
        figures.rounds += 1;
        if figures.rounds < WARM_UP {
            continue;
        }
        let first = *first.get_or_insert_with(|| {
            let tasks = || runtime.metrics().num_alive_tasks();
            await_that(|| tasks() <= DRIVERS, "more than the drivers is alive");
            Level::of(&root, &runtime)
        });
        let level = settle(first, &root, &runtime);
        let is_level = first.is_reached_by(level);
        ensure!(
            is_level,
            "round {}: {first:?} became {level:?}",
            figures.rounds
        );
    }
    report(
        &figures,
        first.expect("there were rounds"),
        Level::of(&root, &runtime),
    );
    Ok(())
}

fn report(figures: &Figures, first: Level, last: Level) {
    println!("{} rounds", figures.rounds);
    println!("{} steps in trees", figures.steps);
    let Counts {
        cancelled,
        timed_out,
        completed,
    } = figures.tasks;
    println!("{cancelled} tasks cancelled, {timed_out} timed out, {completed} completed");
    println!("{} bytes at first, {} at last", first.bytes, last.bytes);
    println!("left: {last:?}");
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse(env::args().skip(1))?;
    println!("seed {}, {} s", options.seed, options.seconds);
    // The panic hook says what it was.
    let soaked = catch_unwind(AssertUnwindSafe(|| soak(&options)));
    soaked.unwrap_or_else(|_| bail!("a check has failed"))
}
