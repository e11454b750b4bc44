//! Deadlines that expire, are moved, armed and disarmed, while others cancel, come and go.
//!
//! A thread is the driver: it lets time pass, and takes its turns; [`Driver::go_on`] is what it does after.
//!
//! 2 or 3 preemptions, 1 with three threads; 20 s of one core.

use std::sync::Arc;

use super::{Driver, Waiting, assert_left, check, race, race_three};
use crate::cancelled::Kind;
use crate::canceller::{Canceller, DeadlineMover};
use crate::context::Context;
use crate::sync::{at, now, pass};
use crate::tick::Tick;

/// A context that can be cancelled, and one below whose deadline can be moved, and is at 10.
fn of_ten() -> (Context, Canceller, Context, DeadlineMover) {
    let (parent, canceller) = Context::background().with_cancel();
    let (ctx, mover) = parent.with_movable_deadline(at(10));
    (parent, canceller, ctx, mover)
}

/// Lets the clock show 10, and takes a turn.
fn expire(mut driver: Driver) -> Driver {
    pass(10);
    driver.turn();
    driver
}

#[test]
fn who_comes_while_the_deadline_passes_is_told() {
    check(2, || {
        let driver = Driver::new();
        let (parent, _canceller, ctx, _mover) = of_ten();
        let waited_for = ctx.clone();
        let (mut driver, mut waiting) =
            race(move || expire(driver), move || Waiting::on(&waited_for));
        driver.go_on();
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
        let (mut driver, mut waiting) =
            race(move || expire(driver), move || Waiting::on(&waited_for));
        driver.go_on();
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
            move || (expire(driver), expired.err()),
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
        let (mut driver, ()) = race(move || expire(driver), move || drop(waiting));
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
        let (mut driver, was_in_time) = race(move || expire(driver), move || mover.move_to(at(20)));
        assert_eq!(ctx.err().is_none(), was_in_time);
        driver.go_on();
        if was_in_time {
            assert_eq!(waiting.wakes.count(), 0, "it was woken too early");
            pass(10);
            driver.go_on();
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
            let (was_in_time, mut waiting) = race(
                move || mover.move_to(at(to)),
                move || Waiting::on(&waited_for),
            );
            assert!(was_in_time);
            driver.go_on();
            pass(to - 1);
            driver.go_on();
            assert!(!waiting.poll(), "it is too early");
            pass(1);
            driver.go_on();
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
        let mover = Arc::new(mover);
        let other = Arc::clone(&mover);
        race(move || other.move_to(at(5)), move || mover.move_to(at(20)));
        driver.go_on();
        let passes = Tick::of(ctx.deadline().expect("it has one"));
        assert!([at(5), at(20)].map(Tick::of).contains(&passes));
        for _ in 0..20 {
            pass(1);
            driver.go_on();
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
        let (mut driver, mut waiting) = race(
            move || {
                sleepy.turn();
                sleepy
            },
            move || Waiting::on(&waited_for),
        );
        driver.go_on();
        pass(10);
        driver.go_on();
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
        let (mut driver, seen, was_in_time) = race_three(
            move || expire(driver),
            move || {
                canceller.cancel();
                ended.err()
            },
            move || mover.move_to(at(20)),
        );
        driver.go_on();
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
