//! Models of the protocols: loom runs each in all orders in which the operations of its threads may take
//! effect, stale reads of atomics included, up to a number of preemptions.
//!
//! One file per protocol; its header says up to how many, and how long its models run. A model has two
//! threads that race, or three, and asserts what holds afterwards; what a thread has to see at once, it
//! asserts itself.
//!
//! Loom knows of what goes through [`crate::sync`] only: counts of `Arc`s and thread-locals are not modelled.
//! So the models use contexts, nodes and [`UntilCancelled`](crate::UntilCancelled); no scopes, and no
//! runtime. Time passes when a model says so, and what a driver does is done by its threads.

mod bare;
mod callbacks;
mod cancel;
mod completion;
mod deadlines;
mod derive;
mod drop;
mod merges;
mod once_arc;
mod register;
mod state;
mod wakers;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::thread::{self, JoinHandle};

use crate::models::{Driver, Waiting, assert_left, node};

thread_local! {
    /// Whether the last of the threads that race is the one that is there already, and begins. All threads of
    /// a model are one thread of the system.
    static LAST_BEGINS: Cell<bool> = const { Cell::new(true) };
}

/// Runs `model` in all orders with up to so many preemptions; `LOOM_MAX_PREEMPTIONS` sets another number.
///
/// It does so twice, since loom finds the other orders by what it has seen in the first one: a read that another
/// thread's read and change come after, in that order, is taken to be independent of the change.
fn check(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.max_branches = 10_000;
    let (model, orders) = (Arc::new(model), Arc::new(AtomicUsize::new(0)));
    for last_begins in [true, false] {
        LAST_BEGINS.set(last_begins);
        let (model, orders) = (Arc::clone(&model), Arc::clone(&orders));
        builder.check(move || {
            orders.fetch_add(1, Ordering::Relaxed);
            model();
        });
    }
    let orders = orders.load(Ordering::Relaxed);
    println!("{orders} orders");
    assert!(orders > 2, "nothing raced");
}

/// Runs both at the same time.
fn race<A: 'static, B: 'static>(
    first: impl FnOnce() -> A + 'static,
    second: impl FnOnce() -> B + 'static,
) -> (A, B) {
    if LAST_BEGINS.get() {
        let first = thread::spawn(first);
        let second = second();
        (join(first), second)
    } else {
        let second = thread::spawn(second);
        let first = first();
        (first, join(second))
    }
}

/// Runs all three at the same time.
fn race_three<A: 'static, B: 'static, C: 'static>(
    first: impl FnOnce() -> A + 'static,
    second: impl FnOnce() -> B + 'static,
    third: impl FnOnce() -> C + 'static,
) -> (A, B, C) {
    if LAST_BEGINS.get() {
        let first = thread::spawn(first);
        let (second, third) = race(second, third);
        (join(first), second, third)
    } else {
        let third = thread::spawn(third);
        let (first, second) = race(first, second);
        (first, second, join(third))
    }
}

fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().expect("it does not panic")
}
