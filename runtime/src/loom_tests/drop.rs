//! What is dropped, a waiter, a context, the last canceller, while others cancel or come to wait.
//!
//! 3 preemptions, 2 with three threads; 20 s of one core.

use std::sync::{Arc, Weak};

use super::{Waiting, assert_left, check, node, race, race_three};
use crate::context::Context;
use crate::state::Known;

#[test]
fn a_waiter_that_goes_leaves_nothing_behind() {
    check(3, || {
        let (root, canceller) = Context::background().with_cancel();
        let (child, _canceller) = root.with_cancel();
        let waiting = Waiting::on(&child);
        race(move || canceller.cancel(), move || drop(waiting));
        assert!(child.is_cancelled());
        assert_left(&root);
        assert_left(&child);
    });
}

#[test]
fn two_waiters_that_go_leave_nothing_behind() {
    check(2, || {
        let (root, canceller) = Context::background().with_cancel();
        let (child, _canceller) = root.with_cancel();
        let (first, second) = (Waiting::on(&child), Waiting::on(&child));
        race_three(
            move || drop(first),
            move || drop(second),
            move || canceller.cancel(),
        );
        assert!(child.is_cancelled());
        assert_left(&root);
        assert_left(&child);
    });
}

/// It may come between the end and the taking of the list, and be in what is taken.
#[test]
fn who_comes_and_goes_during_a_cancel_leaves_nothing_behind() {
    check(3, || {
        let (root, canceller) = Context::background().with_cancel();
        let (child, _canceller) = root.with_cancel();
        let mut stays = Waiting::on(&child);
        let waited_for = child.clone();
        race(
            move || canceller.cancel(),
            move || drop(Waiting::on(&waited_for)),
        );
        stays.assert_told();
        drop(stays);
        assert_left(&root);
        assert_left(&child);
    });
}

#[test]
fn two_waiters_that_go_unlink_what_is_above() {
    check(3, || {
        let (root, _canceller) = Context::background().with_cancel();
        let (middle, _canceller) = root.with_cancel();
        let (one, _canceller) = middle.with_cancel();
        let (other, _canceller) = middle.with_cancel();
        let (first, second) = (Waiting::on(&one), Waiting::on(&other));
        race(move || drop(first), move || drop(second));
        assert_left(&root);
        assert_eq!(node(&root).state().get(), Known::Alone);
        for context in [&middle, &one, &other] {
            assert_left(context);
            assert_eq!(node(context).state().get(), Known::Unlinked);
        }
    });
}

/// The last one who waits below `middle` goes, and takes that out of the list of `root`, while the next
/// one comes.
#[test]
fn who_comes_while_the_last_one_goes_is_told_of_a_later_cancel() {
    check(3, || {
        let (root, canceller) = Context::background().with_cancel();
        let (middle, _canceller) = root.with_cancel();
        let (one, _canceller) = middle.with_cancel();
        let (other, _canceller) = middle.with_cancel();
        let goes = Waiting::on(&one);
        let waited_for = other.clone();
        let ((), mut comes) = race(move || drop(goes), move || Waiting::on(&waited_for));
        canceller.cancel();
        comes.assert_told();
        drop(comes);
        for context in [&root, &middle, &one, &other] {
            assert_left(context);
        }
    });
}

#[test]
fn who_comes_while_the_last_one_goes_is_told_of_a_cancel_meanwhile() {
    check(2, || {
        let (root, canceller) = Context::background().with_cancel();
        let (middle, _canceller) = root.with_cancel();
        let (one, _canceller) = middle.with_cancel();
        let (other, _canceller) = middle.with_cancel();
        let goes = Waiting::on(&one);
        let waited_for = other.clone();
        let ((), mut comes, ()) = race_three(
            move || drop(goes),
            move || Waiting::on(&waited_for),
            move || canceller.cancel(),
        );
        comes.assert_told();
        drop(comes);
        for context in [&root, &middle, &one, &other] {
            assert_left(context);
        }
    });
}

#[test]
fn a_context_that_is_dropped_while_its_parent_is_cancelled_is_freed() {
    check(3, || {
        let (root, canceller) = Context::background().with_cancel();
        let (child, keeper) = root.with_cancel();
        let is_kept = Arc::new(());
        let below = child.with_value(Arc::clone(&is_kept));
        let waiting = Waiting::on(&below);
        race(
            move || canceller.cancel(),
            move || drop((waiting, below, child, keeper)),
        );
        assert_left(&root);
        assert_eq!(Arc::strong_count(&is_kept), 1, "the child was not freed");
    });
}

#[test]
fn the_last_of_two_cancellers_cancels() {
    check(3, || {
        let (root, canceller) = Context::background().with_cancel();
        let (child, _canceller) = root.with_cancel();
        let mut waiting = Waiting::on(&child);
        let clone = canceller.clone();
        race(move || drop(clone), move || drop(canceller));
        assert!(child.is_cancelled());
        waiting.assert_told();
        assert_eq!(waiting.wakes.count(), 1);
        drop(waiting);
        assert_left(&root);
    });
}

#[test]
fn a_canceller_that_is_detached_while_its_clone_is_dropped_does_not_cancel() {
    check(3, || {
        let (root, canceller) = Context::background().with_cancel();
        let clone = canceller.clone();
        let waiting = Waiting::on(&root);
        race(move || clone.detach(), move || drop(canceller));
        assert!(!root.is_cancelled());
        assert_eq!(waiting.wakes.count(), 0);
    });
}

#[test]
fn who_comes_while_the_last_canceller_goes_is_told() {
    check(3, || {
        let (root, canceller) = Context::background().with_cancel();
        let of = root.clone();
        let ((), (child, _keeper, mut waiting)) = race(
            move || drop(canceller),
            move || {
                let (child, keeper) = of.with_cancel();
                let waiting = Waiting::on(&child);
                (child, keeper, waiting)
            },
        );
        waiting.assert_told();
        drop(waiting);
        assert_left(&root);
        assert_left(&child);
    });
}

/// A leaf is kept by its source, although nobody else has it.
#[test]
fn a_leaf_that_only_its_waiter_keeps_is_told_and_freed() {
    check(3, || {
        let (root, canceller) = Context::background().with_cancel();
        let (leaf, keeper) = root.with_cancel();
        keeper.detach();
        let freed = Arc::downgrade(&leaf.arc().expect("it is no root"));
        let mut waiting = Waiting::on(&leaf);
        drop(leaf);
        let ((), mut waiting) = race(
            move || canceller.cancel(),
            move || {
                waiting.poll();
                waiting
            },
        );
        waiting.assert_told();
        drop(waiting);
        assert_left(&root);
        assert_eq!(Weak::strong_count(&freed), 0, "the leaf was not freed");
    });
}
