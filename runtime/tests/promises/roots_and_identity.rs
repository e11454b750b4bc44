//! Roots, identity and `Debug`.

use std::collections::HashSet;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use cancel_context::private::{children, waiting};
use cancel_context::{AsContext, Canceller, Context, DeadlineMover};
use futures::FutureExt;

use crate::support::end_of;

const BACKGROUND: Context = Context::background();
static TODO: Context = Context::todo();

// guarantee B1
#[test]
fn roots_never_end_and_have_no_deadline_value_or_memory() {
    for root in [Context::background(), Context::todo()] {
        assert_eq!(end_of(&root), None);
        assert_eq!(root.deadline(), None);
        assert_eq!(root.remaining(), None);
        assert_eq!(root.value::<u8>(), None);
        assert_eq!(root.path(), "");
        assert_eq!(root.handle_count(), 0);
        assert_eq!((waiting(&root), children(&root)), (0, 0));
        assert!(root.clone().cancelled_owned().now_or_never().is_none());
    }
}

// guarantee B1
#[test]
fn roots_work_in_a_const_and_in_a_static() {
    assert_eq!(BACKGROUND, Context::background());
    assert_eq!(TODO, Context::todo());
    let child = TODO.with_name("child");
    assert_eq!(format!("{child:?}"), "todo.with_name(\"child\")");
}

// guarantee B1
#[test]
fn roots_are_told_apart() {
    assert_ne!(Context::background(), Context::todo());
    assert_eq!(format!("{:?}", Context::background()), "background");
    assert_eq!(format!("{:?}", Context::todo()), "todo");
}

// guarantee B1
#[test]
fn a_context_has_the_traits_it_promises_and_is_one_pointer_wide() {
    fn promised<T: Clone + Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + 'static>() {}
    fn shared<T: Send + Sync + 'static>() {}
    promised::<Context>();
    shared::<Canceller>();
    shared::<DeadlineMover>();
    assert_eq!(size_of::<Context>(), size_of::<usize>());
    assert_eq!(size_of::<Option<Context>>(), size_of::<usize>());
}

// guarantee B1
#[test]
fn contexts_are_equal_when_they_are_clones_of_each_other() {
    let context = Context::background().with_name("same");
    let other = Context::background().with_name("same");
    let clone = context.clone();
    assert_eq!(context, clone);
    assert_ne!(context, other);
    assert_ne!(context, Context::background());
    let set = HashSet::from([context.clone(), clone, other, BACKGROUND, BACKGROUND]);
    assert_eq!(set.len(), 3);
    assert!(set.contains(&context));
}

// guarantee B1
#[test]
fn handles_and_derived_contexts_are_counted() {
    let (context, canceller) = Context::background().with_cancel();
    assert_eq!(context.handle_count(), 2);
    let child = context.with_value(1_u8);
    let clone = context.clone();
    assert_eq!(context.handle_count(), 4);
    drop((child, clone, canceller));
    assert_eq!(context.handle_count(), 1);
}

// guarantee B1
#[test]
fn debug_prints_the_derivation_root_first() {
    let (context, canceller) = Context::todo()
        .with_name("a")
        .with_value(7_u8)
        .with_cancel();
    let merged = Context::any([context.clone(), Context::background()]).without_cancel();
    let all = Context::all([merged.clone()]);
    assert_eq!(
        format!("{all:?}"),
        "todo.with_name(\"a\").with_value(u8).with_cancel().any(2 sources).without_cancel()\
         .all(1 sources)"
    );
    let pending = Context::background().with_future(std::future::pending::<&str>());
    assert_eq!(format!("{pending:?}"), "background.with_future(..)");

    canceller.cancel();
    assert!(context.is_cancelled());
    assert_eq!(
        format!("{context:?}"),
        "todo.with_name(\"a\").with_value(u8).with_cancel() [context canceled]"
    );
}

// guarantee B1
#[test]
fn debug_tells_deadlines_ahead_and_behind() {
    let far = Context::background().with_timeout(Duration::from_secs(3600));
    assert!(format!("{far:?}").starts_with("background.with_deadline(in 35"));
    let past = Instant::now().checked_sub(Duration::from_secs(2)).unwrap();
    let (past, _mover) = Context::background().with_movable_deadline(past);
    let text = format!("{past:?}");
    assert!(
        text.starts_with("background.with_movable_deadline("),
        "{text}"
    );
    assert!(
        text.ends_with("s ago) [context deadline exceeded]"),
        "{text}"
    );
}

// guarantee B1
#[test]
fn debug_of_everything_else_is_short_and_says_its_state() {
    let (context, canceller) = Context::background().with_name("job").with_cancel();
    assert_eq!(
        format!("{canceller:?}"),
        "Canceller { context: background.with_name(\"job\").with_cancel() }"
    );
    let callback = context.after_cancel(|| {});
    let interrupt = context.interrupt_with(|| {});
    assert_eq!(format!("{callback:?}"), "AfterCancel(waiting)");
    assert_eq!(format!("{interrupt:?}"), "InterruptGuard(armed)");
    let run = context.run(async {});
    assert!(format!("{run:?}").starts_with("Run { context: background.with_name(\"job\")"));
    let shield = context.shield(|_| async {});
    assert!(format!("{shield:?}").contains("without_cancel()"));
    let mut waiting = crate::support::tasks::HandTask::new(context.cancelled());
    assert_eq!(
        format!("{:?}", context.cancelled()),
        "UntilCancelled { waiter: Waiter, .. }"
    );
    waiting.assert_pending();
    assert_eq!(
        format!("{:?}", waiting.into_future()),
        "UntilCancelled { waiter: Waiter(registered), .. }"
    );

    canceller.cancel();
    assert_eq!(format!("{interrupt:?}"), "InterruptGuard(over)");
    assert_eq!(format!("{callback:?}"), "AfterCancel(started)");
    let prevented = Context::background().after_cancel(|| {});
    assert_eq!(format!("{prevented:?}"), "AfterCancel(prevented)");
}

// guarantee B1
#[test]
fn the_tree_needs_no_runtime() {
    let (context, canceller) = Context::background().with_cancel();
    let child = context.with_value(Arc::new(5));
    let waiter = thread::spawn(move || futures::executor::block_on(child.cancelled_owned()));
    canceller.cancel_with("from a bare thread");
    let cancelled = waiter.join().unwrap();
    assert_eq!(cancelled.cause().to_string(), "from a bare thread");
}

// guarantee B1
#[test]
fn a_context_is_handed_on_by_reference_or_owned() {
    fn borrowed(context: impl AsContext) -> Context {
        context.as_context().clone()
    }
    fn held(context: impl AsContext) -> Context {
        std::borrow::Borrow::<Context>::borrow(&context.hold()).clone()
    }
    let mut context = Context::background().with_name("job");
    let expected = context.clone();
    assert_eq!(held(&context), expected);
    assert_eq!(held(&mut context), expected);
    assert_eq!(borrowed(&mut context), expected);
    assert_eq!(borrowed(&context), expected);
    assert_eq!(held(context), expected);
}
