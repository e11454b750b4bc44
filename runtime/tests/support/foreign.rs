//! What foreign code does to the tree when it is called.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use cancel_context::{Canceller, Context};

use crate::support::bounds::{BOUND, await_that};
use crate::support::tasks::poll_with;
use crate::support::wakers::CountingWaker;
use crate::support::{OnDrop, end_of, panics};

const LONG: Duration = Duration::from_secs(3600);
const PANIC: &str = "foreign code panics on purpose";

/// Uses the tree in every way: reads, derives, registers, removes, cancels.
pub(crate) fn use_the_tree(context: &Context, canceller: &Canceller) {
    let (_child, merge) = look_around(context);
    canceller.cancel_with("from foreign code");
    assert!(context.is_cancelled() && merge.is_cancelled());
}

/// As [`use_the_tree`], but leaves the context as it is; gives a child and a merge that were derived.
pub(crate) fn look_around(context: &Context) -> (Context, Context) {
    end_of(context);
    let (child, child_canceller) = context.with_value(1_u8).with_timeout(LONG).with_cancel();
    let merge = Context::any([child.clone(), context.clone()]);
    let waker = CountingWaker::new().waker();
    for context in [context, &child, &merge] {
        let mut waiting = Box::pin(context.cancelled());
        let is_ready = poll_with(waiting.as_mut(), &waker).is_ready();
        assert!(!is_ready || context.is_cancelled());
        drop(context.interrupt_with(|| {}));
        let was_prevented = context.after_cancel(|| {}).stop();
        assert!(was_prevented || context.is_cancelled());
    }
    child_canceller.cancel();
    (child, merge)
}

/// A chain of three that somebody waits for at each place.
pub(crate) fn watched() -> (Context, Context, Canceller, Canceller) {
    let (parent, canceller) = Context::background().with_cancel();
    let (child, child_canceller) = parent.with_timeout(LONG).with_cancel();
    (parent, child, canceller, child_canceller)
}

/// What the foreign code does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Act {
    CallsBack,
    /// Until another thread has used the tree.
    Blocks,
    /// The first time, not while another panic unwinds.
    Panics,
}

pub(crate) const ACTS: [Act; 3] = [Act::CallsBack, Act::Blocks, Act::Panics];

/// A context that the foreign code uses, and what it may cancel it with.
pub(crate) type Place = (Context, Option<Canceller>);

/// The foreign code, shared by all that call it.
pub(crate) struct Foreign {
    act: Act,
    is_armed: AtomicBool,
    calls: AtomicUsize,
    /// How many calls are under way.
    active: AtomicUsize,
    is_stuck: AtomicBool,
    /// What is used, above first.
    places: Mutex<Vec<Place>>,
}

impl Foreign {
    /// Uses `places`, and does nothing at all before it is armed.
    pub(crate) fn new(act: Act, places: Vec<Place>) -> Self {
        Self {
            act,
            is_armed: AtomicBool::new(false),
            calls: AtomicUsize::new(0),
            active: AtomicUsize::new(0),
            is_stuck: AtomicBool::new(false),
            places: Mutex::new(places),
        }
    }

    pub(crate) fn add(&self, place: Place) {
        self.places.lock().unwrap().push(place);
    }

    pub(crate) fn arm(&self) {
        self.is_armed.store(true, SeqCst);
    }

    /// From here on it does nothing, and has done what it did.
    pub(crate) fn disarm(&self) {
        self.is_armed.store(false, SeqCst);
        await_that(|| self.active.load(SeqCst) == 0);
    }

    pub(crate) fn was_called(&self) -> bool {
        self.calls.load(SeqCst) > 0
    }

    pub(crate) fn assert_called(&self, name: &str) {
        assert!(self.was_called(), "{name}: it was called");
        let is_stuck = self.is_stuck.load(SeqCst);
        assert!(!is_stuck, "{name}: another thread could not use the tree");
        if self.act == Act::Panics {
            assert!(panics::reported(PANIC) > 0, "{name}: it was reported");
        }
    }

    pub(crate) fn call(&self) {
        self.active.fetch_add(1, SeqCst);
        let active = OnDrop::new(|| {
            self.active.fetch_sub(1, SeqCst);
        });
        if self.is_armed.load(SeqCst) {
            let is_first = self.calls.fetch_add(1, SeqCst) == 0;
            match self.act {
                Act::CallsBack => use_all(&self.places()),
                Act::Blocks => self.block(),
                Act::Panics if is_first && !thread::panicking() => panic!("{PANIC}"),
                Act::Panics => {}
            }
        }
        drop(active);
    }

    fn block(&self) {
        let (done, is_done) = mpsc::channel();
        let places = self.places();
        thread::spawn(move || {
            use_all(&places);
            done.send(()).unwrap_or_default();
        });
        if is_done.recv_timeout(BOUND).is_err() {
            self.is_stuck.store(true, SeqCst);
        }
    }

    fn places(&self) -> Vec<Place> {
        self.places.lock().unwrap().clone()
    }
}

fn use_all(places: &[Place]) {
    for (context, canceller) in places.iter().rev() {
        match canceller {
            Some(canceller) => use_the_tree(context, canceller),
            None => drop(look_around(context)),
        }
    }
}
