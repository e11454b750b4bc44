//! Ten thousand tasks of random kinds in random groups, cancelled at a random moment; all of them end.
//!
//! `cargo run --release -p tests --bin torture -- --seeds 200 --first 7`
//!
//! Members panic, fail, block a thread, hold a shield or an async lock, exit their task, spawn others, start groups
//! of their own, or ignore everything for a while. Each seed runs on a runtime with two workers and on one with a
//! single thread, which are dropped then. Afterwards every destructor has run, once; no task, waiter, child,
//! handle or thread is left, and the heap is what it was.

#[path = "../soak/heap.rs"]
mod heap;
mod hosts;
mod members;
#[path = "../soak/random.rs"]
mod random;
mod world;

use std::env;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::panic;
use std::process;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use cancel_context::Context;
use cancel_context::private::{children, waiting};
use tokio::runtime::{Builder, Runtime};

use crate::world::{Figures, World};

/// Seeds that do not count for the heap: tables of the process reach their size.
const WARM_UP: u64 = 3;
/// What tables of the process may still grow by. A byte lost by one task in a hundred would be more than this
/// after a few hundred seeds.
const SLACK: isize = 16 * 1024;

/// How many threads block at once, at most. The locks below tokio keep a table of the threads that wait, which
/// grows with their number and is never given back: with more threads it would grow in the middle of the rounds.
const BLOCKING: usize = 24;
/// Tasks that live as long as the runtime: the one that ends contexts on time.
const DRIVERS: usize = 1;
/// Far more than a seed takes that does not hang.
const BOUND: Duration = Duration::from_secs(60);

struct Options {
    seeds: u64,
    first: u64,
}

impl Options {
    fn parse(arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut options = Self {
            seeds: 20,
            first: RandomState::new().hash_one(0) >> 16,
        };
        let mut arguments = arguments;
        while let Some(option) = arguments.next() {
            let value = arguments.next();
            let value = value.with_context(|| format!("`{option}` takes a number"))?;
            match option.as_str() {
                "--seeds" => options.seeds = value.parse()?,
                "--first" => options.first = value.parse()?,
                _ => bail!("unknown option `{option}`; expected `--seeds` or `--first`"),
            }
        }
        Ok(options)
    }
}

/// Ends the process if a seed hangs.
struct Watchdog {
    _seed: mpsc::Sender<()>,
}

impl Watchdog {
    fn of(seed: u64, workers: usize) -> Self {
        let (sender, receiver) = mpsc::channel::<()>();
        thread::spawn(move || {
            if receiver.recv_timeout(BOUND) == Err(RecvTimeoutError::Timeout) {
                eprintln!("seed {seed} with {workers} workers hangs");
                process::exit(1);
            }
        });
        Self { _seed: sender }
    }
}

fn runtime(workers: usize) -> anyhow::Result<Runtime> {
    let mut builder = if workers == 1 {
        Builder::new_current_thread()
    } else {
        Builder::new_multi_thread()
    };
    builder.worker_threads(workers).enable_time();
    Ok(builder.max_blocking_threads(BLOCKING).build()?)
}

/// How many threads the process has, where the system tells.
fn threads() -> Option<usize> {
    let tasks = fs::read_dir("/proc/self/task").ok()?;
    Some(tasks.count())
}

/// Waits until `is_so`, though not for ever.
fn await_that(is_so: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while !is_so() {
        if begun.elapsed() > BOUND {
            return false;
        }
        thread::yield_now();
    }
    true
}

/// Runs one seed; all that it has begun has ended then.
fn run(seed: u64, workers: usize) -> anyhow::Result<Figures> {
    let runtime = runtime(workers)?;
    let (root, canceller) = Context::background().with_name("torture").with_cancel();
    let world = World::new(seed);
    let handles = root.handle_count();
    runtime.block_on(hosts::round(&world, &root, &canceller));
    // What was spawned into the blue has no one who waits for it.
    let has_ended = || world.alive() == 0 && runtime.metrics().num_alive_tasks() <= DRIVERS;
    let runs = async {
        while !has_ended() {
            tokio::task::yield_now().await;
        }
    };
    runtime.block_on(runs);
    let left = (waiting(&root), children(&root));
    ensure!(left == (0, 0), "waiting and children left: {left:?}");
    // This waits for the threads that have done their work, and may not have given back their context.
    drop(runtime);
    let left = root.handle_count() - handles;
    ensure!(left == 0, "handles left: {left}");
    world.check()?;
    Ok(world.figures())
}

fn torture(options: &Options) -> anyhow::Result<Figures> {
    let (mut all, mut bytes) = (Figures::default(), 0);
    for number in 0..options.seeds {
        let seed = options.first + number;
        for workers in [2, 1] {
            let before = threads();
            let watchdog = Watchdog::of(seed, workers);
            let figures = run(seed, workers);
            all += figures.with_context(|| format!("seed {seed} with {workers} workers"))?;
            drop(watchdog);
            ensure!(
                await_that(|| threads() == before),
                "seed {seed} with {workers} workers: {:?} threads, were {before:?}",
                threads()
            );
        }
        if number < WARM_UP {
            bytes = heap::bytes();
        }
        let grown = heap::bytes() - bytes;
        ensure!(
            grown <= SLACK,
            "seed {seed}: the heap has grown by {grown} bytes"
        );
    }
    println!("{bytes} bytes at first, {} at last", heap::bytes());
    Ok(all)
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse(env::args().skip(1))?;
    println!("seeds from {}, {} of them", options.first, options.seeds);
    let default = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if info.payload().downcast_ref() != Some(&world::ON_PURPOSE) {
            default(info);
        }
    }));
    println!("{}", torture(&options)?);
    Ok(())
}
