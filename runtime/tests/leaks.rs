//! Guarantee B8: nothing is left behind. A counting allocator compares the heap before and after a
//! million of everything on one root that lives on.

#![expect(unsafe_code, reason = "a global allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::future::{pending, poll_fn, ready};
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, Waker};
use std::time::Duration;

use cancel_context::private::{Over, around, children, is_over, unwind, waiting};
use cancel_context::{Canceller, Context, Site};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};

const MANY: usize = 1_000_000;
const LONG: Duration = Duration::from_secs(3600);

thread_local! {
    /// The bytes that this thread has allocated, less those that it has freed.
    static BYTES: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator; counts for each thread on its own, since tests run side by side.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(bytes: usize, sign: isize) {
    let bytes = isize::try_from(bytes).expect("a layout fits into `isize`");
    // A thread that ends may have lost the counter; nobody compares there.
    let _counted = BYTES.try_with(|counter| counter.set(counter.get() + sign * bytes));
}

// SAFETY: every call goes to `System` as it is; counting neither allocates nor unwinds, since a
// layout's size fits into `isize`.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller keeps the contract of `alloc`, which is that of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: `pointer` came from `System` by `alloc`, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn heap() -> isize {
    BYTES.get()
}

fn root() -> (Context, Canceller) {
    Context::background().with_name("root").with_cancel()
}

/// Runs `work` often on a root that lives on; afterwards the heap is what it was after the first
/// few times.
#[track_caller]
fn assert_leaves_nothing(times: usize, mut work: impl FnMut(&Context)) {
    let (root, canceller) = root();
    let mut other = pin!(root.cancelled());
    let mut task = Task::from_waker(Waker::noop());
    assert!(other.as_mut().poll(&mut task).is_pending());
    for _ in 0..10 {
        work(&root);
    }
    let before = (root.handle_count(), waiting(&root), children(&root));
    let heap_before = heap();
    for _ in 0..times {
        work(&root);
    }
    assert_heap_is_as(heap_before);
    let after = (root.handle_count(), waiting(&root), children(&root));
    assert_eq!(after, before);
    canceller.detach();
}

/// A lock or a queue of tokio may grow a table on whichever thread first needs it, once; a leak of
/// one byte each time would be more than that. And a thread may free what another one has made: the end
/// of a context keeps the clocks it is dated on, of which one may be the last of a test's paused runtime.
#[track_caller]
fn assert_heap_is_as(before: isize) {
    let grown = heap() - before;
    assert!(grown < 4096, "{grown} bytes are left over");
}

/// Polls once, as a select would that is then lost.
fn lose(future: impl Future) {
    let mut task = Task::from_waker(Waker::noop());
    assert!(pin!(future).poll(&mut task).is_pending());
}

// guarantee B8
#[test]
#[should_panic(expected = "bytes are left over")]
fn a_leak_is_noticed() {
    assert_leaves_nothing(10_000, |_| std::mem::forget(black_box(Box::new(7_u8))));
}

// guarantee B1
#[test]
fn roots_take_no_memory() {
    let before = heap();
    let roots = [Context::background(), Context::todo().clone()];
    assert_eq!(heap(), before);
    drop(black_box(roots));
}

// guarantee B8
#[test]
fn a_million_derive_and_drops_leave_nothing() {
    assert_leaves_nothing(MANY, |root| {
        let (child, canceller) = root.with_value(1_u64).with_cancel();
        let child = child.with_timeout(LONG).with_name("child");
        canceller.detach();
        black_box(child);
    });
}

// guarantee B8; the symptom: the inner nodes of a cancelled chain leaked when a grandchild was kept
#[test]
fn chains_whose_root_is_cancelled_first_leave_nothing() {
    assert_leaves_nothing(MANY / 10, |_| {
        let (root, canceller) = root();
        let (token, token_canceller) = root.with_cancel();
        let grandchild = token.with_cancel();
        lose(grandchild.0.cancelled());
        drop((root, token));
        canceller.cancel();
        drop(canceller);
        assert!(grandchild.0.is_cancelled());
        drop((token_canceller, grandchild));
    });
}

// guarantee B8
#[test]
fn finished_children_leave_nothing() {
    assert_leaves_nothing(MANY / 10, |root| {
        let (child, canceller) = root.with_cancel();
        canceller.cancel_with("done");
        assert!(child.is_cancelled());
    });
}

