//! `any` and `all`: whose end they take, in every order, and how they wait.

use std::time::{Duration, Instant};

use cancel_context::private::children;
use cancel_context::{Canceller, Context, Kind};

use crate::support::tasks::HandTask;
use crate::support::{cause_of, end_of, orders};

const LONG: Duration = Duration::from_secs(3600);

fn sources(count: usize) -> (Vec<Context>, Vec<Canceller>) {
    let pair = |number: usize| Context::background().with_value(number).with_cancel();
    (0..count).map(pair).unzip()
}

fn after(seconds: u64) -> Context {
    Context::background().with_timeout(LONG + Duration::from_secs(seconds))
}

fn before(seconds: u64) -> Instant {
    Instant::now()
        .checked_sub(Duration::from_secs(seconds))
        .unwrap()
}

// guarantee B2
#[test]
fn any_ends_with_the_first_of_its_sources_in_every_order() {
    for order in orders(3) {
        for is_watched in [false, true] {
            let (contexts, cancellers) = sources(3);
            let any = Context::any(contexts);
            for source in &order {
                if is_watched {
                    cause_of(&any);
                }
                cancellers[*source].cancel_with(source.to_string());
            }
            assert_eq!(end_of(&any), Some((Kind::Cancelled, order[0].to_string())));
        }
    }
}

// guarantee B2
#[test]
fn all_ends_with_the_last_of_its_sources_in_every_order() {
    for order in orders(3) {
        for is_watched in [false, true] {
            let (contexts, cancellers) = sources(3);
            let all = Context::all(contexts);
            for (number, source) in order.iter().enumerate() {
                if is_watched || number == 2 {
                    assert_eq!(end_of(&all), None);
                }
                cancellers[*source].cancel_with(source.to_string());
            }
            assert_eq!(end_of(&all), Some((Kind::Cancelled, order[2].to_string())));
        }
    }
}

// guarantee B2
#[test]
fn of_several_ended_already_the_first_in_the_list_counts_for_any() {
    for order in orders(3) {
        let (mut contexts, cancellers) = sources(3);
        for source in &order {
            cancellers[*source].cancel_with(source.to_string());
        }
        contexts.insert(0, Context::background());
        assert_eq!(cause_of(&Context::any(contexts)), "0");
    }
}

// guarantee B2
#[test]
fn all_of_several_ended_already_takes_the_last_to_end() {
    for order in orders(3) {
        let (contexts, cancellers) = sources(3);
        for source in &order {
            cancellers[*source].cancel_with(source.to_string());
        }
        assert_eq!(cause_of(&Context::all(contexts)), order[2].to_string());
    }
}

// guarantee B2
#[test]
fn without_sources_a_merge_never_ends() {
    for merge in [Context::any([]), Context::all([])] {
        assert_eq!(end_of(&merge), None);
        assert_eq!(merge.deadline(), None);
        let callback = merge.after_cancel(|| unreachable!("nothing ends it"));
        assert!(callback.stop());
        HandTask::new(merge.cancelled()).assert_pending();
    }
}

// guarantee B2
#[test]
fn a_merge_of_one_source_ends_with_it() {
    for merge in [Context::any, Context::all] as [fn([Context; 1]) -> Context; 2] {
        let (source, canceller) = Context::background().with_cancel();
        let merge = merge([source]);
        assert_eq!(end_of(&merge), None);
        canceller.cancel_with("the only one");
        assert_eq!(cause_of(&merge), "the only one");
    }
}

// guarantee B2
#[test]
fn all_with_a_source_that_never_ends_never_ends() {
    let (source, canceller) = Context::background().with_cancel();
    let all = Context::all([source, Context::background()]);
    canceller.cancel();
    assert_eq!(end_of(&all), None);
    assert_eq!(all.deadline(), None);
}

// guarantee B2
#[test]
fn any_has_the_earliest_deadline_and_all_the_latest_if_all_have_one() {
    let (early, late) = (after(1), after(9));
    let without = Context::background().with_name("without");
    for sources in [
        [&early, &late, &late],
        [&late, &early, &late],
        [&late, &late, &early],
    ] {
        let any = Context::any(sources.map(Clone::clone));
        let all = Context::all(sources.map(Clone::clone));
        assert_eq!(any.with_name("below").deadline(), early.deadline());
        assert_eq!(all.with_name("below").deadline(), late.deadline());
    }
    assert_eq!(
        Context::any([without.clone(), late.clone()]).deadline(),
        late.deadline()
    );
    assert_eq!(Context::all([late.clone(), without]).deadline(), None);
    assert_eq!(
        Context::all([late.clone(), Context::background()]).deadline(),
        None
    );
    let narrowed = Context::all([late.clone()]).with_deadline(early.deadline().unwrap());
    assert_eq!(narrowed.deadline(), early.deadline());
    let not_widened = Context::any([early.clone()]).with_deadline(late.deadline().unwrap());
    assert_eq!(not_widened.deadline(), early.deadline());
}

