//! Which event is the cause: every order of cancel and deadline, of parent and child.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use cancel_context::{Context, DeadlineMover, Kind, Origin};
use tokio::time::{Instant, advance};

use crate::support::tasks::HandTask;
use crate::support::{cause_of, end_of, orders};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, PartialEq, Debug)]
enum Event {
    CancelParent,
    CancelChild,
    ParentDeadline,
    ChildDeadline,
}

use Event::{CancelChild, CancelParent, ChildDeadline, ParentDeadline};

const EVENTS: [Event; 4] = [CancelParent, CancelChild, ParentDeadline, ChildDeadline];

/// How the contexts are watched while the events happen.
#[derive(Clone, Copy, Debug)]
enum Watching {
    /// Nobody looks before all is over.
    Late,
    LateChildFirst,
    /// After each event.
    Always,
    /// Somebody waits at the child.
    Waiting,
}

const WATCHING: [Watching; 4] = [
    Watching::Late,
    Watching::LateChildFirst,
    Watching::Always,
    Watching::Waiting,
];

/// Lets the timer have its tick, and the tasks that it wakes run.
async fn settle() {
    advance(Duration::from_millis(2)).await;
    tokio::task::yield_now().await;
}

/// The first of `events` that ends the parent, and the first that ends the child.
fn expected(events: &[Event]) -> [Option<Event>; 2] {
    let of_parent = |event: &&Event| matches!(event, CancelParent | ParentDeadline);
    [
        events.iter().find(of_parent).copied(),
        events.first().copied(),
    ]
}

fn name(event: Event) -> String {
    format!("{event:?}")
}

/// The time of `event`, if it is among those that happen one second after another.
fn time_of(event: Event, events: &[Event], start: Instant) -> Instant {
    let far = start + 1000 * SECOND;
    let place = events.iter().position(|other| *other == event);
    place.map_or(far, |place| {
        start + SECOND * u32::try_from(place + 1).unwrap()
    })
}

/// The events that happen, in their order: each order of each number of them.
fn all_sequences() -> Vec<Vec<Event>> {
    let full = orders(EVENTS.len());
    let prefixes = full
        .iter()
        .flat_map(|order| (0..=order.len()).map(|end| &order[..end]));
    let mut sequences: Vec<Vec<_>> = prefixes.map(<[_]>::to_vec).collect();
    sequences.sort();
    sequences.dedup();
    let events = |order: Vec<usize>| order.into_iter().map(|number| EVENTS[number]).collect();
    sequences.into_iter().map(events).collect()
}

// guarantee B5
#[tokio::test(start_paused = true)]
async fn the_first_event_is_the_cause_in_every_order_of_parent_and_child() {
    for events in all_sequences() {
        for watching in WATCHING {
            let start = Instant::now();
            let at = |event| time_of(event, &events, start);
            let (above, parent_canceller) = Context::background().with_cancel();
            let parent = above.with_deadline_cause(at(ParentDeadline), name(ParentDeadline));
            let (between, child_canceller) = parent.with_name("below").with_cancel();
            let child = between.with_deadline_cause(at(ChildDeadline), name(ChildDeadline));
            let mut task = HandTask::new(child.cancelled());
            if matches!(watching, Watching::Waiting) {
                task.assert_pending();
            }
            for event in &events {
                advance(SECOND).await;
                match event {
                    CancelParent => parent_canceller.cancel_with(name(*event)),
                    CancelChild => child_canceller.cancel_with(name(*event)),
                    ParentDeadline | ChildDeadline => {}
                }
                if matches!(watching, Watching::Always) {
                    end_of(&child);
                    end_of(&parent);
                }
            }
            if matches!(watching, Watching::LateChildFirst) {
                end_of(&child);
            }
            let seen = [&parent, &child].map(end_of);
            let expected = expected(&events).map(|event| {
                let event = event?;
                let kind = match event {
                    CancelParent | CancelChild => Kind::Cancelled,
                    ParentDeadline | ChildDeadline => Kind::DeadlineExceeded,
                };
                Some((kind, name(event)))
            });
            assert_eq!(seen, expected, "{events:?} {watching:?}");
            if matches!(watching, Watching::Waiting) {
                settle().await;
                assert_eq!(task.wakes(), usize::from(!events.is_empty()), "{events:?}");
            }
        }
    }
}

