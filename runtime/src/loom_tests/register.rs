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