// guarantee B8; the symptom: a select that lost left a node on a context that was never cancelled
#[test]
fn a_million_lost_select_arms_leave_nothing() {
    assert_leaves_nothing(MANY, |root| {
        let arms = futures::future::select(root.cancelled(), ready(7));
        assert!(arms.now_or_never().is_some());
    });
}

/// An await without a context of its own, as the attribute makes it.
async fn implicit_await() {
    static SITE: Site = Site::new("pending()", "leaks::implicit_await");
    let over = if is_over(&SITE) {
        Over::here()
    } else {
        let left = around((), pending::<()>(), || &SITE).await;
        left.expect_err("nothing else ends it")
    };
    match unwind(over.at(&SITE)).await {}
}

// guarantee A6, B8
#[test]
fn awaits_that_were_unwound_or_lost_leave_nothing() {
    assert_leaves_nothing(MANY / 10, |root| {
        let (child, canceller) = root.with_cancel();
        // One behind the waker of the scope, one behind a waker of its own.
        let members = FuturesUnordered::from_iter([implicit_await()]);
        let mut unwound = pin!(child.run(async {
            futures::join!(implicit_await(), members.count());
        }));
        let mut lost = pin!(root.run(implicit_await()));
        let mut task = Task::from_waker(Waker::noop());
        assert!(unwound.as_mut().poll(&mut task).is_pending());
        assert!(lost.as_mut().poll(&mut task).is_pending());
        canceller.cancel();
        assert!(unwound.as_mut().poll(&mut task).is_ready());
    });
}

// guarantee B8
#[test]
fn awaits_behind_wakers_of_their_own_do_not_pile_up() {
    let (context, canceller) = root();
    let before = heap();
    let mut scope = Box::pin(context.run(async {
        let mut living = FuturesUnordered::from_iter([implicit_await()]);
        loop {
            let mut members = FuturesUnordered::from_iter([implicit_await(), implicit_await()]);
            assert!(futures::poll!(members.next()).is_pending());
            assert!(futures::poll!(living.next()).is_pending());
            futures::pending!();
        }
    }));
    let mut task = Task::from_waker(Waker::noop());
    for _ in 0..MANY / 10 {
        assert!(scope.as_mut().poll(&mut task).is_pending());
        assert!(waiting(&context) <= 50, "{} waiters", waiting(&context));
    }
    assert!(heap() - before < 64 * 1024, "{} bytes", heap() - before);
    canceller.cancel();
    assert!(scope.as_mut().poll(&mut task).is_ready());
    drop(scope);
    assert_eq!(waiting(&context), 0);
}

// guarantee B8
#[test]
fn lost_scopes_leave_nothing() {
    assert_leaves_nothing(MANY / 10, |root| {
        let (child, canceller) = root.with_cancel();
        lose(root.run(child.run(pending::<()>())));
        lose(child.run(root.shield(|_| pending::<()>())));
        canceller.detach();
    });
}

/// Pending once.
async fn yields() {
    let mut is_ready = false;
    let once = poll_fn(|_| {
        if std::mem::replace(&mut is_ready, true) {
            return Poll::Ready(());
        }
        Poll::Pending
    });
    once.await;
}

// guarantees A10, B8; the symptom: a worker's loop remembered each shield that it had ever run
#[test]
fn finished_shields_do_not_pile_up_in_the_scope_around_them() {
    let (root, _canceller) = root();
    let before = heap();
    let mut worker = Box::pin(root.run(async {
        loop {
            root.shield(|_| yields()).await;
        }
    }));
    let mut task = Task::from_waker(Waker::noop());
    for _ in 0..MANY / 50 {
        assert!(worker.as_mut().poll(&mut task).is_pending());
    }
    assert_heap_is_as(before);
}

// guarantees A10, B8; the symptom: as above, of a stream that always has an item
#[cfg(feature = "streams")]
#[test]
fn finished_shields_do_not_pile_up_in_the_stream_around_them() {
    use cancel_context::stream::CancellableStream;

    let (root, _canceller) = root();
    let mut shield = Box::pin(root.shield(|_| yields()));
    let states = futures::stream::poll_fn(|task| {
        if shield.as_mut().poll(task).is_ready() {
            shield.set(root.shield(|_| yields()));
        }
        Poll::Ready(Some(()))
    });
    let before = heap();
    let mut states = Box::pin(states.until_cancelled(&root));
    for _ in 0..MANY / 50 {
        assert!(states.next().now_or_never().flatten().is_some());
    }
    assert_heap_is_as(before);
}