// guarantee B2
#[test]
fn the_deadline_of_nested_merges_counts_what_is_between_them() {
    let (early, middle, late) = (after(1), after(5), after(9));
    let inner = Context::any([late.clone()]).with_deadline(middle.deadline().unwrap());
    let same = inner.with_name("same");
    let all = Context::all([inner, same, Context::any([early.clone()])]);
    assert_eq!(all.deadline(), middle.deadline());
    assert_eq!(
        Context::any([all.clone(), late]).deadline(),
        middle.deadline()
    );
    assert_eq!(
        Context::any([all, early.clone()]).deadline(),
        early.deadline()
    );
}

// guarantee B5
#[test]
fn the_earlier_event_ends_any_and_the_later_one_all_however_late_it_is_seen() {
    let (cancelled, canceller) = Context::background().with_cancel();
    let timed = Context::background().with_deadline_cause(before(5), "deadline");
    canceller.cancel_with("cancel");
    let both = || [cancelled.clone(), timed.clone()];
    assert_eq!(cause_of(&Context::all(both())), "cancel");
    let nested = Context::all([Context::any([timed.clone()]), cancelled.clone()]);
    assert_eq!(cause_of(&nested), "cancel");
}

// guarantee B2
#[test]
fn diamonds_of_merges_are_walked_without_repetition() {
    let (source, canceller) = Context::background().with_cancel();
    let mut context = source.with_timeout(LONG);
    for depth in 0..200 {
        let sides = [context.with_name("left"), context.with_value(depth)];
        context = if depth % 2 == 0 {
            Context::any(sides)
        } else {
            Context::all(sides)
        };
        assert_eq!(end_of(&context), None);
    }
    assert!(context.deadline().is_some());
    let callback = context.after_cancel(|| {});
    canceller.cancel_with("the only end");
    assert_eq!(cause_of(&context), "the only end");
    assert!(!callback.stop());
}

// guarantee B2
#[test]
fn one_context_may_be_the_source_of_a_merge_twice() {
    let (source, canceller) = Context::background().with_cancel();
    let below = source.with_name("below");
    let any = Context::any([source.clone(), below.clone(), source.clone()]);
    let all = Context::all([below, any.clone(), source.clone()]);
    let mut task = HandTask::new(all.cancelled());
    task.assert_pending();
    canceller.cancel_with("source");
    assert_eq!(task.wakes(), 1);
    assert_eq!(task.assert_ready().cause().to_string(), "source");
    assert_eq!(cause_of(&any), "source");
    assert_eq!(children(&source), 0);
}

// guarantee B4
#[test]
fn who_waits_at_a_merge_is_woken_when_it_ends_and_not_before() {
    for order in orders(3) {
        let (contexts, cancellers) = sources(3);
        let (any, all) = (Context::any(contexts.clone()), Context::all(contexts));
        let mut first = HandTask::new(any.cancelled());
        let mut last = HandTask::new(all.cancelled());
        first.assert_pending();
        last.assert_pending();
        for (number, source) in order.iter().enumerate() {
            assert_eq!(last.wakes(), 0);
            cancellers[*source].cancel_with(source.to_string());
            assert_eq!(first.wakes(), 1, "after {number} of {order:?}");
        }
        assert_eq!(last.wakes(), 1);
        assert_eq!(
            first.assert_ready().cause().to_string(),
            order[0].to_string()
        );
        assert_eq!(
            last.assert_ready().cause().to_string(),
            order[2].to_string()
        );
    }
}

// guarantee B8
#[test]
fn a_merge_is_at_its_sources_only_while_somebody_waits() {
    let (contexts, cancellers) = sources(2);
    let linked = || contexts.iter().map(children).collect::<Vec<_>>();
    for merge in [Context::any, Context::all] as [fn(Vec<Context>) -> Context; 2] {
        let merge = merge(contexts.clone());
        assert_eq!(linked(), [0, 0]);
        let mut task = HandTask::new(merge.with_cancel().0.without_cancel().cancelled_owned());
        task.assert_pending();
        assert_eq!(linked(), [0, 0], "it does not end with the merge");
        let mut task = HandTask::new(merge.cancelled());
        task.assert_pending();
        assert_eq!(linked(), [1, 1]);
        drop(task);
        assert_eq!(linked(), [0, 0]);
    }
    drop(cancellers);
}

// guarantee B8; the symptom: an error when a linked context is disposed while its source cancels
#[test]
fn a_merge_that_has_ended_leaves_the_sources_that_live_on() {
    let (contexts, cancellers) = sources(2);
    let any = Context::any(contexts.clone());
    let mut task = HandTask::new(any.cancelled());
    task.assert_pending();
    cancellers[0].cancel_with("first");
    assert_eq!(contexts.iter().map(children).collect::<Vec<_>>(), [0, 0]);
    assert_eq!(task.assert_ready().cause().to_string(), "first");
    assert_eq!(end_of(&contexts[1]), None);
    assert_eq!(
        contexts[1].handle_count(),
        3,
        "this handle, its canceller, and the merge"
    );
    drop(task);
    drop(any);
    assert_eq!(contexts[1].handle_count(), 2);
}
