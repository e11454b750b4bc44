//! Deadlines that expire, are moved, armed and disarmed, while others cancel, come and go.
//!
//! A thread is the driver: it lets time pass, and takes its turns. It would sleep until the next alarm that a
//! turn tells it, or until it is woken; [`Driver::go_on`] does what it does then.
//!
//! 2 or 3 preemptions, 1 with three threads; 20 s of one core.

use std::sync::Arc;
use std::task::Waker;

use super::{Waiting, Wakes, assert_left, check, race, race_three};
use crate::cancelled::Kind;
use crate::canceller::{Canceller, DeadlineMover};
use crate::context::Context;
use crate::sync::{at, now, pass};
use crate::tick::Tick;
use crate::timeline::Timeline;

/// The driver of the execution's timeline.
struct Driver {
    timeline: Arc<Timeline>,
    wakes: Arc<Wakes>,
    next: Option<Tick>,
}

impl Driver {
    /// One that has taken its first turn, so that no thread is started for it.
    fn new() -> Self {
        let mut driver = Self {
            timeline: Timeline::here(),
            wakes: Arc::default(),
            next: None,
        };
        driver.turn();
        driver
    }

    fn turn(&mut self) {
        let waker = Waker::from(Arc::clone(&self.wakes));
        self.next = self.timeline.turn(&waker);
    }

    /// It was woken since it began to sleep, or its alarm has rung.
    fn go_on(&mut self, wakes_before: usize) {
        let is_due = self.next.is_some_and(|next| next <= Tick::of(now()));
        if is_due || self.wakes.count() > wakes_before {
            self.turn();
        }
    }

    fn assert_nothing_is_set(&mut self) {
        self.turn();
        assert_eq!(self.next, None, "an alarm was left behind");
    }
}

/// A context that can be cancelled, and one below whose deadline can be moved, and is at 10.
fn of_ten() -> (Context, Canceller, Context, DeadlineMover) {
    let (parent, canceller) = Context::background().with_cancel();
    let (ctx, mover) = parent.with_movable_deadline(at(10));
    (parent, canceller, ctx, mover)
}

/// Lets the clock show 10, and takes a turn; how often the driver had been woken before.
fn expire(mut driver: Driver) -> (Driver, usize) {
    let wakes = driver.wakes.count();
    pass(10);
    driver.turn();
    (driver, wakes)
}

#[test]
fn who_comes_while_the_deadline_passes_is_told() {
    check(2, || {
        let driver = Driver::new();
        let (parent, _canceller, ctx, _mover) = of_ten();
        let waited_for = ctx.clone();
        let ((mut driver, wakes), mut waiting) =
            race(move || expire(driver), move || Waiting::on(&waited_for));
        driver.go_on(wakes);
        waiting.assert_told();
        drop(waiting);
        assert_left(&ctx);
        assert_left(&parent);
        driver.assert_nothing_is_set();
    });
}

#[test]
fn who_comes_below_while_the_deadline_passes_is_told() {
    check(2, || {
        let driver = Driver::new();
        let (parent, _canceller, ctx, _mover) = of_ten();
        let (below, _canceller) = ctx.with_cancel();
        let waited_for = below.clone();
        let ((mut driver, wakes), mut waiting) =
            race(move || expire(driver), move || Waiting::on(&waited_for));
        driver.go_on(wakes);
        waiting.assert_told();
        assert_eq!(below.err(), Some(Kind::DeadlineExceeded));
        drop(waiting);
        [below, ctx, parent].iter().for_each(assert_left);
        driver.assert_nothing_is_set();
    });
}

#[test]
fn a_deadline_and_a_cancel_at_once_are_one_end_for_all() {
    check(2, || {
        let driver = Driver::new();
        let (parent, canceller, ctx, _mover) = of_ten();
        let mut waiting = Waiting::on(&ctx);
        let (expired, ended) = (ctx.clone(), ctx.clone());
        let ((mut driver, seen), also_seen) = race(
            move || (expire(driver).0, expired.err()),
            move || {
                canceller.cancel();
                assert!(ended.is_cancelled());
                ended.err()
            },
        );
        assert!(seen.is_some() && seen == also_seen);
        assert_eq!(ctx.err(), seen);
        waiting.assert_told();
        drop(waiting);
        assert_left(&ctx);
        assert_left(&parent);
        driver.assert_nothing_is_set();
    });
}

#[test]
fn who_goes_while_the_deadline_passes_leaves_no_alarm() {
    check(3, || {
        let driver = Driver::new();
        let (parent, _canceller, ctx, _mover) = of_ten();
        let waiting = Waiting::on(&ctx);
        let ((mut driver, _), ()) = race(move || expire(driver), move || drop(waiting));
        assert_eq!(ctx.err(), Some(Kind::DeadlineExceeded));
        assert_left(&ctx);
        assert_left(&parent);
        driver.assert_nothing_is_set();
    });
}