/// The event that a context's end came from, told by its origin.
fn event_of(context: &Context, parent_line: u32, child_line: u32) -> Option<Event> {
    let cancelled = context.check().err()?;
    Some(match cancelled.origin() {
        Origin::Deadline(place) if place.line() == parent_line => ParentDeadline,
        Origin::Deadline(place) if place.line() == child_line => ChildDeadline,
        Origin::Cancelled(_) if cancelled.cause().to_string() == "parent" => CancelParent,
        Origin::Cancelled(_) => CancelChild,
        other => panic!("{other}"),
    })
}

// guarantee B5, C1
#[tokio::test(start_paused = true)]
async fn the_first_event_is_the_cause_with_deadlines_that_were_moved_too() {
    for events in all_sequences() {
        for is_watched in [false, true] {
            let start = Instant::now();
            let far = start + 500 * SECOND;
            let (above, parent_canceller) = Context::background().with_cancel();
            let parent_line = line!() + 1;
            let (parent, parent_mover) = above.with_movable_deadline(far);
            let (between, child_canceller) = parent.with_cancel();
            let child_line = line!() + 1;
            let (child, child_mover) = between.with_movable_deadline(far);
            let mut task = HandTask::new(child.cancelled());
            if is_watched {
                task.assert_pending();
            }
            assert!(parent_mover.move_to(time_of(ParentDeadline, &events, start)));
            assert!(child_mover.move_to(time_of(ChildDeadline, &events, start)));
            for event in &events {
                advance(SECOND).await;
                match event {
                    CancelParent => parent_canceller.cancel_with("parent"),
                    CancelChild => child_canceller.cancel_with("child"),
                    ParentDeadline | ChildDeadline => {}
                }
            }
            let seen = [&parent, &child].map(|it| event_of(it, parent_line, child_line));
            assert_eq!(seen, expected(&events), "{events:?}");
            if is_watched {
                settle().await;
                assert_eq!(task.wakes(), usize::from(!events.is_empty()), "{events:?}");
            }
        }
    }
}

// guarantee B5, C1
#[tokio::test(start_paused = true)]
async fn of_equal_deadlines_that_of_the_parent_is_the_cause() {
    let at = Instant::now() + SECOND;
    let parent = Context::background().with_deadline_cause(at, "parent");
    let child = parent.with_deadline_cause(at, "child");
    let (moved, mover) = child.with_movable_deadline(at + SECOND);
    assert!(mover.move_to(at));
    advance(SECOND).await;
    assert_eq!([&moved, &child].map(cause_of), ["parent", "parent"]);
}

// guarantee B5
#[tokio::test(start_paused = true)]
async fn an_explicit_cancel_does_not_use_the_cause_of_the_timeout() {
    let (parent, canceller) = Context::background().with_cancel();
    let child = parent.with_timeout_cause(SECOND, "budget");
    canceller.cancel();
    assert_eq!(
        end_of(&child),
        Some((Kind::Cancelled, "context canceled".into()))
    );
    advance(2 * SECOND).await;
    assert_eq!(
        end_of(&child),
        Some((Kind::Cancelled, "context canceled".into()))
    );
}

// guarantee B5
#[tokio::test(start_paused = true)]
async fn an_end_never_changes_once_it_was_seen() {
    let (parent, parent_canceller) = Context::background().with_cancel();
    let child = parent.with_timeout_cause(SECOND, "child");
    advance(SECOND).await;
    let cause = child.cause().unwrap();
    parent_canceller.cancel_with("parent");
    advance(SECOND).await;
    assert!(Arc::ptr_eq(&cause, &child.cause().unwrap()));
    assert_eq!(cause_of(&parent), "parent");
}

// guarantee B5
#[tokio::test(start_paused = true)]
async fn a_deadline_that_has_passed_unseen_comes_before_a_cancel_now() {
    let (context, canceller) = Context::background()
        .with_timeout_cause(SECOND, "above")
        .with_cancel();
    let merged = Context::any([
        context.clone(),
        Context::background().with_cancel().0.without_cancel(),
    ]);
    advance(2 * SECOND).await;
    canceller.cancel_with("too late");
    assert_eq!(cause_of(&context), "above");
    assert_eq!(cause_of(&merged), "above");
}

