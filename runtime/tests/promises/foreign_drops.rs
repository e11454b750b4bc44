//! Destructors of causes, values, functions and futures that call back or panic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cancel_context::private::{children, waiting};
use cancel_context::{Canceller, Context};

use crate::support::bounds::within_bound;
use crate::support::foreign::{use_the_tree, watched};
use crate::support::tasks::HandTask;
use crate::support::{OnDrop, cause_of, end_of, panics};

const LONG: Duration = Duration::from_secs(3600);

// guarantee B9, B8
#[test]
fn a_function_that_panics_when_it_is_stopped_leaves_nothing_registered() {
    panics::watch();
    let (parent, child, _canceller, _child_canceller) = watched();
    let (of_parent, of_child) = (parent.handle_count(), child.handle_count());
    let on_drop = OnDrop::new(|| panic!("a stopped function panics on purpose"));
    let callback = child.after_cancel(move || drop(on_drop));
    assert!(catch_unwind(AssertUnwindSafe(|| callback.stop())).is_err());
    assert_eq!((waiting(&child), children(&parent)), (0, 0));

    let on_drop = OnDrop::new(|| panic!("a disarmed function panics on purpose"));
    let guard = child.interrupt_with(move || drop(on_drop));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(guard))).is_err());
    assert_eq!((waiting(&child), children(&parent)), (0, 0));
    assert_eq!(
        (parent.handle_count(), child.handle_count()),
        (of_parent, of_child)
    );
}

struct ActingCause(Box<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for ActingCause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ActingCause")
    }
}

impl std::fmt::Display for ActingCause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an acting cause")
    }
}

impl std::error::Error for ActingCause {}

impl Drop for ActingCause {
    fn drop(&mut self) {
        (self.0)();
    }
}

impl ActingCause {
    fn new(context: &Context, canceller: &Canceller, drops: &Arc<AtomicUsize>) -> Self {
        let (context, canceller, drops) = (context.clone(), canceller.clone(), Arc::clone(drops));
        Self(Box::new(move || {
            drops.fetch_add(1, SeqCst);
            use_the_tree(&context, &canceller);
        }))
    }
}

// guarantee B9
#[test]
fn a_cause_may_use_the_tree_when_it_is_dropped() {
    within_bound("a cause may use the tree when it is dropped", || {
        let (parent, child, canceller, child_canceller) = watched();
        let drops = Arc::new(AtomicUsize::new(0));
        let cause = || ActingCause::new(&parent, &canceller, &drops);
        let mut task = HandTask::new(child.cancelled());
        task.assert_pending();
        child_canceller.cancel_with(cause());
        assert_eq!(
            (drops.load(SeqCst), cause_of(&child)),
            (0, "an acting cause".into())
        );
        child_canceller.cancel_with(cause());
        assert_eq!(drops.load(SeqCst), 1, "the one that came too late");
        assert_eq!(cause_of(&parent), "from foreign code");
        let far = Instant::now() + LONG;
        drop(parent.without_cancel().with_deadline_cause(far, cause()));
        assert_eq!(drops.load(SeqCst), 2, "the one that was never needed");
        drop(task);
        drop(child_canceller);
        drop(child);
        assert_eq!(drops.load(SeqCst), 3);
    });
}

// guarantee B9
#[test]
fn a_value_may_use_the_tree_when_it_is_dropped() {
    within_bound("a value may use the tree when it is dropped", || {
        let (parent, canceller) = Context::background().with_cancel();
        let (context, inner) = (parent.clone(), canceller.clone());
        let value = Mutex::new(Some(OnDrop::new(move || use_the_tree(&context, &inner))));
        let child = parent
            .with_name("above")
            .with_value(value)
            .with_timeout(LONG);
        let callback = child.after_cancel(|| {});
        let leaf = child.with_name("leaf");
        drop((child, leaf));
        assert_eq!(end_of(&parent), None);
        assert!(callback.stop());
        assert_eq!(cause_of(&parent), "from foreign code");
    });
}

// guarantee B9, B8
#[test]
fn a_value_that_panics_when_it_is_dropped_keeps_nothing_above_it_alive() {
    panics::watch();
    let value = Arc::new(());
    let (root, _canceller) = Context::background().with_cancel();
    let above = root.with_value(Arc::clone(&value)).with_name("above");
    let panicking = Mutex::new(OnDrop::new(|| panic!("a value panics on purpose")));
    let chain = above.with_value(panicking).with_name("below");
    drop(above);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(chain))).is_err());
    assert_eq!(Arc::strong_count(&value), 1);
    assert_eq!(root.handle_count(), 2);
}

