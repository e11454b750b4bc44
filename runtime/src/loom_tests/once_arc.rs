//! The shared value that is set once.
//!
//! Loom knows when the atomic inside was made: whoever loads from it without having seen that, fails.
//!
//! No bound on preemptions; less than 1 s of one core.

use std::sync::Arc;

use loom::sync::atomic::{AtomicUsize, Ordering};

use super::{check, race, race_three};
use crate::raw::{Found, Mark, OnceArc};

type Cell = Arc<OnceArc<AtomicUsize, u32>>;

fn set(cell: &Cell, value: usize) -> Option<Arc<AtomicUsize>> {
    cell.set(Arc::new(AtomicUsize::new(value)))
}

fn read(value: &AtomicUsize) -> usize {
    value.load(Ordering::Relaxed)
}

#[test]
fn of_two_who_set_it_one_gets_its_value_back_and_sees_the_other_one() {
    check(usize::from(u8::MAX), || {
        let cell = Cell::new(OnceArc::new());
        let (one, other) = (Arc::clone(&cell), Arc::clone(&cell));
        let set_and_read = |cell: &Cell, value| {
            let refused = set(cell, value);
            assert!(
                refused
                    .as_deref()
                    .is_none_or(|refused| read(refused) == value)
            );
            (refused.is_none(), cell.get().map(read))
        };
        let (first, second) = race(
            move || set_and_read(&one, 1),
            move || set_and_read(&other, 2),
        );
        assert_ne!(first.0, second.0, "exactly one has set it");
        assert_eq!(first.1, second.1);
        assert_eq!(first.1, Some(if first.0 { 1 } else { 2 }));
    });
}

#[test]
fn who_sees_that_it_is_set_sees_the_value_and_may_keep_it() {
    check(usize::from(u8::MAX), || {
        let cell = Cell::new(OnceArc::new());
        let (sets, looks) = (Arc::clone(&cell), Arc::clone(&cell));
        let ((), looked, kept) = race_three(
            move || assert!(set(&sets, 1).is_none()),
            move || looks.get().map(read),
            move || {
                let kept = cell.get_arc();
                assert!(kept.as_deref().is_none_or(|kept| read(kept) == 1));
                kept
            },
        );
        assert!(looked.is_none_or(|value| value == 1));
        if let Some(kept) = kept {
            assert_eq!(Arc::strong_count(&kept), 1, "it went with its cell");
        }
    });
}

#[test]
fn a_mark_gives_way_to_one_value_and_a_value_to_none() {
    static PLACE: u32 = 0;
    check(usize::from(u8::MAX), || {
        let cell = Cell::new(OnceArc::new());
        let (marks, sets, replaces) = (Arc::clone(&cell), Arc::clone(&cell), Arc::clone(&cell));
        let mark = || Mark {
            at: &PLACE,
            is_second: true,
        };
        let (is_marked, refused, replaced) = race_three(
            move || marks.set_mark(&mark()),
            move || set(&sets, 1).is_some(),
            move || {
                let Found::Mark(mark) = replaces.look() else {
                    return None;
                };
                assert!(std::ptr::eq(mark.at, &raw const PLACE) && mark.is_second);
                let value = Arc::new(AtomicUsize::new(2));
                assert!(replaces.set_marked(&mark, value).is_none());
                replaces.get().map(read)
            },
        );
        assert_eq!(is_marked, refused, "one of them came first");
        assert!(replaced.is_none_or(|value| value == 2 && is_marked));
        let found = cell.get().map(read);
        assert_eq!(found, if is_marked { replaced } else { Some(1) });
        assert!(!cell.is_before_set());
    });
}
