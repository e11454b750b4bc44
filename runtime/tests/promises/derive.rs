//! Each way to derive a context, and what it inherits.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cancel_context::{Context, Kind};

use crate::support::{cause_of, end_of};

const LONG: Duration = Duration::from_secs(3600);

fn long_ago() -> Instant {
    Instant::now().checked_sub(Duration::from_secs(60)).unwrap()
}

// guarantee B2
#[test]
fn a_child_ends_with_its_parent_and_not_the_other_way_round() {
    let (parent, parent_canceller) = Context::background().with_cancel();
    let (child, child_canceller) = parent.with_cancel();
    let grandchild = child.with_name("grandchild");
    child_canceller.cancel_with("child");
    assert_eq!(end_of(&parent), None);
    assert_eq!(cause_of(&grandchild), "child");
    let second = parent.with_value(2_u8);
    parent_canceller.cancel_with("parent");
    assert_eq!(cause_of(&second), "parent");
    assert_eq!(cause_of(&child), "child");
}

// guarantee B2
#[test]
fn without_an_explicit_cause_it_is_the_error_of_the_kind() {
    let (cancelled, canceller) = Context::background().with_cancel();
    canceller.cancel();
    let cause = cancelled.cause().unwrap();
    assert_eq!(cause.downcast_ref(), Some(&Kind::Cancelled));
    assert_eq!(cause.to_string(), "context canceled");

    let timed_out = Context::background().with_timeout(Duration::ZERO);
    let cause = timed_out.cause().unwrap();
    assert_eq!(cause.downcast_ref(), Some(&Kind::DeadlineExceeded));
    assert_eq!(cause.to_string(), "context deadline exceeded");
}

// guarantee B2; the symptom: a cause without an error, or an error without a cause, for contexts of
// a rarer kind
#[test]
fn cause_is_none_exactly_while_err_is_for_every_kind_of_context() {
    let (parent, canceller) = Context::background().with_cancel();
    let far = Instant::now() + LONG;
    let contexts = [
        parent.clone(),
        parent.with_cancel().0,
        parent.with_timeout(LONG),
        parent.with_deadline(far),
        parent.with_timeout_cause(LONG, "timeout"),
        parent.with_deadline_cause(far, "deadline"),
        parent.with_movable_deadline(far).0,
        parent.with_value(1_u8),
        parent.with_name("name"),
        parent.with_future(std::future::pending::<&str>()),
        parent.with_future(std::future::ready("done")),
        parent.without_cancel(),
        Context::any([parent.clone(), Context::background()]),
        Context::all([parent.clone()]),
        Context::all([parent.clone(), Context::background()]),
    ];
    // `end_of` asserts it.
    let ended = |contexts: &[Context]| contexts.iter().filter(|it| end_of(it).is_some()).count();
    assert_eq!(
        ended(&contexts),
        2,
        "a dropped canceller and a completed future"
    );
    canceller.cancel();
    assert_eq!(ended(&contexts), contexts.len() - 2);
}

// guarantee B2
#[test]
fn timeouts_and_deadlines_carry_their_own_cause() {
    let root = Context::background();
    let past = long_ago();
    let cases = [
        (
            root.with_timeout(Duration::ZERO),
            "context deadline exceeded",
        ),
        (root.with_deadline(past), "context deadline exceeded"),
        (root.with_timeout_cause(Duration::ZERO, "budget"), "budget"),
        (root.with_deadline_cause(past, "closed"), "closed"),
        (
            root.with_movable_deadline(past).0,
            "context deadline exceeded",
        ),
    ];
    for (context, cause) in cases {
        assert_eq!(
            end_of(&context),
            Some((Kind::DeadlineExceeded, cause.into()))
        );
    }
}

// guarantee B2
#[test]
fn a_cause_is_any_shared_error_and_is_not_wrapped_again() {
    let shared: cancel_context::Cause = Arc::new(io::Error::other("disk full"));
    let (first, canceller) = Context::background().with_cancel();
    canceller.cancel_with(Arc::clone(&shared));
    let cause = first.cause().unwrap();
    assert!(Arc::ptr_eq(&cause, &shared));
    assert!(cause.downcast_ref::<io::Error>().is_some());

    let boxed: Box<dyn std::error::Error + Send + Sync> = "text".into();
    let (second, canceller) = Context::background().with_cancel();
    canceller.cancel_with(boxed);
    assert_eq!(cause_of(&second), "text");
}