// guarantee B8
#[test]
fn finished_scopes_leave_nothing() {
    assert_leaves_nothing(MANY / 10, |root| {
        let child = root.with_timeout(LONG);
        assert!(child.run(ready(7)).now_or_never().is_some());
    });
}

// guarantee B8
#[test]
fn stopped_callbacks_and_interrupts_leave_nothing() {
    assert_leaves_nothing(MANY / 10, |root| {
        let kept = Arc::new(0_u64);
        let moved = Arc::clone(&kept);
        assert!(root.after_cancel(move || drop(moved)).stop());
        let moved = Arc::clone(&kept);
        drop(root.with_timeout(LONG).interrupt_with(move || drop(moved)));
        assert_eq!(Arc::strong_count(&kept), 1);
    });
}

// guarantee B8; the symptom: linked sources on a long-lived token grew without bound
#[test]
fn merges_of_one_root_leave_nothing() {
    assert_leaves_nothing(MANY / 10, |root| {
        let (other, canceller) = Context::background().with_cancel();
        let any = Context::any([root.clone(), other.clone()]);
        let all = Context::all([other, root.clone(), any.clone()]);
        lose(any.cancelled());
        lose(all.cancelled());
        canceller.cancel();
        assert!(any.is_cancelled() && !all.is_cancelled());
    });
}

// guarantee B8
#[test]
fn futures_that_ended_or_did_not_leave_nothing() {
    assert_leaves_nothing(MANY / 10, |root| {
        assert!(root.with_future(ready("done")).is_cancelled());
        let unfinished = root.with_future(pending::<&str>());
        lose(unfinished.cancelled());
    });
}

// guarantee B8; the symptom: a kept token kept its callback, its closure and its timer after the
// cancel
#[test]
fn a_context_that_is_kept_after_its_end_keeps_nothing_of_who_waited() {
    let (root, canceller) = root();
    let timed = root.with_timeout(LONG);
    let value = Arc::new([0_u8; 1000]);
    let before = heap();
    for _ in 0..100 {
        let moved = Arc::clone(&value);
        timed.after_cancel(move || drop(moved));
    }
    let mut waiting: Vec<_> = (0..100).map(|_| Box::pin(timed.cancelled())).collect();
    let mut task = Task::from_waker(Waker::noop());
    for waiting in &mut waiting {
        assert!(waiting.as_mut().poll(&mut task).is_pending());
    }
    canceller.cancel();
    assert!(timed.is_cancelled());
    drop(waiting);
    assert_eq!(Arc::strong_count(&value), 1);
    let kept = heap() - before;
    assert!(kept < 1000, "{kept} bytes, which are the reason of the end");
    assert_eq!(
        (children(&root), cancel_context::private::waiting(&timed)),
        (0, 0)
    );
}

// guarantee B8
#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn a_million_finished_timers_leave_nothing() {
    let (root, _canceller) = root();
    let mut before = 0;
    for round in 0..1010 {
        let contexts: Vec<_> = (0..1000_u64)
            .map(|micros| root.with_timeout(Duration::from_micros(micros)))
            .collect();
        for context in &contexts {
            if !context.is_cancelled() {
                lose(context.cancelled());
            }
        }
        let last = contexts.last().expect("there are some");
        let (first, _) = futures::join!(contexts[1].cancelled(), last.cancelled());
        assert!(first.is_timeout());
        drop((first, contexts));
        if round == 9 {
            before = heap();
        }
    }
    assert_heap_is_as(before);
    assert_eq!(
        (children(&root), waiting(&root), root.handle_count()),
        (0, 0, 2)
    );
}

// guarantee B8; the symptom: the waker of a finished waiter pinned the memory of its task
#[cfg(feature = "tokio")]
#[tokio::test]
async fn tasks_that_ended_are_not_pinned_by_a_context_that_lives_on() {
    let (root, _canceller) = root();
    let mut before = 0;
    for round in 0..10_100 {
        let context = root.clone();
        let task = root.spawn(async move {
            let kept = [7_u8; 500];
            tokio::select! {
                biased;
                _ = context.cancelled() => {}
                () = tokio::task::yield_now() => {}
            }
            black_box(kept);
        });
        task.await.expect("it does not panic, and nobody cancels");
        if round == 100 {
            before = heap();
        }
    }
    assert_heap_is_as(before);
    assert_eq!(
        (children(&root), waiting(&root), root.handle_count()),
        (0, 0, 2)
    );
}
