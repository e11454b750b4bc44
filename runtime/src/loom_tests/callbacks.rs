//! Callbacks that are stopped, and interrupts whose guard is dropped, while the context ends; and the one
//! callback that a context has at most, as two look for it.
//!
//! 2 or 3 preemptions; 5 s of one core.

use std::sync::Arc;

use loom::sync::atomic::{AtomicUsize, Ordering};

use super::{assert_left, check, race, race_three};
use crate::callbacks::{AfterCancel, Callback};
use crate::context::Context;

/// What a function is seen to do; loom orders what looks at it.
#[derive(Default)]
struct Runs {
    begun: AtomicUsize,
    ended: AtomicUsize,
}

impl Runs {
    fn run(&self) {
        // Relaxed: what is to be ordered, has to be by what is modelled.
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    fn seen(&self) -> (usize, usize) {
        let ended = self.ended.load(Ordering::Relaxed);
        (self.begun.load(Ordering::Relaxed), ended)
    }
}

fn run(runs: &Arc<Runs>) -> impl FnOnce() + Send + 'static {
    let runs = Arc::clone(runs);
    move || runs.run()
}

#[test]
fn a_callback_runs_or_is_stopped_and_stop_says_which() {
    check(3, || {
        let (parent, canceller) = Context::background().with_cancel();
        let (ctx, _canceller) = parent.with_cancel();
        let runs = Arc::<Runs>::default();
        let callback = ctx.after_cancel(run(&runs));
        let ((), was_stopped) = race(move || canceller.cancel(), move || callback.stop());
        assert_eq!(runs.seen().1, usize::from(!was_stopped));
        assert_eq!(Arc::strong_count(&runs), 1, "the function was not freed");
        assert_left(&ctx);
        assert_left(&parent);
    });
}

#[test]
fn a_callback_that_comes_while_the_context_ends_runs_once() {
    check(2, || {
        let (parent, canceller) = Context::background().with_cancel();
        let (ctx, _canceller) = parent.with_cancel();
        let runs = Arc::<Runs>::default();
        let (of, action) = (ctx.clone(), run(&runs));
        race(
            move || canceller.cancel(),
            move || drop::<AfterCancel>(of.after_cancel(action)),
        );
        assert_eq!(runs.seen(), (1, 1));
        assert_eq!(Arc::strong_count(&runs), 1, "the function was not freed");
        assert_left(&ctx);
        assert_left(&parent);
    });
}

#[test]
fn a_callback_that_comes_while_the_last_canceller_is_dropped_runs_once() {
    check(3, || {
        let (ctx, canceller) = Context::background().with_cancel();
        let runs = Arc::<Runs>::default();
        let (of, action) = (ctx.clone(), run(&runs));
        race(
            move || drop(canceller),
            move || drop::<AfterCancel>(of.after_cancel(action)),
        );
        assert_eq!(runs.seen(), (1, 1));
        assert_left(&ctx);
    });
}

#[test]
fn a_callback_of_a_context_that_two_cancel_runs_once() {
    check(2, || {
        let (ctx, canceller) = Context::background().with_cancel();
        let (below, _canceller) = ctx.with_cancel();
        let runs = Arc::<Runs>::default();
        drop(below.after_cancel(run(&runs)));
        let clone = canceller.clone();
        race(move || clone.cancel(), move || canceller.cancel());
        assert_eq!(runs.seen(), (1, 1));
        assert_left(&ctx);
    });
}

#[test]
fn an_interrupt_does_not_run_once_its_guard_is_gone() {
    check(3, || {
        let (parent, canceller) = Context::background().with_cancel();
        let (ctx, _canceller) = parent.with_cancel();
        let runs = Arc::<Runs>::default();
        let guard = ctx.interrupt_with(run(&runs));
        let seen_by = Arc::clone(&runs);
        let ((), seen) = race(
            move || canceller.cancel(),
            move || {
                drop(guard);
                seen_by.seen()
            },
        );
        assert!(matches!(seen, (0, 0) | (1, 1)), "it was running: {seen:?}");
        assert_eq!(runs.seen(), seen, "it ran afterwards");
        assert_left(&ctx);
        assert_left(&parent);
    });
}

