//! Several who cancel at once. When either has returned, all below are marked (B4); all agree on why.
//!
//! 2 or 3 preemptions, 1 with three threads; 20 s of one core.

use std::sync::Arc;

use super::{Waiting, assert_left, check, node, race, race_three};
use crate::cancelled::Cause;
use crate::canceller::Canceller;
use crate::context::Context;
use crate::state::Known;

/// Cancels, and looks at once; gives the cause of each.
fn cancel_and_look(canceller: &Canceller, cause: &'static str, below: &[Context]) -> Vec<Cause> {
    canceller.cancel_with(cause);
    for context in below {
        assert!(context.is_cancelled(), "not all below have ended");
        assert!(!node(context).state().is_live());
    }
    let causes = below.iter().map(Context::cause);
    causes.collect::<Option<_>>().expect("they have ended")
}

fn assert_same(first: &[Cause], second: &[Cause]) {
    for (first, second) in first.iter().zip(second) {
        assert!(Arc::ptr_eq(first, second), "{first} became {second}");
    }
}

#[test]
fn when_either_of_two_cancels_has_returned_all_below_have_ended() {
    check(2, || {
        let (root, canceller) = Context::background().with_cancel();
        let (child, _canceller) = root.with_cancel();
        let (leaf, _canceller) = child.with_cancel();
        let mut waiting = [Waiting::on(&child), Waiting::on(&leaf)];
        let contexts = [root, child, leaf];
        let (clone, all, same) = (canceller.clone(), contexts.clone(), contexts.clone());
        let (first, second) = race(
            move || cancel_and_look(&clone, "first", &all),
            move || cancel_and_look(&canceller, "second", &same),
        );
        assert_same(&first, &second);
        for waiting in &mut waiting {
            waiting.assert_told();
            assert_eq!(waiting.wakes.count(), 1);
        }
        drop(waiting);
        contexts.iter().for_each(assert_left);
    });
}

#[test]
fn of_a_parent_and_a_child_that_are_cancelled_at_once_all_see_the_same_cause() {
    check(2, || {
        let (parent, canceller) = Context::background().with_cancel();
        let (child, child_canceller) = parent.with_cancel();
        let (below, _canceller) = child.with_cancel();
        let mut waiting = Waiting::on(&below);
        let contexts = [child, below];
        let (all, same) = (contexts.clone(), contexts.clone());
        let (first, second) = race(
            move || cancel_and_look(&canceller, "parent", &all),
            move || cancel_and_look(&child_canceller, "child", &same),
        );
        assert_same(&first, &second);
        assert!(
            Arc::ptr_eq(&first[0], &first[1]),
            "the child's is that of all below"
        );
        assert_eq!(parent.cause().expect("it has ended").to_string(), "parent");
        waiting.assert_told();
        drop(waiting);
        contexts.iter().for_each(assert_left);
        assert_left(&parent);
    });
}

#[test]
fn of_siblings_that_are_cancelled_at_once_each_has_its_own_cause() {
    check(3, || {
        let (root, _canceller) = Context::background().with_cancel();
        let (one, one_canceller) = root.with_cancel();
        let (other, other_canceller) = root.with_cancel();
        let mut waiting = [Waiting::on(&one), Waiting::on(&other)];
        let contexts = [one, other];
        let [one, other] = contexts.clone();
        race(
            move || cancel_and_look(&one_canceller, "one", &[one]),
            move || cancel_and_look(&other_canceller, "other", &[other]),
        );
        for (context, cause) in contexts.iter().zip(["one", "other"]) {
            assert_eq!(context.cause().expect("it has ended").to_string(), cause);
        }
        waiting.iter_mut().for_each(Waiting::assert_told);
        assert!(!root.is_cancelled());
        drop(waiting);
        assert_left(&root);
    });
}

/// Who has found the end in one way, finds it in all, and it does not change.
#[test]
fn who_sees_the_end_sees_all_of_it() {
    check(3, || {
        let (root, canceller) = Context::background().with_cancel();
        let (child, _canceller) = root.with_cancel();
        let _waiting = Waiting::on(&child);
        let looks_at = child.clone();
        let ((), seen) = race(
            move || canceller.cancel_with("cancel"),
            move || {
                if !looks_at.is_cancelled() {
                    return None;
                }
                assert!(Waiting::new(&looks_at).poll(), "it would wait");
                assert!(looks_at.err().is_some());
                Some(looks_at.cause().expect("it has ended"))
            },
        );
        if let Some(seen) = seen {
            assert!(Arc::ptr_eq(&seen, &child.cause().expect("it has ended")));
        }
    });
}

/// Its parent has ended, but the cancel has not come to it yet when it is linked.
#[test]
fn who_sees_the_end_of_one_that_is_linked_meanwhile_sees_all_of_it() {
    check(1, || {
        let (root, canceller) = Context::background().with_cancel();
        let (child, _canceller) = root.with_cancel();
        let _sibling = Waiting::on(&root);
        let (comes, looks_at) = (child.clone(), child.clone());
        let (mut waiting, (), ()) = race_three(
            move || Waiting::on(&comes),
            move || canceller.cancel(),
            move || {
                if looks_at.is_cancelled() {
                    assert!(looks_at.cause().is_some(), "it has not ended any more");
                }
            },
        );
        waiting.assert_told();
    });
}

#[test]
fn an_end_below_is_never_seen_before_the_one_above() {
    check(3, || {
        let (root, canceller) = Context::background().with_cancel();
        let (child, _canceller) = root.with_cancel();
        let _waiting = Waiting::on(&child);
        let (above, below) = (root.clone(), child.clone());
        race(
            move || canceller.cancel(),
            move || {
                if below.is_cancelled() {
                    assert!(above.is_cancelled());
                }
            },
        );
        assert_eq!(node(&child).state().get(), Known::Ended);
    });
}

#[test]
fn when_one_of_two_cancels_has_returned_who_came_meanwhile_has_ended() {
    check(1, || {
        let (root, canceller) = Context::background().with_cancel();
        let (child, _canceller) = root.with_cancel();
        let (first, comes, ended) = (canceller.clone(), child.clone(), child.clone());
        let ((), mut waiting, ()) = race_three(
            move || first.cancel(),
            move || Waiting::on(&comes),
            move || {
                canceller.cancel();
                assert!(ended.is_cancelled(), "the cancel has returned");
            },
        );
        waiting.assert_told();
        drop(waiting);
        assert_left(&root);
        assert_left(&child);
    });
}

#[test]
fn all_who_ask_during_a_cancel_without_a_cause_find_one_end_or_none() {
    check(1, || {
        let (root, canceller) = Context::background().with_cancel();
        let (child, _canceller) = root.with_cancel();
        let (asked, also_asked) = (root.clone(), child.clone());
        let ((), first, second) = race_three(
            move || canceller.cancel(),
            move || node(&asked).end_arc(),
            move || node(&also_asked).end_arc(),
        );
        let end = node(&root).end_arc().expect("it was cancelled");
        let found = [first, second, node(&child).end_arc()];
        let found = found.into_iter().flatten();
        assert!(
            found
                .map(|other| Arc::ptr_eq(&other, &end))
                .all(|same| same)
        );
    });
}
