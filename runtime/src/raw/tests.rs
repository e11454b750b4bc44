//! What the handles, cells and words of [`super`] own and give back.

use super::{Handle, Lend, Loose, ONWARD, OnceArc, OnceBox, Slot, Tagged, Upward};
use crate::context::Context;
use std::sync::Arc;

#[test]
fn counts_follow_clones_and_drops() {
    let value = Arc::new(7);
    let handle = Handle::shared(Arc::clone(&value));
    let second = handle.clone();
    assert_eq!(Arc::strong_count(&value), 3);
    assert_eq!(handle.strong_count(), 3);
    assert_eq!(handle.address(), second.address());
    drop(handle);
    assert_eq!(Arc::strong_count(&value), 2);
    assert_eq!(second.into_arc().as_deref(), Some(&7));
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn roots_have_no_value_and_no_count() {
    let background = Handle::<u64>::background();
    assert!(background.clone().get().is_none() && !background.is_todo());
    let todo = Handle::<u64>::todo();
    assert!(todo.get().is_none() && todo.clone().is_todo());
    assert_eq!(background.strong_count(), 0);
    assert!(background.into_arc().is_none());
}

struct Text;

impl Lend for Text {
    type Value<'a> = &'a str;

    fn shorten<'short, 'long: 'short>(value: &'short &'long str) -> &'short &'short str {
        value
    }
}

#[test]
fn a_slot_has_what_is_lent_and_gives_it_back_after_a_panic() {
    let slot = Slot::<Text>::new(&"");
    let seen = || slot.look(|text| (*text).to_owned());
    let (outer, inner) = ("outer".to_owned(), "inner".to_owned());
    slot.lend(&outer.as_str(), || {
        let nested = std::panic::AssertUnwindSafe(|| {
            slot.lend(&inner.as_str(), || {
                assert_eq!(seen(), "inner");
                std::panic::panic_any(1)
            })
        });
        std::panic::catch_unwind(nested).unwrap_err();
        assert_eq!(seen(), "outer");
    });
    assert_eq!(seen(), "");
}

#[test]
fn the_first_value_that_is_set_stays_and_is_dropped_with_its_cell() {
    let (first, second) = (Arc::new(1), Arc::new(2));
    let cell = OnceArc::<_, u32>::new();
    assert!(cell.get().is_none() && cell.get_arc().is_none());
    assert!(cell.set(Arc::clone(&first)).is_none());
    assert_eq!(cell.set(Arc::clone(&second)).as_deref(), Some(&2));
    assert_eq!(Arc::strong_count(&second), 1);
    assert_eq!(
        (cell.get(), cell.get_arc().as_deref()),
        (Some(&1), Some(&1))
    );
    assert_eq!(Arc::strong_count(&first), 2);
    drop(cell);
    assert_eq!(Arc::strong_count(&first), 1);
}

#[test]
fn a_word_has_what_it_borrows_with_a_box_and_without() {
    let (one, two) = (1_u64, 2_u64);
    let counted = Arc::new(());
    let mut word = Tagged::<u64, Arc<()>>::new(&one);
    assert_eq!(*word.borrowed(), 1);
    assert!(word.take_box().is_none());
    let boxed = Box::new(Loose::new(Arc::clone(&counted)));
    let mut word = Tagged::boxed(&one, boxed);
    assert_eq!(*word.borrowed(), 1);
    let boxed = word.take_box().expect("it was given one");
    let word = Tagged::boxed(&two, boxed);
    assert_eq!((*word.borrowed(), Arc::strong_count(&counted)), (2, 2));
    drop(word);
    assert_eq!(Arc::strong_count(&counted), 1);
}

#[test]
fn a_box_may_have_a_number_in_its_place_until_it_is_set() {
    let counted = Arc::new(());
    let mut cell = OnceBox::new();
    assert!(cell.enter_number(7) && !cell.enter_number(8));
    assert_eq!((cell.number(), cell.is_set()), (Some(7), false));
    cell.take_number();
    assert!(!cell.is_taken());
    assert!(!cell.enter_number(usize::MAX), "it does not fit");
    assert!(cell.enter_number(0) && cell.get().is_none());
    let boxed = || Box::new(Arc::clone(&counted));
    assert!(cell.set(None, boxed()).is_err());
    assert!(cell.set(Some(0), boxed()).is_ok());
    assert!(cell.set(Some(0), boxed()).is_err());
    assert!(cell.get().is_some() && cell.number().is_none() && cell.is_set());
    assert_eq!(Arc::strong_count(&counted), 2);
    drop(cell);
    assert_eq!(Arc::strong_count(&counted), 1);
}

#[test]
fn a_walk_up_takes_two_levels_at_a_time_and_ends_at_what_hangs_on_a_root() {
    let (top, _top_canceller) = Context::background().with_cancel();
    let mut all = vec![top];
    for level in 0..5 {
        all.push(all[level].with_name("below"));
    }
    let node = |level: usize| all[level].node().expect("it is no root");
    assert!(node(0).up.next_two().is_none());
    for level in 1..6 {
        let (first, second) = node(level).up.next_two().expect("it hangs on a node");
        assert!(std::ptr::eq(first, node(level - 1)));
        assert!(std::ptr::eq(second, node(level.saturating_sub(2))));
        assert!(std::ptr::eq(Upward::first_to_stay(node(level)), node(0)));
        assert_eq!(node(level).lineage(), &all[level - 1]);
    }
}

#[test]
fn what_has_ended_stays_on_its_way_up_although_it_knows_one_level_only() {
    let (top, canceller) = Context::background().with_cancel();
    let (middle, _middle_canceller) = top.with_value(1_u8).with_cancel();
    let bottom = middle.with_name("bottom");
    canceller.cancel();
    assert!(bottom.is_cancelled());
    let node = bottom.node().expect("it is no root");
    assert!(node.up.next_two().is_none());
    assert_eq!(bottom.value::<u8>(), Some(&1));
    assert_eq!(node.lineage(), &middle);
}

#[test]
#[should_panic(expected = "that state takes an address")]
fn what_hangs_on_a_root_cannot_be_passed_by() {
    drop(Upward::new(ONWARD, Context::background()));
}
