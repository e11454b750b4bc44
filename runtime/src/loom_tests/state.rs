//! The byte that says that a linked context has not ended: announced by those who link it, ended by those
//! who cancel, taken back by those who go.
//!
//! 2 or 3 preemptions, 1 or 2 with three threads; 10 s of one core. With one more, as
//! `LOOM_MAX_PREEMPTIONS` sets it, some take minutes.

use super::{Waiting, check, node, race, race_three};
use crate::context::Context;
use crate::state::Known;

#[test]
fn a_node_that_is_announced_while_its_parent_is_cancelled_is_not_live_afterwards() {
    check(2, || {
        let (parent, canceller) = Context::background().with_cancel();
        let (child, _canceller) = parent.with_cancel();
        let (ended, linked) = (child.clone(), child.clone());
        let ((), waiting) = race(
            move || {
                canceller.cancel();
                assert!(ended.is_cancelled(), "the cancel has returned");
            },
            move || Waiting::on(&linked),
        );
        assert_eq!(node(&child).state().get(), Known::Ended);
        drop(waiting);
    });
}

#[test]
fn a_node_that_two_announce_while_its_parent_is_cancelled_is_not_live_afterwards() {
    check(2, || {
        let (parent, canceller) = Context::background().with_cancel();
        let (child, _canceller) = parent.with_cancel();
        let waiting = Waiting::on(&child);
        let (ended, announced) = (child.clone(), child.clone());
        let (linked, below) = (child.clone(), child.with_cancel());
        let ((), (), below) = race_three(
            move || {
                canceller.cancel();
                assert!(ended.is_cancelled(), "the cancel has returned");
            },
            move || node(&announced).announce(),
            move || (Waiting::on(&linked), Waiting::on(&below.0), below),
        );
        assert!(child.is_cancelled());
        drop((waiting, below));
    });
}

/// It is unlinked, linked and announced anew while the cancel marks and unlinks it.
#[test]
fn a_node_that_is_linked_anew_while_its_parent_is_cancelled_is_not_live_afterwards() {
    check(2, || {
        let (parent, canceller) = Context::background().with_cancel();
        let (child, _canceller) = parent.with_cancel();
        let goes = Waiting::on(&child);
        let (ended, linked) = (child.clone(), child.clone());
        let ((), waiting) = race(
            move || {
                canceller.cancel();
                assert!(ended.is_cancelled(), "the cancel has returned");
            },
            move || {
                drop(goes);
                Waiting::on(&linked)
            },
        );
        assert_eq!(node(&child).state().get(), Known::Ended);
        drop(waiting);
    });
}

/// One who goes unlinks the nodes above, while one who comes relies on their being live.
#[test]
fn a_node_below_one_that_is_unlinked_meanwhile_is_not_live_after_a_cancel() {
    check(1, || {
        let (root, canceller) = Context::background().with_cancel();
        let (middle, _canceller) = root.with_cancel();
        let (one, _canceller) = middle.with_cancel();
        let (other, _canceller) = middle.with_cancel();
        let goes = Waiting::on(&one);
        let (all, comes) = ([middle, one, other.clone()], other);
        let ((), (), mut waiting) = race_three(
            move || {
                canceller.cancel();
                for context in all {
                    assert!(context.is_cancelled(), "the cancel has returned");
                }
            },
            move || drop(goes),
            move || Waiting::on(&comes),
        );
        waiting.assert_told();
    });
}

#[test]
fn who_goes_leaves_a_node_that_is_not_live() {
    check(3, || {
        let (parent, _canceller) = Context::background().with_cancel();
        let (child, _canceller) = parent.with_cancel();
        let goes = Waiting::on(&child);
        let announced = child.clone();
        race(move || drop(goes), move || node(&announced).announce());
        assert_eq!(node(&child).state().get(), Known::Unlinked);
        assert_eq!(node(&parent).state().get(), Known::Alone);
    });
}