#[test]
fn a_deadline_that_is_moved_while_it_passes_passes_later_or_has_passed() {
    check(3, || {
        let driver = Driver::new();
        let (parent, _canceller, ctx, mover) = of_ten();
        let mut waiting = Waiting::on(&ctx);
        let ((mut driver, wakes), was_in_time) =
            race(move || expire(driver), move || mover.move_to(at(20)));
        assert_eq!(ctx.err().is_none(), was_in_time);
        driver.go_on(wakes);
        if was_in_time {
            assert_eq!(waiting.wakes.count(), 0, "it was woken too early");
            let wakes = driver.wakes.count();
            pass(10);
            driver.go_on(wakes);
        }
        waiting.assert_told();
        drop(waiting);
        assert_left(&ctx);
        assert_left(&parent);
        driver.assert_nothing_is_set();
    });
}

#[test]
fn a_deadline_that_is_moved_while_somebody_comes_passes_when_it_was_moved_to() {
    for to in [5, 20] {
        check(3, move || {
            let mut driver = Driver::new();
            let (parent, _canceller, ctx, mover) = of_ten();
            let waited_for = ctx.clone();
            let wakes = driver.wakes.count();
            let (was_in_time, mut waiting) = race(
                move || mover.move_to(at(to)),
                move || Waiting::on(&waited_for),
            );
            assert!(was_in_time);
            driver.go_on(wakes);
            let wakes = driver.wakes.count();
            pass(to - 1);
            driver.go_on(wakes);
            assert!(!waiting.poll(), "it is too early");
            let wakes = driver.wakes.count();
            pass(1);
            driver.go_on(wakes);
            waiting.assert_told();
            drop(waiting);
            assert_left(&ctx);
            assert_left(&parent);
            driver.assert_nothing_is_set();
        });
    }
}

#[test]
fn a_deadline_that_two_move_passes_where_one_of_them_left_it() {
    check(3, || {
        let mut driver = Driver::new();
        let (_parent, _canceller, ctx, mover) = of_ten();
        let mut waiting = Waiting::on(&ctx);
        driver.turn();
        let wakes = driver.wakes.count();
        let mover = Arc::new(mover);
        let other = Arc::clone(&mover);
        race(move || other.move_to(at(5)), move || mover.move_to(at(20)));
        driver.go_on(wakes);
        let passes = Tick::of(ctx.deadline().expect("it has one"));
        assert!([at(5), at(20)].map(Tick::of).contains(&passes));
        for _ in 0..20 {
            let wakes = driver.wakes.count();
            pass(1);
            driver.go_on(wakes);
            let has_passed = Tick::of(now()) >= passes;
            assert_eq!(waiting.wakes.count() > 0, has_passed);
        }
        waiting.assert_told();
        drop(waiting);
        driver.assert_nothing_is_set();
    });
}

/// The driver takes a turn, and is about to sleep until 20.
#[test]
fn a_driver_whose_next_alarm_is_later_hears_of_an_earlier_one() {
    check(3, || {
        let driver = Driver::new();
        let (_parent, _canceller, ctx, _mover) = of_ten();
        let later = Context::background().with_deadline(at(20));
        let later = Waiting::on(&later);
        let waited_for = ctx.clone();
        let mut sleepy = driver;
        let ((mut driver, wakes), mut waiting) = race(
            move || {
                let wakes = sleepy.wakes.count();
                sleepy.turn();
                (sleepy, wakes)
            },
            move || Waiting::on(&waited_for),
        );
        driver.go_on(wakes);
        let wakes = driver.wakes.count();
        pass(10);
        driver.go_on(wakes);
        waiting.assert_told();
        drop((waiting, later));
        driver.assert_nothing_is_set();
    });
}

#[test]
fn a_deadline_that_passes_while_it_is_moved_and_cancelled_is_one_end() {
    check(1, || {
        let driver = Driver::new();
        let (parent, canceller, ctx, mover) = of_ten();
        let mut waiting = Waiting::on(&ctx);
        let ended = ctx.clone();
        let ((mut driver, wakes), seen, was_in_time) = race_three(
            move || expire(driver),
            move || {
                canceller.cancel();
                ended.err()
            },
            move || mover.move_to(at(20)),
        );
        driver.go_on(wakes);
        assert!(seen.is_some());
        assert_eq!(ctx.err(), seen);
        assert!(!was_in_time || seen == Some(Kind::Cancelled));
        waiting.assert_told();
        drop(waiting);
        assert_left(&ctx);
        assert_left(&parent);
        driver.assert_nothing_is_set();
    });
}
