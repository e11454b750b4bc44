//! Random trees that several threads derive, wait for, cancel and drop at a time.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as Task, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use cancel_context::{
    AfterCancel, Canceller, Context, DeadlineMover, InterruptGuard, UntilCancelled,
};
use futures::channel::oneshot;

use crate::await_that;
use crate::random::Random;

const THREADS: u64 = 4;
/// Steps of each thread.
const STEPS: usize = 20_000;
/// Contexts that all threads share.
const PLACES: usize = 64;
/// What each thread keeps of each kind.
const KEPT: usize = 32;
const LONG: Duration = Duration::from_secs(3600);

/// A context, and what came with it.
struct Member {
    context: Context,
    canceller: Option<Canceller>,
    mover: Option<DeadlineMover>,
}

impl Member {
    fn of(context: Context) -> Self {
        Self {
            context,
            canceller: None,
            mover: None,
        }
    }
}

/// Counts how often it was woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

struct Waiting {
    context: Context,
    future: Pin<Box<UntilCancelled<Context>>>,
    wakes: Arc<Wakes>,
    is_ready: bool,
}

impl Waiting {
    fn at(context: Context) -> Self {
        Self {
            future: Box::pin(context.clone().cancelled_owned()),
            context,
            wakes: Arc::default(),
            is_ready: false,
        }
    }

    /// With another waker than before.
    fn poll(&mut self) {
        if !self.is_ready {
            self.wakes = Arc::default();
            let waker = Waker::from(Arc::clone(&self.wakes));
            let polled = self.future.as_mut().poll(&mut Task::from_waker(&waker));
            self.is_ready = polled.is_ready();
        }
    }

    /// Whether nothing is missing: it need not be woken, or was.
    fn is_told(&self) -> bool {
        self.is_ready || !self.context.is_cancelled() || self.wakes.0.load(SeqCst) > 0
    }
}

/// What a thread keeps for some time.
#[derive(Default)]
struct Kept {
    waiting: Vec<Waiting>,
    callbacks: Vec<AfterCancel>,
    guards: Vec<InterruptGuard>,
    completers: Vec<oneshot::Sender<&'static str>>,
}

/// Adds `item`, and gives another one if there are too many.
fn keep<T>(items: &mut Vec<T>, item: T, random: &mut Random) -> Option<T> {
    items.push(item);
    (items.len() > KEPT).then(|| items.swap_remove(random.index(KEPT)))
}

/// What all threads share.
struct Forest {
    root: Context,
    places: Vec<Mutex<Member>>,
    /// Kept by every value, function and future.
    token: Arc<()>,
}

impl Forest {
    fn new(root: Context) -> Self {
        let place = |_| Mutex::new(Member::of(root.clone()));
        Self {
            places: (0..PLACES).map(place).collect(),
            root,
            token: Arc::default(),
        }
    }

    fn with<R>(&self, random: &mut Random, look: impl FnOnce(&mut Member) -> R) -> R {
        let place = &self.places[random.index(PLACES)];
        look(&mut place.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn context(&self, random: &mut Random) -> Context {
        self.with(random, |member| member.context.clone())
    }

    /// Puts a member in some place; what was there is dropped outside of the lock.
    fn put(&self, random: &mut Random, member: Member) {
        drop(self.with(random, |place| std::mem::replace(place, member)));
    }
}

/// One thread's steps.
struct Walker<'a> {
    forest: &'a Forest,
    random: Random,
    kept: Kept,
}

impl Walker<'_> {
    fn step(&mut self) {
        match self.random.below(20) {
            0..5 => self.derive(),
            5 => self.merge(),
            6 => self.cancel(),
            7 => self.forget(),
            8..12 => self.wait(),
            12 => self.attach(),
            13 => self.stop(),
            14 => self.move_deadline(),
            15 => self.complete(),
            16 => self.poll_again(),
            _ => self.look(),
        }
    }

    fn derive(&mut self) {
        let from = self.forest.context(&mut self.random);
        let soon = Duration::from_micros(self.random.below(3000));
        let member = match self.random.below(10) {
            0..3 => {
                let (context, canceller) = from.with_cancel();
                Member {
                    canceller: Some(canceller),
                    ..Member::of(context)
                }
            }
            3 => Member::of(from.with_timeout(soon)),
            4 => Member::of(from.with_timeout_cause(LONG, "never")),
            5 => {
                let (context, mover) = from.with_movable_deadline(Instant::now() + LONG);
                Member {
                    mover: Some(mover),
                    ..Member::of(context)
                }
            }
            6 => Member::of(from.with_value(Arc::clone(&self.forest.token))),
            7 => Member::of(from.without_cancel().with_timeout(soon)),
            8 => Member::of(self.with_future(&from)),
            _ => Member::of(from.with_name("name")),
        };
        self.forest.put(&mut self.random, member);
    }

