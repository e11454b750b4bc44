//! Models of the protocols: loom runs each in all orders in which the operations of its threads may take
//! effect, stale reads of atomics included, up to a number of preemptions.
//!
//! One file per protocol; its header says up to how many, and how long its models run. A model has two
//! threads that race, or three, and asserts what holds afterwards; what a thread has to see at once, it
//! asserts itself.
//!
//! Loom knows of what goes through [`crate::sync`] only: counts of `Arc`s and thread-locals are not modelled.
//! So the models use contexts, nodes and [`UntilCancelled`]; no scopes, and no runtime. Time passes when a
//! model says so, and what a driver does is done by its threads.

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
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as Task, Wake, Waker};

use loom::thread::{self, JoinHandle};

use crate::context::Context;
use crate::tree::Node;
use crate::until::UntilCancelled;

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

/// A waker that counts. Loom does not know of the counter: nobody reads it while others count.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wakes {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A task that waits for a context.
struct Waiting {
    future: UntilCancelled<Context>,
    wakes: Arc<Wakes>,
    was_ready: bool,
}

impl Waiting {
    fn new(context: &Context) -> Self {
        Self {
            future: context.clone().cancelled_owned(),
            wakes: Arc::default(),
            was_ready: false,
        }
    }

    /// One that has been polled.
    fn on(context: &Context) -> Self {
        let mut waiting = Self::new(context);
        waiting.poll();
        waiting
    }

    fn poll(&mut self) -> bool {
        let waker = Waker::from(Arc::clone(&self.wakes));
        let polled = Pin::new(&mut self.future).poll(&mut Task::from_waker(&waker));
        self.was_ready |= polled.is_ready();
        polled.is_ready()
    }

    /// Polls with another waker from now on.
    fn poll_anew(&mut self) -> bool {
        self.wakes = Arc::default();
        self.poll()
    }

    /// Its context has ended: it has found out by itself, or it was woken.
    #[track_caller]
    fn assert_told(&mut self) {
        assert!(self.was_ready || self.wakes.count() > 0, "nobody woke it");
        assert!(self.poll(), "it was woken too early");
    }
}

fn node(context: &Context) -> &Node {
    context.node().expect("it is no root")
}

/// Nobody waits here, nor below.
#[track_caller]
fn assert_left(context: &Context) {
    let node = node(context);
    assert_eq!((node.waiting(), node.children()), (0, 0), "left behind");
}