// guarantee B9
#[test]
fn a_future_in_a_scope_sees_its_context_and_may_cancel_while_it_is_dropped() {
    let (parent, child, canceller, _child_canceller) = watched();
    let seen = Arc::new(Mutex::new(None));
    let (noted, inner) = (Arc::clone(&seen), canceller.clone());
    let on_drop = OnDrop::new(move || {
        let current = Context::current();
        use_the_tree(&current, &inner);
        *noted.lock().unwrap() = Some(current);
    });
    let mut task = HandTask::new(child.run(async move {
        let _on_drop = on_drop;
        std::future::pending::<()>().await;
    }));
    task.assert_pending();
    canceller.cancel_with("parent");
    assert!(task.run_woken().is_err());
    assert_eq!(seen.lock().unwrap().take(), Some(child));
    assert_eq!(Context::current(), Context::background());
    assert_eq!(cause_of(&parent), "parent");
}

// guarantee B9; the symptom: a runtime that dropped tasks under its lock deadlocked in a destructor
// that woke another
#[cfg(feature = "tokio")]
#[test]
fn tasks_dropped_with_their_runtime_may_cancel_and_wake() {
    for workers in [0, 2] {
        let mut builder = match workers {
            0 => tokio::runtime::Builder::new_current_thread(),
            _ => tokio::runtime::Builder::new_multi_thread(),
        };
        let runtime = builder.enable_time().worker_threads(2).build().unwrap();
        let (context, canceller) = Context::background().with_cancel();
        let (polled, is_polled) = std::sync::mpsc::channel();
        for _ in 0..20 {
            let (inner, watched) = (canceller.clone(), context.clone());
            let polled = polled.clone();
            runtime.spawn(context.with_timeout(LONG).run(async move {
                let _on_drop = OnDrop::new(move || {
                    inner.cancel_with("the runtime is gone");
                    watched.after_cancel(|| {});
                });
                polled.send(()).unwrap();
                std::future::pending::<()>().await;
            }));
        }
        runtime.block_on(tokio::task::yield_now());
        for _ in 0..20 {
            is_polled.recv().unwrap();
        }
        drop(runtime);
        assert_eq!(cause_of(&context), "the runtime is gone");
    }
}

/// A context with a deadline, which only its callback keeps, and whose value panics when it goes.
fn pinned(parent: &Context, timeout: Duration) {
    let on_drop = OnDrop::new(|| panic!("a value panics on purpose"));
    let context = parent.with_value(Mutex::new(on_drop)).with_timeout(timeout);
    context.after_cancel(|| {});
}

// guarantee B9; the symptom: it was dropped between two callbacks
#[test]
fn a_value_that_panics_when_a_cancel_drops_it_stops_no_callback() {
    panics::watch();
    let (root, canceller) = Context::background().with_cancel();
    let calls = Arc::new(AtomicUsize::new(0));
    let count = |context: &Context| {
        let counted = Arc::clone(&calls);
        context.after_cancel(move || {
            counted.fetch_add(1, SeqCst);
        });
    };
    let others = [(); 2].map(|()| root.with_timeout(LONG));
    count(&others[0]);
    pinned(&root, LONG);
    count(&others[1]);
    canceller.cancel();
    assert_eq!(calls.load(SeqCst), 2);
}

// guarantee B9, C3; the symptom: the thread was gone, and with it every deadline outside of runtimes
#[test]
fn the_thread_that_keeps_deadlines_outlives_a_value_that_panics() {
    panics::watch();
    let soon = Duration::from_millis(20);
    pinned(&Context::background(), soon);
    let (sender, receiver) = std::sync::mpsc::channel();
    let later = Context::background().with_timeout(3 * soon);
    let _guard = later.interrupt_with(move || sender.send(()).unwrap());
    assert_eq!(receiver.recv_timeout(Duration::from_secs(60)), Ok(()));
}

// guarantee B9, C3; the symptom: the driver's task was gone, and real time counted
#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn the_driver_of_a_runtime_outlives_a_value_that_panics() {
    panics::watch();
    pinned(&Context::background(), LONG);
    let later = Context::background().with_timeout(3 * LONG);
    let start = tokio::time::Instant::now();
    let mut waiting = HandTask::new(later.cancelled());
    waiting.assert_pending();
    tokio::time::sleep(2 * LONG).await;
    waiting.assert_pending();
    assert!(later.cancelled().await.is_timeout());
    assert_eq!(start.elapsed().as_secs(), 3 * LONG.as_secs());
}
