//! A task that comes back with another waker, while its context ends.
//!
//! 3 preemptions, 2 with three threads; 1 s of one core.

use super::{Waiting, assert_left, check, race, race_three};
use crate::context::Context;

#[test]
fn the_new_waker_of_a_leaf_is_woken() {
    check(3, || {
        let (root, canceller) = Context::background().with_cancel();
        let (leaf, _canceller) = root.with_cancel();
        let mut waiting = Waiting::on(&leaf);
        let ((), mut waiting) = race(
            move || canceller.cancel(),
            move || {
                waiting.poll_anew();
                waiting
            },
        );
        waiting.assert_told();
        drop(waiting);
        assert_left(&root);
        assert_left(&leaf);
    });
}

#[test]
fn the_new_waker_among_others_is_woken_and_so_are_they() {
    check(3, || {
        let (root, canceller) = Context::background().with_cancel();
        let (child, _canceller) = root.with_cancel();
        let (mut waiting, mut other) = (Waiting::on(&child), Waiting::on(&child));
        let ((), mut waiting) = race(
            move || canceller.cancel(),
            move || {
                waiting.poll_anew();
                waiting
            },
        );
        waiting.assert_told();
        other.assert_told();
    });
}

/// The waker moves from the source to the leaf itself while it is replaced.
#[test]
fn the_new_waker_of_a_leaf_to_which_another_one_comes_is_woken_later() {
    check(3, || {
        let (root, canceller) = Context::background().with_cancel();
        let (leaf, _canceller) = root.with_cancel();
        let mut waiting = Waiting::on(&leaf);
        let waited_for = leaf.clone();
        let (mut other, mut waiting) = race(
            move || Waiting::on(&waited_for),
            move || {
                waiting.poll_anew();
                waiting
            },
        );
        canceller.cancel();
        waiting.assert_told();
        other.assert_told();
    });
}

#[test]
fn the_new_waker_of_a_leaf_to_which_another_one_comes_is_woken() {
    check(2, || {
        let (root, canceller) = Context::background().with_cancel();
        let (leaf, _canceller) = root.with_cancel();
        let mut waiting = Waiting::on(&leaf);
        let waited_for = leaf.clone();
        let (mut other, (), mut waiting) = race_three(
            move || Waiting::on(&waited_for),
            move || canceller.cancel(),
            move || {
                waiting.poll_anew();
                waiting
            },
        );
        waiting.assert_told();
        other.assert_told();
        drop((waiting, other));
        assert_left(&root);
        assert_left(&leaf);
    });
}