#[test]
fn an_interrupt_of_a_context_that_two_cancel_runs_once_and_not_after_its_guard() {
    check(2, || {
        let (ctx, canceller) = Context::background().with_cancel();
        let runs = Arc::<Runs>::default();
        let guard = ctx.interrupt_with(run(&runs));
        let (clone, seen_by) = (canceller.clone(), Arc::clone(&runs));
        let ((), (), seen) = race_three(
            move || clone.cancel(),
            move || canceller.cancel(),
            move || {
                drop(guard);
                seen_by.seen()
            },
        );
        assert!(matches!(seen, (0, 0) | (1, 1)), "it was running: {seen:?}");
        assert_eq!(runs.seen(), seen, "it ran afterwards");
        assert_left(&ctx);
    });
}

/// The guard is dropped by the function itself, or by another thread that waits for it.
#[test]
fn an_interrupt_that_comes_while_the_context_ends_runs_at_most_once() {
    check(3, || {
        let (ctx, canceller) = Context::background().with_cancel();
        let runs = Arc::<Runs>::default();
        let (of, action, seen_by) = (ctx.clone(), run(&runs), Arc::clone(&runs));
        let ((), seen) = race(
            move || canceller.cancel(),
            move || {
                drop(of.interrupt_with(action));
                seen_by.seen()
            },
        );
        assert!(matches!(seen, (0, 0) | (1, 1)), "it was running: {seen:?}");
        assert_eq!(runs.seen(), seen, "it ran afterwards");
        assert_left(&ctx);
    });
}

#[test]
fn a_callback_that_comes_while_the_context_loses_its_last_canceller_is_freed() {
    check(3, || {
        let (ctx, canceller) = Context::background().with_cancel();
        let runs = Arc::<Runs>::default();
        let (of, action) = (ctx.clone(), run(&runs));
        race(
            move || canceller.detach(),
            move || drop::<AfterCancel>(of.after_cancel(action)),
        );
        assert_eq!(runs.seen(), (0, 0));
        assert_eq!(Arc::strong_count(&runs), 1, "the function was not freed");
        assert_left(&ctx);
    });
}

/// In the place of a token, which loom does not know.
struct Only(Arc<Runs>);

impl Callback for Only {
    fn run(self: Arc<Self>) {
        self.0.run();
    }

    fn free(self: Arc<Self>) {}

    fn pins(&self) -> bool {
        false
    }
}

/// Looks for the one callback of `ctx`; `made` counts those that were not found.
fn only(
    ctx: &Context,
    runs: &Arc<Runs>,
    made: &Arc<Runs>,
) -> impl FnOnce() -> Arc<dyn Callback> + 'static {
    let (ctx, runs, made) = (ctx.clone(), Arc::clone(runs), Arc::clone(made));
    move || {
        let node = ctx.arc().expect("it is no root");
        node.only_callback(|| {
            made.run();
            Arc::new(Only(runs))
        })
    }
}

#[test]
fn two_who_come_at_once_get_the_same_callback_which_runs_once() {
    check(3, || {
        let (parent, canceller) = Context::background().with_cancel();
        let (ctx, _canceller) = parent.with_cancel();
        let (runs, made) = (Arc::<Runs>::default(), Arc::<Runs>::default());
        let (one, other) = race(only(&ctx, &runs, &made), only(&ctx, &runs, &made));
        assert!(Arc::ptr_eq(&one, &other));
        assert_eq!((made.seen(), runs.seen()), ((1, 1), (0, 0)));
        canceller.cancel();
        assert_eq!(runs.seen(), (1, 1));
        assert_left(&ctx);
        assert_left(&parent);
    });
}

#[test]
fn each_callback_that_two_get_while_the_context_ends_runs_once() {
    check(2, || {
        let (ctx, canceller) = Context::background().with_cancel();
        let (runs, made) = (Arc::<Runs>::default(), Arc::<Runs>::default());
        race_three(
            only(&ctx, &runs, &made),
            only(&ctx, &runs, &made),
            move || canceller.cancel(),
        );
        assert_eq!(runs.seen(), made.seen());
        assert_left(&ctx);
    });
}