    fn with_future(&mut self, from: &Context) -> Context {
        let (completer, completion) = oneshot::channel();
        keep(&mut self.kept.completers, completer, &mut self.random);
        let token = Arc::clone(&self.forest.token);
        from.with_future(async move {
            let text = completion.await.unwrap_or("dropped");
            drop(token);
            text
        })
    }

    fn merge(&mut self) {
        let count = self.random.below(3) + 1;
        let sources = (0..count).map(|_| self.forest.context(&mut self.random));
        let sources: Vec<_> = sources.collect();
        let merge = match self.random.below(2) {
            0 => Context::any(sources),
            _ => Context::all(sources),
        };
        self.forest.put(&mut self.random, Member::of(merge));
    }

    /// By a cause, by a drop, or not at all.
    fn cancel(&mut self) {
        let canceller = (self.forest).with(&mut self.random, |member| member.canceller.take());
        if let Some(canceller) = canceller {
            match self.random.below(3) {
                0 => canceller.cancel_with("cause"),
                1 => canceller.detach(),
                _ => drop(canceller),
            }
        }
    }

    fn forget(&mut self) {
        let root = Member::of(self.forest.root.clone());
        self.forest.put(&mut self.random, root);
    }

    fn wait(&mut self) {
        let context = self.forest.context(&mut self.random);
        let mut waiting = Waiting::at(context);
        waiting.poll();
        keep(&mut self.kept.waiting, waiting, &mut self.random);
    }

    fn attach(&mut self) {
        let context = self.forest.context(&mut self.random);
        let token = Arc::clone(&self.forest.token);
        if self.random.below(2) == 0 {
            let callback = context.after_cancel(move || drop(token));
            if let Some(other) = keep(&mut self.kept.callbacks, callback, &mut self.random) {
                // Whether it is too late depends on the other threads.
                let _prevented = other.stop();
            }
        } else {
            let guard = context.interrupt_with(move || drop(token));
            keep(&mut self.kept.guards, guard, &mut self.random);
        }
    }

    fn stop(&mut self) {
        self.kept.guards.pop();
        if let Some(callback) = self.kept.callbacks.pop() {
            let _prevented = callback.stop();
        }
    }

    fn move_deadline(&mut self) {
        let to = Instant::now() + Duration::from_micros(self.random.below(1000));
        (self.forest).with(&mut self.random, |member| {
            if let Some(mover) = &member.mover {
                let _in_time = mover.move_to(to);
            }
        });
    }

    fn complete(&mut self) {
        if let Some(completer) = self.kept.completers.pop() {
            // The future is gone if its context is.
            completer.send("completed").unwrap_or_default();
        }
    }

    fn poll_again(&mut self) {
        let len = self.kept.waiting.len();
        if len > 0 {
            let index = self.random.index(len);
            self.kept.waiting[index].poll();
        }
    }

    /// The ways to ask agree, and an end stays.
    fn look(&mut self) {
        let context = self.forest.context(&mut self.random);
        if context.is_cancelled() {
            let (kind, cause) = (context.err(), context.cause());
            let cancelled = context.check().expect_err("it has ended");
            assert_eq!(kind, Some(cancelled.kind()), "{context:?}");
            let same = cause.is_some_and(|it| it.to_string() == cancelled.cause().to_string());
            assert!(same, "{context:?}");
        }
    }
}

/// Lets the threads walk, and then ends and drops everything below `root`; the number of steps.
pub(crate) fn round(root: &Context, seed: u64, number: u64) -> usize {
    let (below, canceller) = root.with_cancel();
    let forest = Forest::new(below);
    let walk = |stream| {
        let mut walker = Walker {
            forest: &forest,
            random: Random::new(seed, number * THREADS + stream),
            kept: Kept::default(),
        };
        (0..STEPS).for_each(|_| walker.step());
        walker.kept
    };
    let kept: Vec<Kept> = thread::scope(|scope| {
        let walks: Vec<_> = (0..THREADS)
            .map(|stream| scope.spawn(move || walk(stream)))
            .collect();
        let kept = walks
            .into_iter()
            .map(|walk| walk.join().expect("no thread panics"));
        kept.collect()
    });
    canceller.cancel_with("end of the round");
    let waiting = || kept.iter().flat_map(|kept| &kept.waiting);
    await_that(|| waiting().all(Waiting::is_told), "a waiter was not woken");
    for callback in kept.into_iter().flat_map(|kept| kept.callbacks) {
        let _prevented = callback.stop();
    }
    let Forest { places, token, .. } = forest;
    drop(places);
    await_that(|| Arc::strong_count(&token) == 1, "something is kept");
    usize::try_from(THREADS).expect("it is small") * STEPS
}
