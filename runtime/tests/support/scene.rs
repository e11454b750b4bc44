//! A tree in which foreign code is called at some position, and does what it should not matter that it
//! does: it calls back, it blocks until another thread has used the same tree, or it panics.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cancel_context::private::{children, waiting};
use cancel_context::{Cancelled, Canceller, Context, DeadlineMover, InterruptGuard};

use crate::support::bounds::{await_that, within_bound};
use crate::support::calls::Calls;
use crate::support::foreign::{Act, Foreign, use_the_tree, watched};
use crate::support::panics;
use crate::support::tasks::HandTask;

const LONG: Duration = Duration::from_secs(3600);

/// What calls the foreign code, once everything is set up.
pub(crate) type Position = Box<dyn FnOnce() + Send>;

/// Sets the foreign code up in a scene.
pub(crate) type Setting = fn(&Scene) -> Position;

/// Others who wait, and have to be told whatever the foreign code does.
struct Others {
    tasks: Vec<HandTask<Pin<Box<dyn Future<Output = Cancelled> + Send>>>>,
    calls: Calls,
    guards: Vec<InterruptGuard>,
}

impl Others {
    /// At the parent, at the child, and below, as far as they have not ended.
    fn in_scene(scene: &Scene) -> Self {
        let below = scene.child.with_timeout(LONG);
        let contexts = [&scene.parent, &scene.child, &below];
        let mut others = Self {
            tasks: Vec::new(),
            calls: Calls::default(),
            guards: Vec::new(),
        };
        for context in contexts.into_iter().filter(|it| !it.is_cancelled()) {
            let waiting: Pin<Box<dyn Future<Output = Cancelled> + Send>> =
                Box::pin(context.clone().cancelled_owned());
            let mut task = HandTask::new(waiting);
            task.assert_pending();
            others.tasks.push(task);
            let guard = context.interrupt_with(others.calls.counting());
            others.guards.push(guard);
            context.after_cancel(others.calls.counting());
        }
        others
    }

    fn assert_told(&mut self, name: &str) {
        let functions = 2 * self.tasks.len();
        await_that(|| self.calls.count() == functions);
        let calls = self.calls.count();
        assert_eq!(calls, functions, "{name}: functions of others that ran");
        for task in &mut self.tasks {
            assert_eq!(task.wakes(), 1, "{name}: wakes of another one");
            task.assert_ready();
        }
    }
}

/// Who finds out that a deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Driver {
    /// Whoever moves it into the past.
    Mover,
    /// The thread for contexts made outside of runtimes.
    Thread,
    /// The task of a runtime.
    Runtime,
}

pub(crate) const DRIVERS: &[Driver] = &[
    Driver::Mover,
    Driver::Thread,
    #[cfg(feature = "tokio")]
    Driver::Runtime,
];

/// Has a deadline pass.
pub(crate) struct Passing {
    foreign: Arc<Foreign>,
    mover: DeadlineMover,
    driver: Driver,
    runtime: Arc<tokio::runtime::Runtime>,
}

impl Passing {
    /// Returns when the foreign code has been called.
    pub(crate) fn pass(self) {
        let foreign = Arc::clone(&self.foreign);
        self.pass_until(|| foreign.was_called());
    }

    fn pass_until(self, is_told: impl Fn() -> bool) {
        match self.driver {
            Driver::Mover => assert!(self.mover.move_to(Instant::now())),
            Driver::Thread => {
                let soon = Instant::now() + Duration::from_millis(1);
                assert!(self.mover.move_to(soon));
            }
            Driver::Runtime => self.runtime.block_on(async {
                tokio::time::advance(2 * LONG).await;
                for _ in 0..4 {
                    tokio::task::yield_now().await;
                }
            }),
        }
        await_that(is_told);
    }
}

