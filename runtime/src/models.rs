//! What the models of `loom_tests` and `shuttle_tests` have in common: tasks that wait, and what drives
//! deadlines.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as Task, Wake, Waker};

use crate::context::Context;
use crate::sync::now;
use crate::tick::Tick;
use crate::timeline::Timeline;
use crate::tree::Node;
use crate::until::UntilCancelled;

/// A waker that counts. The models do not know of the counter: nobody reads it while others count.
#[derive(Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wakes {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A task that waits for a context.
pub(crate) struct Waiting {
    future: UntilCancelled<Context>,
    pub(crate) wakes: Arc<Wakes>,
    pub(crate) was_ready: bool,
}

impl Waiting {
    pub(crate) fn new(context: &Context) -> Self {
        Self {
            future: context.clone().cancelled_owned(),
            wakes: Arc::default(),
            was_ready: false,
        }
    }

    /// One that has been polled.
    pub(crate) fn on(context: &Context) -> Self {
        let mut waiting = Self::new(context);
        waiting.poll();
        waiting
    }

    pub(crate) fn poll(&mut self) -> bool {
        let waker = Waker::from(Arc::clone(&self.wakes));
        let polled = Pin::new(&mut self.future).poll(&mut Task::from_waker(&waker));
        self.was_ready |= polled.is_ready();
        polled.is_ready()
    }

    /// Polls with another waker from now on.
    pub(crate) fn poll_anew(&mut self) -> bool {
        self.wakes = Arc::default();
        self.poll()
    }

    /// Its context has ended: it has found out by itself, or it was woken.
    #[track_caller]
    pub(crate) fn assert_told(&mut self) {
        assert!(self.was_ready || self.wakes.count() > 0, "nobody woke it");
        assert!(self.poll(), "it was woken too early");
    }
}

pub(crate) fn node(context: &Context) -> &Node {
    context.node().expect("it is no root")
}

/// Nobody waits here, nor below.
#[track_caller]
pub(crate) fn assert_left(context: &Context) {
    let node = node(context);
    assert_eq!((node.waiting(), node.children()), (0, 0), "left behind");
}

/// The driver of the execution's timeline.
///
/// It would sleep until the next alarm that a turn tells it, or until it is woken.
pub(crate) struct Driver {
    timeline: Arc<Timeline>,
    wakes: Arc<Wakes>,
    /// How often it had been woken when it began its last turn.
    known: usize,
    next: Option<Tick>,
}

impl Driver {
    /// One that has taken its first turn, so that no thread is started for it.
    pub(crate) fn new() -> Self {
        let mut driver = Self {
            timeline: Arc::clone(Timeline::system()),
            wakes: Arc::default(),
            known: 0,
            next: None,
        };
        driver.turn();
        driver
    }

    pub(crate) fn turn(&mut self) {
        self.known = self.wakes.count();
        let waker = Waker::from(Arc::clone(&self.wakes));
        self.next = self.timeline.turn(&waker);
    }

    /// Takes a turn if it was woken since it began the last one, or if its alarm has rung.
    pub(crate) fn go_on(&mut self) {
        let is_due = self.next.is_some_and(|next| next <= Tick::of(now()));
        if is_due || self.wakes.count() > self.known {
            self.turn();
        }
    }

    pub(crate) fn assert_nothing_is_set(&mut self) {
        self.turn();
        assert_eq!(self.next, None, "an alarm was left behind");
    }
}
