//! Groups in which a member panics.

use std::any::type_name;
use std::fmt::Display;
use std::future::{pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::time::Duration;

use cancel_context::task::{FutureGroup, JoinError, TaskGroup};
use cancel_context::{Cancelled, Context};
use futures::FutureExt;
use tokio::time::Instant;

use crate::groups::with_both_kinds;
use crate::support::{OnDrop, panics};

const GRACE: Duration = Duration::from_secs(3);

/// The text of the panic that `waiting` goes on with.
async fn panic_of<T>(waiting: impl Future<Output = T>) -> String {
    let Err(payload) = AssertUnwindSafe(waiting).catch_unwind().await else {
        panic!("it did not go on");
    };
    *payload.downcast().expect("a panic with a text")
}

type Never = Result<(), Cancelled>;

async fn breaks(text: impl Display) -> Never {
    tokio::task::yield_now().await;
    panic!("{text}")
}

/// Ends with its context, and counts that.
async fn ends(ended: Arc<AtomicUsize>) -> Never {
    let _ended = OnDrop::new(move || _ = ended.fetch_add(1, SeqCst));
    pending().await
}

/// Does not end with its context.
async fn ignores(ctx: Context) -> Never {
    ctx.shield(|_| pending()).await
}

with_both_kinds! {
    // guarantee D3
    async fn a_panic_of_one_of_ten_is_reported_at_once_ends_the_rest_and_goes_on(Group) {
        panics::watch();
        // Each kind counts its own.
        let text = format!("one of ten, on purpose, in {}", type_name::<Group<()>>());
        let (ended, reported) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let mut group = Group::<()>::new(&Context::background());
        for _ in 0..8 {
            let ended = Arc::clone(&ended);
            group.spawn(|_| ends(ended));
        }
        let (breaks, expected) = (breaks(text.clone()), text.clone());
        group.spawn(|_| breaks);
        let when_told = Arc::clone(&reported);
        group.spawn(|ctx| async move {
            let cancelled = ctx.cancelled().await;
            assert_eq!(cancelled.cause().to_string(), "a member of the group panicked");
            when_told.store(panics::reported(&expected) == 1, SeqCst);
            Err(cancelled)
        });
        let waits = group.wait();
        assert_eq!(panic_of(waits).await, text);
        assert_eq!(ended.load(SeqCst), 8);
        assert!(reported.load(SeqCst), "it was not reported by then");
        assert_eq!(panics::reported(&text), 1, "it was reported again");
    }

    // guarantee D3
    async fn next_goes_on_with_it_when_the_rest_has_ended(Group) {
        panics::watch();
        let ended = Arc::new(AtomicUsize::new(0));
        let mut group = Group::<()>::new(&Context::background());
        let ends = ends(Arc::clone(&ended));
        group.spawn(|_| ends);
        group.spawn(|_| breaks("of next, on purpose"));
        assert_eq!(panic_of(group.next()).await, "of next, on purpose");
        assert_eq!(ended.load(SeqCst), 1);
    }

    // guarantee D3
    async fn of_two_panics_the_first_one_goes_on(Group) {
        panics::watch();
        let mut group = Group::<()>::new(&Context::background());
        group.spawn(|ctx| async move {
            let cancelled = ctx.cancelled().await;
            panics::breaks("the second one, on purpose");
            Err(cancelled)
        });
        group.spawn(|_| breaks("the first one, on purpose"));
        assert_eq!(panic_of(group.wait()).await, "the first one, on purpose");
    }

    // guarantee D3; the symptom: one who waited was told of the error, and the panic was lost
    async fn a_panic_after_an_error_goes_on(Group) {
        panics::watch();
        let mut group = Group::<()>::new(&Context::background());
        group.spawn(|ctx| async move {
            let cancelled = ctx.cancelled().await;
            panics::breaks("after an error, on purpose");
            Err(cancelled)
        });
        group.spawn(|_| async { Err("an error") });
        assert_eq!(panic_of(group.wait()).await, "after an error, on purpose");
    }

    // guarantee D3
    async fn it_is_not_lost_when_who_waits_gives_up_meanwhile(Group) {
        panics::watch();
        tokio::time::pause();
        let mut group = Group::<()>::new(&Context::background()).grace(GRACE);
        group.spawn(ignores);
        group.spawn(|_| breaks("while nobody waits, on purpose"));
        tokio::time::timeout(GRACE / 2, group.next()).await.unwrap_err();
        assert_eq!(panic_of(group.next()).await, "while nobody waits, on purpose");
    }

    // guarantee D3
    async fn a_member_that_ignores_the_cancel_is_waited_for_as_long_as_the_grace_period_lasts(Group) {
        panics::watch();
        tokio::time::pause();
        let mut group = Group::<()>::new(&Context::background()).grace(GRACE);
        group.spawn(ignores);
        group.spawn(|_| breaks("with grace, on purpose"));
        let start = Instant::now();
        assert_eq!(panic_of(group.wait()).await, "with grace, on purpose");
        let taken = start.elapsed();
        assert!(taken >= GRACE && taken < GRACE + Duration::from_millis(5), "{taken:?}");
    }

    // guarantee D3, and bad input
    async fn no_grace_at_all_means_at_once(Group) {
        panics::watch();
        tokio::time::pause();
        let mut group = Group::<()>::new(&Context::background()).grace(Duration::ZERO);
        group.spawn(ignores);
        group.spawn(|_| breaks("without grace, on purpose"));
        let start = Instant::now();
        assert_eq!(panic_of(group.wait()).await, "without grace, on purpose");
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    // guarantee D3, and bad input
    async fn grace_for_ever_means_until_they_have_ended(Group) {
        panics::watch();
        tokio::time::pause();
        let mut group = Group::<()>::new(&Context::background()).grace(Duration::MAX);
        group.spawn(|ctx| async move {
            ctx.shield(|_| tokio::time::sleep(1000 * GRACE)).await;
            Ok::<_, Cancelled>(())
        });
        group.spawn(|_| breaks("with all the time, on purpose"));
        let start = Instant::now();
        assert_eq!(panic_of(group.wait()).await, "with all the time, on purpose");
        assert!(start.elapsed() >= 1000 * GRACE);
    }

    // guarantee D3
    async fn a_background_member_panics_like_any_other(Group) {
        panics::watch();
        let mut group = Group::<()>::new(&Context::background());
        group.spawn(|_| pending::<Never>());
        group.spawn_background(|_| breaks("in the background, on purpose"));
        assert_eq!(panic_of(group.wait()).await, "in the background, on purpose");
    }

    // guarantee D3
    async fn a_background_member_that_panics_when_it_is_told_to_stop_is_not_lost(Group) {
        panics::watch();
        let mut group = Group::<()>::new(&Context::background());
        group.spawn_background(|ctx| async move {
            let cancelled = ctx.cancelled().await;
            panics::breaks("at the stop, on purpose");
            Err(cancelled)
        });
        group.spawn(|_| async {
            tokio::task::yield_now().await;
            Ok::<_, Cancelled>(())
        });
        assert_eq!(panic_of(group.wait()).await, "at the stop, on purpose");
    }

    // guarantee D3
    async fn in_a_supervisor_it_is_an_outcome_like_any_other(Group) {
        panics::watch();
        let mut group = Group::<()>::supervisor(&Context::background());
        group.spawn(|_| breaks("supervised, on purpose"));
        group.spawn(|_| async {
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            Ok::<_, Cancelled>(())
        });
        let mut outcomes = group.outcomes().await;
        assert!(matches!(outcomes[..], [Err(JoinError::Panicked(_)), Ok(())]));
        let Err(JoinError::Panicked(panic)) = outcomes.remove(0) else { unreachable!("as above") };
        assert_eq!(panic.to_string(), "a task panicked: supervised, on purpose");
        let payload = catch_unwind(AssertUnwindSafe(|| panic.resume())).unwrap_err();
        assert_eq!(*payload.downcast::<String>().unwrap(), "supervised, on purpose");
    }

    // guarantee D3; the symptom: a group whose member panicked in a destructor was waited for in vain
    async fn a_destructor_that_panics_is_a_panic_of_the_member(Group) {
        panics::watch();
        let mut group = Group::<()>::new(&Context::background());
        group.spawn(|_| async {
            let _breaks = OnDrop::new(|| _ = panics::breaks("when dropped, on purpose"));
            pending::<Never>().await
        });
        group.spawn(|_| async {
            tokio::task::yield_now().await;
            Err("an error")
        });
        assert_eq!(panic_of(group.wait()).await, "when dropped, on purpose");
    }
}

// guarantee D3
#[tokio::test]
async fn tasks_are_cancelled_by_it_although_nobody_waits_for_the_group() {
    panics::watch();
    let mut group = TaskGroup::<()>::new(&Context::background());
    group.spawn(|_| breaks("unwaited, on purpose"));
    let ended = group.context().cancelled().await;
    assert_eq!(ended.cause().to_string(), "a member of the group panicked");
    assert_eq!(panic_of(group.wait()).await, "unwaited, on purpose");
}

// guarantee D3; the symptom: the panic was lost when more had ended than one poll may take from a set
#[tokio::test]
async fn it_is_not_lost_behind_the_outcomes_of_many() {
    panics::watch();
    let mut group = TaskGroup::<u32>::new(&Context::background()).grace(Duration::ZERO);
    for number in 0..500 {
        group.spawn(move |_| ready(Ok::<_, Cancelled>(number)));
    }
    group.spawn(|_| async {
        panics::breaks("after many, on purpose");
        Ok::<_, Cancelled>(0)
    });
    group.context().clone().cancelled().await;
    assert_eq!(panic_of(group.wait()).await, "after many, on purpose");
}

// guarantee D3
#[tokio::test]
async fn a_blocking_member_is_left_behind_after_the_grace_period_and_counted() {
    panics::watch();
    let mut group = TaskGroup::<()>::new(&Context::background()).grace(Duration::ZERO);
    let (started, is_started) = tokio::sync::oneshot::channel();
    let (release, is_released) = mpsc::channel();
    group.spawn_blocking(move |_| {
        started.send(()).unwrap();
        is_released.recv().unwrap();
        Ok::<_, Cancelled>(())
    });
    is_started.await.unwrap();
    let mut closed = Box::pin(group.closed());
    group.spawn_blocking(|_| {
        panics::breaks("blocking, on purpose");
        Ok::<_, Cancelled>(())
    });
    assert_eq!(panic_of(group.wait()).await, "blocking, on purpose");
    assert!(closed.as_mut().now_or_never().is_none());
    release.send(()).unwrap();
    closed.await;
}

// guarantee D3, C3, and bad input
#[test]
fn the_grace_period_ends_on_a_runtime_without_a_time_driver() {
    panics::watch();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let grace = Duration::from_millis(20);
        let mut group = TaskGroup::<()>::new(&Context::background()).grace(grace);
        group.spawn(ignores);
        group.spawn(|_| breaks("without a time driver, on purpose"));
        let start = std::time::Instant::now();
        assert_eq!(
            panic_of(group.wait()).await,
            "without a time driver, on purpose"
        );
        assert!(start.elapsed() >= grace);
    });
}
