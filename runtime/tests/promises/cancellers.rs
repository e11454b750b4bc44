//! Who may cancel, and what dropping means.

use cancel_context::{Context, Origin};

use crate::support::{cause_of, end_of};

// guarantee B3
#[test]
fn dropping_the_last_canceller_cancels() {
    let (context, canceller) = Context::background().with_cancel();
    let clones = [canceller.clone(), canceller.clone()];
    drop(canceller);
    for clone in clones {
        assert_eq!(end_of(&context), None);
        drop(clone);
    }
    let cancelled = context.check().unwrap_err();
    assert!(matches!(cancelled.origin(), Origin::Dropped(_)));
}

// guarantee B3
#[test]
fn detaching_any_clone_gives_the_drop_up_for_all() {
    for detached in 0..3 {
        let (context, canceller) = Context::background().with_cancel();
        let mut cancellers = vec![canceller.clone(), canceller.clone(), canceller];
        cancellers.swap_remove(detached).detach();
        drop(cancellers);
        assert_eq!(end_of(&context), None);
        assert_eq!(context.handle_count(), 1);
    }
}

// guarantee B3
#[test]
fn a_clone_of_a_detached_canceller_still_cancels() {
    let (context, canceller) = Context::background().with_cancel();
    let clone = canceller.clone();
    canceller.detach();
    assert_eq!(end_of(&context), None);
    clone.cancel_with("on purpose");
    assert_eq!(cause_of(&context), "on purpose");
}

// guarantee B3
#[test]
fn a_clone_made_after_detaching_still_does_not_cancel_when_dropped() {
    let (context, canceller) = Context::background().with_cancel();
    let kept = canceller.clone();
    canceller.detach();
    drop(kept.clone());
    drop(kept);
    assert_eq!(end_of(&context), None);
}

// guarantee B3
#[test]
fn dropping_contexts_cancels_nothing() {
    let (parent, parent_canceller) = Context::background().with_cancel();
    let (child, child_canceller) = parent.with_cancel();
    let sibling = parent.with_name("sibling");
    drop(child);
    assert_eq!(end_of(&parent), None);
    drop(parent);
    assert_eq!(end_of(&sibling), None);
    drop(child_canceller);
    assert_eq!(end_of(&sibling), None);
    parent_canceller.cancel_with("parent");
    assert_eq!(cause_of(&sibling), "parent");
}

// guarantee B4
#[test]
fn cancelling_again_changes_nothing() {
    let (context, canceller) = Context::background().with_cancel();
    canceller.cancel_with("first");
    let origin = context.check().unwrap_err().origin().to_string();
    canceller.cancel_with("second");
    canceller.clone().cancel();
    drop(canceller);
    assert_eq!(cause_of(&context), "first");
    assert_eq!(context.check().unwrap_err().origin().to_string(), origin);
}

// guarantee B3; the symptom: cancelling from a thread outside of every runtime panicked
#[test]
fn a_bare_thread_may_cancel() {
    let (context, canceller) = Context::background().with_cancel();
    std::thread::spawn(move || canceller.cancel_with("bare"))
        .join()
        .unwrap();
    assert_eq!(cause_of(&context), "bare");
}
