//! Contexts that are derived, and linked by those who wait below, while one above is cancelled.
//!
//! 3 preemptions, 1 with three threads; 2 minutes of one core.

use super::{Waiting, assert_left, check, race, race_three};
use crate::cancelled::Kind;
use crate::context::Context;
use crate::sync::at;

#[test]
fn a_context_that_is_derived_while_its_parent_is_cancelled_ends() {
    check(3, || {
        let (parent, canceller) = Context::background().with_cancel();
        let of = parent.clone();
        let ((), (child, keeper, was_ended, mut waiting)) = race(
            move || canceller.cancel(),
            move || {
                let (child, keeper) = of.with_cancel();
                let was_ended = child.is_cancelled();
                let waiting = Waiting::on(&child);
                (child, keeper, was_ended, waiting)
            },
        );
        assert!(!was_ended || waiting.was_ready, "it was not ended any more");
        waiting.assert_told();
        assert_eq!(child.err(), Some(Kind::Cancelled));
        drop((waiting, keeper));
        assert_left(&parent);
        assert_left(&child);
    });
}

/// Its deadline has passed as it is made.
#[test]
fn a_context_that_is_born_ended_while_its_parent_is_cancelled_keeps_its_first_reason() {
    check(3, || {
        let (parent, canceller) = Context::background().with_cancel();
        let of = parent.clone();
        let ((), (child, first)) = race(
            move || canceller.cancel(),
            move || {
                let child = of.with_deadline(at(0));
                let first = child.err();
                (child, first)
            },
        );
        assert!(first.is_some(), "it ends as it is made");
        assert_eq!(child.err(), first);
        assert_eq!(parent.err(), Some(Kind::Cancelled));
    });
}

#[test]
fn those_who_wait_below_one_that_both_have_linked_are_told() {
    check(1, || {
        let (root, canceller) = Context::background().with_cancel();
        let (middle, _canceller) = root.with_cancel();
        let (one, _canceller) = middle.with_cancel();
        let (other, _canceller) = middle.with_cancel();
        let (first, second) = (one.clone(), other.clone());
        let (mut first, mut second, ()) = race_three(
            move || Waiting::on(&first),
            move || Waiting::on(&second),
            move || canceller.cancel(),
        );
        first.assert_told();
        second.assert_told();
        drop((first, second));
        for context in [&root, &middle, &one, &other] {
            assert_left(context);
        }
    });
}

/// The walk that links the nodes above finds one of them linked by another one, who is not done.
#[test]
fn those_who_wait_below_one_that_another_one_links_are_told() {
    check(1, || {
        let (root, canceller) = Context::background().with_cancel();
        let (lower, _canceller) = root.with_cancel();
        let (below, _canceller) = lower.with_cancel();
        let (first, second) = (lower.clone(), below.clone());
        let (mut first, mut second, ()) = race_three(
            move || Waiting::on(&first),
            move || Waiting::on(&second),
            move || canceller.cancel(),
        );
        first.assert_told();
        second.assert_told();
        drop((first, second));
        for context in [&root, &lower, &below] {
            assert_left(context);
        }
    });
}

#[test]
fn a_context_above_which_values_and_names_were_added_meanwhile_ends() {
    check(3, || {
        let (root, canceller) = Context::background().with_cancel();
        let of = root.clone();
        let ((), (named, mut waiting)) = race(
            move || canceller.cancel(),
            move || {
                let named = of.with_name("named").with_value(7_u8);
                let waiting = Waiting::on(&named);
                (named, waiting)
            },
        );
        waiting.assert_told();
        assert!(named.is_cancelled());
        drop(waiting);
        assert_left(&root);
    });
}