/// A parent, a child that others wait for as well, and the foreign code.
pub(crate) struct Scene {
    pub(crate) parent: Context,
    pub(crate) child: Context,
    pub(crate) canceller: Canceller,
    pub(crate) child_canceller: Canceller,
    foreign: Arc<Foreign>,
    driver: Driver,
    runtime: Arc<tokio::runtime::Runtime>,
}

impl Scene {
    fn new(act: Act, driver: Driver) -> Self {
        let (parent, child, canceller, child_canceller) = watched();
        let places = vec![
            (parent.clone(), Some(canceller.clone())),
            (child.clone(), Some(child_canceller.clone())),
        ];
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build().unwrap();
        Self {
            parent,
            child,
            canceller,
            child_canceller,
            foreign: Arc::new(Foreign::new(act, places)),
            driver,
            runtime: Arc::new(runtime),
        }
    }

    /// A function that is the foreign code.
    pub(crate) fn action(&self) -> impl Fn() + Send + Sync + 'static {
        let foreign = Arc::clone(&self.foreign);
        move || foreign.call()
    }

    /// Has the foreign code use this context, too.
    pub(crate) fn uses(&self, context: &Context) {
        self.foreign.add((context.clone(), None));
    }

    /// A context below the child whose deadline is going to pass.
    pub(crate) fn timed(&self) -> (Context, Passing) {
        self.timed_below(&self.child)
    }

    fn timed_below(&self, parent: &Context) -> (Context, Passing) {
        let _entered = (self.driver == Driver::Runtime).then(|| self.runtime.enter());
        let now = match self.driver {
            Driver::Runtime => tokio::time::Instant::now().into_std(),
            _ => Instant::now(),
        };
        let (context, mover) = parent.with_movable_deadline(now + LONG);
        let passing = Passing {
            foreign: Arc::clone(&self.foreign),
            mover,
            driver: self.driver,
            runtime: Arc::clone(&self.runtime),
        };
        (context, passing)
    }

    /// What was not to be disturbed, and that all of it can still be used.
    fn assert_intact(&self, name: &str, others: &mut [Others]) {
        self.foreign.assert_called(name);
        self.canceller.cancel();
        for others in others {
            others.assert_told(name);
        }
        for context in [&self.parent, &self.child] {
            let left = || (waiting(context), children(context));
            await_that(|| left() == (0, 0));
            assert_eq!(left(), (0, 0), "{name}: waiters and children");
        }
        use_the_tree(&self.child, &self.child_canceller);
        let (context, passing) = self.timed_below(&Context::background());
        let calls = Calls::default();
        let guard = context.interrupt_with(calls.counting());
        passing.pass_until(|| calls.count() == 1);
        assert_eq!(calls.count(), 1, "{name}: the driver is alive");
        drop(guard);
    }
}

/// Runs the foreign code in a setting, in each of these ways and by each of these drivers.
pub(crate) fn check(
    name: &str,
    setting: impl Fn(&Scene) -> Position + Copy + Send + 'static,
    acts: &[Act],
    drivers: &[Driver],
) {
    panics::watch();
    for act in acts {
        for driver in drivers {
            let name = format!("{name} ({act:?}, {driver:?})");
            let (act, driver) = (*act, *driver);
            within_bound(&name.clone(), move || play(&name, setting, act, driver));
        }
    }
}

fn play(name: &str, setting: impl Fn(&Scene) -> Position, act: Act, driver: Driver) {
    let scene = Scene::new(act, driver);
    let before = Others::in_scene(&scene);
    let position = setting(&scene);
    let after = Others::in_scene(&scene);
    scene.foreign.arm();
    // Whether a panic comes out here depends on who calls the foreign code.
    let outcome = catch_unwind(AssertUnwindSafe(position));
    await_that(|| scene.foreign.was_called());
    scene.foreign.disarm();
    if let Err(payload) = outcome
        && act != Act::Panics
    {
        resume_unwind(payload);
    }
    scene.assert_intact(name, &mut [before, after]);
}
