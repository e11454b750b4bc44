//! Merges, whose sources end at once, or while somebody comes to wait for the merge, or goes.
//!
//! 2 or 3 preemptions, 1 with three threads or two ways to the merge; 30 s of one core.

use std::sync::Arc;

use super::{Waiting, assert_left, check, race, race_three};
use crate::cancelled::Cause;
use crate::canceller::Canceller;
use crate::context::Context;

fn two() -> [(Context, Canceller); 2] {
    [(); 2].map(|()| Context::background().with_cancel())
}

#[test]
fn a_merge_of_any_whose_sources_end_at_once_has_the_cause_of_one_of_them_for_all() {
    check(2, || {
        let [(one, one_canceller), (other, other_canceller)] = two();
        let merge = Context::any([one.clone(), other.clone()]);
        let mut waiting = Waiting::on(&merge);
        let look = |canceller: Canceller, cause: &'static str, merge: Context| -> Cause {
            canceller.cancel_with(cause);
            assert!(merge.is_cancelled());
            merge.cause().expect("it has ended")
        };
        let (of_one, of_other) = (merge.clone(), merge.clone());
        let (first, second) = race(
            move || look(one_canceller, "one", of_one),
            move || look(other_canceller, "other", of_other),
        );
        assert!(Arc::ptr_eq(&first, &second), "{first} became {second}");
        assert!(Arc::ptr_eq(&first, &merge.cause().expect("it has ended")));
        waiting.assert_told();
        drop(waiting);
        [one, other, merge].iter().for_each(assert_left);
    });
}

#[test]
fn a_merge_of_all_ends_when_the_last_of_its_sources_does() {
    check(3, || {
        let [(one, one_canceller), (other, other_canceller)] = two();
        let merge = Context::all([one.clone(), other.clone()]);
        let mut waiting = Waiting::on(&merge);
        race(
            move || one_canceller.cancel(),
            move || other_canceller.cancel(),
        );
        assert!(merge.is_cancelled());
        waiting.assert_told();
        drop(waiting);
        [one, other, merge].iter().for_each(assert_left);
    });
}

#[test]
fn a_merge_of_all_outlives_one_of_its_sources() {
    check(3, || {
        let [(one, one_canceller), (other, other_canceller)] = two();
        let merge = Context::all([one.clone(), other.clone()]);
        let waited_for = merge.clone();
        let ((), mut waiting) = race(
            move || one_canceller.cancel(),
            move || Waiting::on(&waited_for),
        );
        assert!(!merge.is_cancelled() && !waiting.was_ready);
        other_canceller.cancel();
        waiting.assert_told();
        drop(waiting);
        [one, other, merge].iter().for_each(assert_left);
    });
}

#[test]
fn who_comes_to_a_merge_of_any_is_told() {
    check(2, || {
        let [(one, _canceller), (other, canceller)] = two();
        let merge = Context::any([one.clone(), other.clone()]);
        let waited_for = merge.clone();
        let ((), mut waiting) = race(move || canceller.cancel(), move || Waiting::on(&waited_for));
        waiting.assert_told();
        drop(waiting);
        [one, other, merge].iter().for_each(assert_left);
    });
}

#[test]
fn a_merge_that_is_dropped_while_a_source_ends_leaves_nothing_behind() {
    check(3, || {
        let [(one, _canceller), (other, canceller)] = two();
        let merge = Context::any([one.clone(), other.clone()]);
        let freed = Arc::downgrade(&merge.arc().expect("it is no root"));
        let waiting = Waiting::on(&merge);
        race(move || canceller.cancel(), move || drop((waiting, merge)));
        [one, other].iter().for_each(assert_left);
        assert_eq!(freed.strong_count(), 0, "the merge was not freed");
    });
}

/// Each links both sources, in the order of its own list.
#[test]
fn merges_of_the_same_sources_in_opposite_orders_do_not_block_each_other() {
    check(1, || {
        let [(one, _canceller), (other, canceller)] = two();
        let merges = [
            Context::any([one.clone(), other.clone()]),
            Context::any([other.clone(), one.clone()]),
        ];
        let [first, second] = merges.clone();
        let (mut first, mut second, ()) = race_three(
            move || Waiting::on(&first),
            move || Waiting::on(&second),
            move || canceller.cancel(),
        );
        first.assert_told();
        second.assert_told();
        drop((first, second));
        [one, other].iter().chain(&merges).for_each(assert_left);
    });
}

#[test]
fn who_comes_to_a_merge_of_all_while_its_sources_end_is_told() {
    check(2, || {
        let [(one, one_canceller), (other, other_canceller)] = two();
        let merge = Context::all([one.clone(), other.clone()]);
        let waited_for = merge.clone();
        let ((), mut waiting) = race(
            move || {
                one_canceller.cancel();
                other_canceller.cancel();
            },
            move || Waiting::on(&waited_for),
        );
        waiting.assert_told();
        drop(waiting);
        [one, other, merge].iter().for_each(assert_left);
    });
}

/// Two ways lead from the context that is cancelled to the merge.
#[test]
fn who_comes_to_a_merge_of_a_context_and_its_child_is_told() {
    check(1, || {
        let (root, canceller) = Context::background().with_cancel();
        let (child, _canceller) = root.with_cancel();
        let merge = Context::all([root.clone(), child.clone()]);
        let waited_for = merge.clone();
        let ((), mut waiting) = race(move || canceller.cancel(), move || Waiting::on(&waited_for));
        waiting.assert_told();
        drop(waiting);
        [root, child, merge].iter().for_each(assert_left);
    });
}