// guarantee B2
#[test]
fn without_cancel_ends_with_nothing_above() {
    let (parent, canceller) = Context::background().with_value(7_u8).with_cancel();
    let parent = parent.with_name("job").with_timeout(LONG);
    let audit = parent.without_cancel();
    canceller.cancel();
    assert_eq!(end_of(&audit), None);
    assert_eq!((audit.deadline(), audit.remaining()), (None, None));
    assert_eq!(audit.value::<u8>(), Some(&7));
    assert_eq!(audit.path(), "job");
    let (below, below_canceller) = audit.with_name("below").with_cancel();
    assert_eq!(end_of(&below), None);
    below_canceller.cancel_with("its own");
    assert_eq!(cause_of(&below), "its own");
    assert_eq!(end_of(&audit), None);
}

// guarantee B2
#[test]
fn names_make_a_path_from_the_root() {
    let context = Context::background().with_name("gateway");
    let context = context
        .with_value(1_u8)
        .with_name(String::from("request 7/db"));
    assert_eq!(context.path(), "gateway/request 7/db");
    let merged = Context::any([context, Context::background().with_name("other")]);
    assert_eq!(merged.with_name("last").path(), "gateway/request 7/db/last");
}

// guarantee B2
#[test]
fn remaining_is_zero_once_a_context_has_ended() {
    let (context, canceller) = Context::background().with_cancel();
    let timed = context.with_timeout(LONG);
    let left = timed.remaining().unwrap();
    assert!(left > LONG / 2 && left <= LONG, "{left:?}");
    assert_eq!(context.remaining(), None);
    canceller.cancel();
    assert_eq!(timed.remaining(), Some(Duration::ZERO));
    assert_eq!(
        Context::background().with_deadline(long_ago()).remaining(),
        Some(Duration::ZERO)
    );
}

// guarantee B2
#[test]
fn remaining_is_zero_once_ended_without_a_deadline_too() {
    let (context, canceller) = Context::background().with_cancel();
    canceller.cancel();
    assert_eq!(context.remaining(), Some(Duration::ZERO));
}

// guarantee B2
#[test]
fn check_gives_the_end_to_blocking_code() {
    fn work(context: &Context) -> Result<u8, cancel_context::Cancelled> {
        context.check()?;
        Ok(7)
    }
    let (context, canceller) = Context::background().with_cancel();
    assert_eq!(work(&context).unwrap(), 7);
    canceller.cancel_with("enough");
    assert_eq!(work(&context).unwrap_err().cause().to_string(), "enough");
}

// guarantee B2; the symptom: a deadline that can be set anew un-cancels its context
#[test]
fn nothing_revives_a_context() {
    let (context, mover) = Context::background().with_movable_deadline(long_ago());
    let (child, canceller) = context.with_cancel();
    assert!(context.is_cancelled());
    let cause = context.cause().unwrap();
    assert!(!mover.move_to(Instant::now() + LONG));
    canceller.cancel_with("later");
    assert_eq!(context.cause().unwrap().to_string(), cause.to_string());
    assert_eq!(context.deadline(), child.deadline());
    assert_eq!(cause_of(&child), "context deadline exceeded");
    assert_eq!(
        cause_of(&context.with_timeout(LONG)),
        "context deadline exceeded"
    );
}

// guarantee B4; the symptom: a constructor that races with a parent that has ended already
#[test]
fn what_is_derived_from_an_ended_context_has_ended() {
    let (parent, canceller) = Context::background().with_cancel();
    canceller.cancel_with("first");
    let far = Instant::now() + LONG;
    let (cancellable, _canceller) = parent.with_cancel();
    let (movable, _mover) = parent.with_movable_deadline(far);
    let derived = [
        cancellable,
        movable,
        parent.with_timeout(LONG),
        parent.with_value(1_u8),
        parent.with_name("name"),
        parent.with_future(std::future::pending::<&str>()),
        Context::any([Context::background(), parent.clone()]),
        Context::all([parent.clone(), parent.clone()]),
    ];
    for context in derived {
        assert_eq!(end_of(&context), Some((Kind::Cancelled, "first".into())));
    }
    assert_eq!(end_of(&parent.without_cancel()), None);
}
