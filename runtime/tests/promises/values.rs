//! Values by type.

use std::sync::Arc;

use cancel_context::Context;

#[derive(Debug, PartialEq)]
struct UserId(u64);

#[derive(Debug, PartialEq)]
struct TenantId(u64);

// guarantee B7
#[test]
fn a_value_is_found_by_its_type_nearest_first() {
    let outer = Context::background()
        .with_value(UserId(1))
        .with_value("text");
    let (inner, _canceller) = outer.with_name("inner").with_value(UserId(2)).with_cancel();
    assert_eq!(inner.value(), Some(&UserId(2)));
    assert_eq!(outer.value(), Some(&UserId(1)));
    assert_eq!(inner.value(), Some(&"text"));
    assert_eq!(inner.value::<String>(), None);
}

// guarantee B7
#[test]
fn newtypes_are_keys_of_their_own() {
    let context = Context::background()
        .with_value(UserId(1))
        .with_value(TenantId(2))
        .with_value(3_u64);
    assert_eq!(context.value(), Some(&UserId(1)));
    assert_eq!(context.value(), Some(&TenantId(2)));
    assert_eq!(context.value(), Some(&3_u64));
}

// guarantee B7
#[test]
fn without_cancel_keeps_values() {
    let (context, canceller) = Context::background().with_value(UserId(1)).with_cancel();
    let detached = context.without_cancel().with_name("audit");
    canceller.cancel();
    assert_eq!(detached.value(), Some(&UserId(1)));
    assert_eq!(
        context.value(),
        Some(&UserId(1)),
        "an ended context keeps them, too"
    );
}

// guarantee B7
#[test]
fn a_merge_has_the_values_of_its_first_source() {
    let first = Context::background().with_value(UserId(1));
    let second = Context::background()
        .with_value(UserId(2))
        .with_value(TenantId(2));
    for merge in [
        Context::any([first.clone(), second.clone()]),
        Context::all([first, second]),
    ] {
        assert_eq!(merge.value(), Some(&UserId(1)));
        assert_eq!(merge.value::<TenantId>(), None);
    }
}

// guarantee B7
#[test]
fn a_value_lives_as_long_as_a_context_that_can_find_it() {
    let value = Arc::new(());
    let context = Context::background().with_value(Arc::clone(&value));
    let child = context.with_name("child");
    drop(context);
    assert!(Arc::ptr_eq(child.value::<Arc<()>>().unwrap(), &value));
    drop(child);
    assert_eq!(Arc::strong_count(&value), 1);
}
