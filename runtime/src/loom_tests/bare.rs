//! Bare leaves, below a context that somebody waits for already: who comes there, and goes, while others
//! cancel, come as well, or move the deadline.
//!
//! 3 preemptions, 2 with three threads; 5 s of one core.

use super::{Driver, Waiting, assert_left, check, node, race, race_three};
use crate::canceller::Canceller;
use crate::context::Context;
use crate::sync::{at, pass};

/// A context that somebody waits for, and one below for which nobody does.
struct Pair {
    root: Context,
    first: Waiting,
    leaf: Context,
}

impl Pair {
    fn new() -> (Self, Canceller, Canceller) {
        let (root, above) = Context::background().with_cancel();
        let first = Waiting::on(&root);
        let (leaf, own) = root.with_cancel();
        (Self { root, first, leaf }, above, own)
    }

    fn assert_left(self) {
        drop(self.first);
        [self.leaf, self.root].iter().for_each(assert_left);
    }
}

fn is_bare(context: &Context) -> bool {
    node(context).links.number().is_some()
}

#[test]
fn the_waiter_of_a_bare_leaf_is_told_of_a_cancel_there_and_above() {
    for is_above in [false, true] {
        check(3, move || {
            let (pair, above, own) = Pair::new();
            let waited_for = pair.leaf.clone();
            let (canceller, _other) = if is_above { (above, own) } else { (own, above) };
            let ((), mut waiting) =
                race(move || canceller.cancel(), move || Waiting::on(&waited_for));
            waiting.assert_told();
            drop(waiting);
            pair.assert_left();
        });
    }
}

#[test]
fn the_waiter_of_a_bare_leaf_goes_during_a_cancel_and_leaves_nothing() {
    for is_above in [false, true] {
        check(3, move || {
            let (pair, above, own) = Pair::new();
            let waiting = Waiting::on(&pair.leaf);
            assert!(is_bare(&pair.leaf));
            let (canceller, _other) = if is_above { (above, own) } else { (own, above) };
            race(move || canceller.cancel(), move || drop(waiting));
            assert!(pair.leaf.is_cancelled());
            pair.assert_left();
        });
    }
}

#[test]
fn who_comes_to_a_bare_leaf_whose_waiter_goes_is_told_of_a_later_cancel() {
    for is_above in [false, true] {
        check(3, move || {
            let (pair, above, own) = Pair::new();
            let goes = Waiting::on(&pair.leaf);
            let waited_for = pair.leaf.clone();
            let ((), mut comes) = race(move || drop(goes), move || Waiting::on(&waited_for));
            if is_above {
                above.cancel()
            } else {
                own.cancel()
            }
            comes.assert_told();
            drop(comes);
            pair.assert_left();
        });
    }
}

#[test]
fn two_who_come_at_once_are_told_of_a_later_cancel() {
    check(3, || {
        let (pair, above, _own) = Pair::new();
        let (one, other) = (pair.leaf.clone(), pair.leaf.clone());
        let (mut one, mut other) = race(move || Waiting::on(&one), move || Waiting::on(&other));
        above.cancel();
        one.assert_told();
        other.assert_told();
        drop((one, other));
        pair.assert_left();
    });
}

#[test]
fn who_comes_below_a_bare_leaf_during_a_cancel_is_told_and_so_is_its_waiter() {
    check(3, || {
        let (pair, above, _own) = Pair::new();
        let (below, _canceller) = pair.leaf.with_cancel();
        let mut first = Waiting::on(&pair.leaf);
        let waited_for = below.clone();
        let ((), mut second) = race(move || above.cancel(), move || Waiting::on(&waited_for));
        first.assert_told();
        second.assert_told();
        drop((first, second));
        assert_left(&below);
        pair.assert_left();
    });
}

#[test]
fn another_waker_of_a_bare_leaf_is_the_one_that_is_woken() {
    check(3, || {
        let (pair, above, _own) = Pair::new();
        let mut waiting = Waiting::on(&pair.leaf);
        let ((), mut waiting) = race(
            move || above.cancel(),
            move || {
                waiting.poll_anew();
                waiting
            },
        );
        waiting.assert_told();
        drop(waiting);
        pair.assert_left();
    });
}

#[test]
fn one_who_comes_and_one_who_goes_during_a_cancel_leave_nothing() {
    check(2, || {
        let (pair, _above, own) = Pair::new();
        let goes = Waiting::on(&pair.leaf);
        let waited_for = pair.leaf.clone();
        let ((), mut comes, ()) = race_three(
            move || drop(goes),
            move || Waiting::on(&waited_for),
            move || own.cancel(),
        );
        comes.assert_told();
        drop(comes);
        pair.assert_left();
    });
}

#[test]
fn a_bare_leaf_whose_deadline_passes_while_its_waiter_goes_leaves_no_alarm() {
    check(3, || {
        let mut driver = Driver::new();
        let (root, _canceller) = Context::background().with_cancel();
        let first = Waiting::on(&root);
        let leaf = root.with_deadline(at(10));
        let waiting = Waiting::on(&leaf);
        assert!(is_bare(&leaf));
        let (mut driver, ()) = race(
            move || {
                pass(10);
                driver.turn();
                driver
            },
            move || drop(waiting),
        );
        assert!(leaf.is_cancelled());
        drop(first);
        [leaf, root].iter().for_each(assert_left);
        driver.assert_nothing_is_set();
    });
}

#[test]
fn a_deadline_that_is_moved_while_a_bare_leaf_is_entered_passes_when_it_was_moved_to() {
    for to in [5, 20] {
        check(3, move || {
            let mut driver = Driver::new();
            let (root, _canceller) = Context::background().with_cancel();
            let first = Waiting::on(&root);
            let (leaf, mover) = root.with_movable_deadline(at(10));
            let waited_for = leaf.clone();
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
            drop((waiting, first));
            [leaf, root].iter().for_each(assert_left);
            driver.assert_nothing_is_set();
        });
    }
}

/// The leaf has lists, since nobody waited above it before, and its own waiter is kept above.
#[test]
fn who_waits_below_a_leaf_is_told_although_the_waiter_of_the_leaf_goes() {
    check(3, || {
        let (root, canceller) = Context::background().with_cancel();
        let (leaf, _canceller) = root.with_cancel();
        let (below, _canceller) = leaf.with_cancel();
        let goes = Waiting::on(&leaf);
        let mut stays = Waiting::on(&below);
        let ((), ()) = race(move || drop(goes), move || canceller.cancel());
        stays.assert_told();
        drop(stays);
        [below, leaf, root].iter().for_each(assert_left);
    });
}
