//! Who comes to wait, while the context ends.
//!
//! 2 or 3 preemptions, 1 or 2 with three threads; 25 s of one core.

use super::{Waiting, assert_left, check, race, race_three};
use crate::context::Context;

/// Waits for `$context`, while that one or one above is cancelled.
fn first_waiter(depth: usize, preemptions: usize) {
    check(preemptions, move || {
        let (root, canceller) = Context::background().with_cancel();
        let mut context = root.clone();
        let mut cancellers = Vec::new();
        for _ in 0..depth {
            let (child, canceller) = context.with_cancel();
            context = child;
            cancellers.push(canceller);
        }
        let waited_for = context.clone();
        let ((), mut waiting) = race(move || canceller.cancel(), move || Waiting::on(&waited_for));
        waiting.assert_told();
        drop(waiting);
        assert_left(&root);
        assert_left(&context);
    });
}

#[test]
fn the_first_waiter_of_a_context_without_a_parent_is_told() {
    first_waiter(0, 3);
}

#[test]
fn the_first_waiter_of_a_child_which_becomes_a_leaf_is_told() {
    first_waiter(1, 3);
}

#[test]
fn the_first_waiter_of_a_grandchild_is_told() {
    first_waiter(2, 2);
}

#[test]
fn the_second_waiter_of_a_leaf_is_told_and_so_is_the_first() {
    check(3, || {
        let (root, canceller) = Context::background().with_cancel();
        let (leaf, _canceller) = root.with_cancel();
        let mut first = Waiting::on(&leaf);
        let waited_for = leaf.clone();
        let ((), mut second) = race(move || canceller.cancel(), move || Waiting::on(&waited_for));
        first.assert_told();
        second.assert_told();
        drop((first, second));
        assert_left(&root);
        assert_left(&leaf);
    });
}

#[test]
fn who_waits_below_a_leaf_is_told_and_so_is_the_leaf() {
    check(3, || {
        let (root, canceller) = Context::background().with_cancel();
        let (leaf, _canceller) = root.with_cancel();
        let (below, _canceller) = leaf.with_cancel();
        let mut first = Waiting::on(&leaf);
        let waited_for = below.clone();
        let ((), mut second) = race(move || canceller.cancel(), move || Waiting::on(&waited_for));
        first.assert_told();
        second.assert_told();
        drop((first, second));
        for context in [&root, &leaf, &below] {
            assert_left(context);
        }
    });
}

#[test]
fn two_who_come_at_once_are_told() {
    check(1, || {
        let (root, canceller) = Context::background().with_cancel();
        let (child, _canceller) = root.with_cancel();
        let (one, other) = (child.clone(), child.clone());
        let (mut first, mut second, ()) = race_three(
            move || Waiting::on(&one),
            move || Waiting::on(&other),
            move || canceller.cancel(),
        );
        first.assert_told();
        second.assert_told();
        drop((first, second));
        assert_left(&root);
        assert_left(&child);
    });
}

#[test]
fn who_comes_below_a_leaf_whose_waiter_goes_is_told() {
    check(2, || {
        let (root, canceller) = Context::background().with_cancel();
        let (leaf, _canceller) = root.with_cancel();
        let (below, _canceller) = leaf.with_cancel();
        let goes = Waiting::on(&leaf);
        let waited_for = below.clone();
        let ((), mut comes, ()) = race_three(
            move || drop(goes),
            move || Waiting::on(&waited_for),
            move || canceller.cancel(),
        );
        comes.assert_told();
        drop(comes);
        for context in [&root, &leaf, &below] {
            assert_left(context);
        }
    });
}