// guarantee B5; in Go a child of an ended parent takes the parent's end, whatever its own deadline
#[tokio::test(start_paused = true)]
async fn a_deadline_in_the_past_does_not_hide_the_end_of_the_parent() {
    let start = Instant::now();
    let (parent, canceller) = Context::background().with_cancel();
    advance(10 * SECOND).await;
    canceller.cancel_with("parent");
    for passed in [Duration::ZERO, SECOND] {
        advance(passed).await;
        let children = [
            parent.with_timeout_cause(Duration::ZERO, "child"),
            parent.with_deadline_cause(start + SECOND, "child"),
            parent.with_movable_deadline(start).0,
        ];
        for child in children {
            assert_eq!(end_of(&child), Some((Kind::Cancelled, "parent".into())));
        }
    }
}

// guarantee B5; as above, with a deadline above
#[tokio::test(start_paused = true)]
async fn a_deadline_in_the_past_does_not_hide_the_deadline_of_the_parent() {
    let start = Instant::now();
    let parent = Context::background().with_timeout_cause(5 * SECOND, "parent");
    advance(10 * SECOND).await;
    let child = parent.with_deadline_cause(start + SECOND, "child");
    assert_eq!(cause_of(&child), "parent");
}

// guarantee B5
#[tokio::test(start_paused = true)]
async fn a_deadline_in_the_past_is_an_event_of_the_moment_it_was_set() {
    let start = Instant::now();
    let (early, canceller) = Context::background().with_cancel();
    advance(5 * SECOND).await;
    canceller.cancel_with("at 5");
    advance(5 * SECOND).await;
    let late = Context::background().with_deadline_cause(start + SECOND, "at 10");
    assert_eq!(cause_of(&Context::all([early, late])), "at 10");
}

// guarantee B5, C1
#[tokio::test(start_paused = true)]
async fn a_deadline_moved_into_the_past_is_an_event_of_the_moment_it_was_moved() {
    for is_watched in [false, true] {
        let start = Instant::now();
        let (parent, mover): (_, DeadlineMover) =
            Context::background().with_movable_deadline(start + 60 * SECOND);
        let child = parent.with_timeout_cause(5 * SECOND, "child");
        advance(10 * SECOND).await;
        if is_watched {
            assert_eq!(cause_of(&child), "child");
        }
        assert!(mover.move_to(start + SECOND));
        assert!(parent.is_cancelled());
        assert_eq!(cause_of(&child), "child", "watched: {is_watched}");
    }
}

// guarantee B5, C3
#[tokio::test(start_paused = true)]
async fn a_cancel_from_a_thread_without_a_runtime_keeps_the_order_of_events() {
    // The deadline comes first.
    let (parent, canceller) = Context::background().with_cancel();
    let child = parent.with_timeout_cause(SECOND, "child");
    advance(3600 * SECOND).await;
    thread::spawn(move || canceller.cancel_with("parent"))
        .join()
        .unwrap();
    assert_eq!(cause_of(&child), "child");
    // The cancel comes first; real time may go on for as long as it likes.
    let (parent, canceller) = Context::background().with_cancel();
    let child = parent.with_timeout_cause(SECOND, "child");
    thread::spawn(move || canceller.cancel_with("parent"))
        .join()
        .unwrap();
    advance(2 * SECOND).await;
    assert_eq!(cause_of(&child), "parent");
}

// guarantee B5
#[tokio::test(start_paused = true)]
async fn a_cancel_that_nobody_saw_has_the_moment_it_was_called_at() {
    let (parent, canceller) = Context::background().with_cancel();
    let [before, after] = [3, 7].map(|seconds| parent.with_timeout(seconds * SECOND));
    let unrelated = Context::background().with_timeout(4 * SECOND);
    let last = Context::all([parent.clone(), unrelated]);
    advance(5 * SECOND).await;
    canceller.cancel();
    advance(5 * SECOND).await;
    assert_eq!(before.err(), Some(Kind::DeadlineExceeded));
    assert_eq!(after.err(), Some(Kind::Cancelled));
    assert_eq!(last.err(), Some(Kind::Cancelled));
}

// guarantee B5
#[tokio::test(start_paused = true)]
async fn of_cancels_at_one_instant_that_nobody_saw_the_first_comes_first() {
    let (early, early_canceller) = Context::background().with_cancel();
    let (late, late_canceller) = Context::background().with_cancel();
    let sources = || [late.clone(), early.clone()];
    let (first, last) = (Context::any(sources()), Context::all(sources()));
    early_canceller.cancel();
    drop(late_canceller);
    let origin = |context: &Context| context.check().unwrap_err().origin().clone();
    assert!(matches!(origin(&first), Origin::Cancelled(_)));
    assert!(matches!(origin(&last), Origin::Dropped(_)));
}
