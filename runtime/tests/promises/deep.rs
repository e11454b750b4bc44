//! Chains and fans of a million contexts on a stack of 2 MiB.

use std::time::{Duration, Instant};

use cancel_context::private::{children, waiting};
use cancel_context::{Canceller, Context};

use crate::support::tasks::{HandTask, poll_with};
use crate::support::wakers::CountingWaker;
use crate::support::{cause_of, end_of, on_a_small_stack};

const MANY: usize = 1_000_000;
const LONG: Duration = Duration::from_secs(3600);

fn root() -> (Context, Canceller) {
    Context::background().with_value("root").with_cancel()
}

// guarantee B10; the symptom: a recursion error at depth 5,000
#[test]
fn a_chain_of_a_million_is_built_cancelled_read_and_dropped() {
    on_a_small_stack(|| {
        let (root, canceller) = root();
        let mut leaf = root.clone();
        for _ in 0..MANY {
            let (child, canceller) = leaf.with_cancel();
            canceller.detach();
            leaf = child;
        }
        assert_eq!(end_of(&leaf), None);
        assert_eq!((leaf.path(), leaf.deadline()), (String::new(), None));
        // The symptom here: values were looked up by recursion.
        assert_eq!(leaf.value(), Some(&"root"));
        canceller.cancel_with("root");
        assert_eq!(cause_of(&leaf), "root");
        assert_eq!(leaf.check().unwrap_err().cause().to_string(), "root");
        assert!(format!("{leaf:?}").ends_with(".with_cancel() [context canceled]"));
        drop(leaf);
        assert_eq!(root.handle_count(), 2);
    });
}

// guarantee B10
#[test]
fn a_chain_of_a_million_that_somebody_waits_for_is_woken_and_unlinked() {
    on_a_small_stack(|| {
        let (root, canceller) = root();
        let mut leaf = root.clone();
        for _ in 0..MANY {
            let (child, canceller) = leaf.with_cancel();
            canceller.detach();
            leaf = child;
        }
        let mut lost = HandTask::new(leaf.cancelled());
        lost.assert_pending();
        assert_eq!(children(&root), 1);
        drop(lost);
        assert_eq!(children(&root), 0);
        let callback = leaf.after_cancel(|| {});
        let mut task = HandTask::new(leaf.cancelled());
        task.assert_pending();
        canceller.cancel_with("root");
        assert_eq!(task.wakes(), 1);
        assert_eq!(task.assert_ready().cause().to_string(), "root");
        assert!(!callback.stop());
    });
}

// guarantee B10
#[test]
fn a_chain_of_a_million_frees_a_callback_that_can_never_run() {
    on_a_small_stack(|| {
        let (root, canceller) = root();
        let mut leaf = root.clone();
        for _ in 0..MANY {
            let (child, canceller) = leaf.with_cancel();
            canceller.detach();
            leaf = child;
        }
        let callback = leaf.after_cancel(|| {});
        drop(leaf);
        assert_eq!(children(&root), 1);
        canceller.detach();
        assert_eq!(
            (children(&root), root.handle_count()),
            (0, 2),
            "the callback's entry is left"
        );
        assert!(callback.stop());
        assert_eq!(root.handle_count(), 1);
    });
}

// guarantee B10
#[test]
fn a_million_children_of_one_root_are_built_cancelled_read_and_dropped() {
    on_a_small_stack(|| {
        let (root, canceller) = root();
        let (contexts, cancellers): (Vec<_>, Vec<_>) =
            (0..MANY).map(|_| root.with_cancel()).unzip();
        let counter = CountingWaker::new();
        let waker = counter.waker();
        let mut futures: Vec<_> = contexts.iter().map(Context::cancelled).collect();
        for future in &mut futures {
            assert!(poll_with(std::pin::Pin::new(future), &waker).is_pending());
        }
        assert_eq!(children(&root), MANY);
        futures.truncate(MANY / 2);
        assert_eq!(children(&root), MANY / 2);
        canceller.cancel_with("root");
        assert_eq!(counter.wakes(), MANY / 2);
        assert_eq!((children(&root), waiting(&contexts[0])), (0, 0));
        assert!(contexts.iter().all(Context::is_cancelled));
        drop(futures);
        drop((contexts, cancellers));
        assert_eq!(root.handle_count(), 2);
    });
}

// guarantee B10
#[test]
fn a_chain_of_a_million_of_every_kind_is_built_cancelled_read_and_dropped() {
    on_a_small_stack(|| {
        let (root, canceller) = root();
        let at = Instant::now() + LONG;
        let mut leaf = root.clone();
        let mut kept = Vec::new();
        for number in 0..MANY {
            leaf = match number % 5 {
                _ if number % (MANY / 4) == 0 => {
                    let (side, canceller) = leaf.with_cancel();
                    kept.push(canceller);
                    Context::any([leaf, side])
                }
                _ if number % (MANY / 4) == 1 => Context::all([leaf.with_name("all"), leaf]),
                0 => leaf.with_value(number),
                1 => leaf.with_deadline(at),
                2 => leaf.with_name("n"),
                3 => leaf.with_movable_deadline(at + LONG).0,
                _ => leaf.with_timeout_cause(LONG * 2, "never"),
            };
        }
        assert_eq!(leaf.deadline(), Some(at));
        assert_eq!(end_of(&leaf), None);
        let mut task = HandTask::new(leaf.cancelled());
        task.assert_pending();
        canceller.cancel_with("root");
        assert_eq!(task.wakes(), 1);
        assert_eq!(task.assert_ready().cause().to_string(), "root");
        assert_eq!(leaf.value(), Some(&"root"));
        drop(task);
        drop((leaf, kept));
        assert_eq!(root.handle_count(), 2);
    });
}

// guarantee B10
#[test]
fn nested_merges_are_read_and_dropped_by_loops() {
    on_a_small_stack(|| {
        let (root, canceller) = root();
        let timed = root.with_timeout(LONG);
        let mut leaf = timed.clone();
        for number in 0..1000 {
            let sources = [leaf.clone(), leaf];
            leaf = if number % 2 == 0 {
                Context::any(sources)
            } else {
                Context::all(sources)
            };
        }
        assert_eq!(leaf.deadline(), timed.deadline());
        let callback = leaf.after_cancel(|| {});
        canceller.cancel();
        assert!(leaf.is_cancelled());
        assert!(!callback.stop());
    });
}
