//! Groups that run no more than some of their members at the same time.

use std::future::{pending, ready};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use cancel_context::task::{FutureGroup, TaskGroup};
use cancel_context::{Cancelled, Context};
use futures::FutureExt;
use tokio::sync::oneshot;

use crate::groups::with_both_kinds;

/// How many are at it now, and at most.
#[derive(Clone, Default)]
struct Gauge(Arc<(AtomicUsize, AtomicUsize)>);

impl Gauge {
    async fn work(self) -> Result<(), Cancelled> {
        let now = self.0.0.fetch_add(1, SeqCst) + 1;
        self.0.1.fetch_max(now, SeqCst);
        tokio::task::yield_now().await;
        self.0.0.fetch_sub(1, SeqCst);
        Ok(())
    }

    fn most(&self) -> usize {
        self.0.1.load(SeqCst)
    }
}

with_both_kinds! {
    // guarantee D3
    async fn no_more_run_at_once_than_the_limit_allows(Group) {
        let gauge = Gauge::default();
        let mut group = Group::new(&Context::background()).limit(3);
        for _ in 0..20 {
            let gauge = gauge.clone();
            group.spawn(|_| gauge.work());
        }
        assert_eq!(group.wait().await.unwrap().len(), 20);
        assert_eq!(gauge.most(), 3);
    }

    // guarantee D3
    async fn who_waits_for_a_turn_ends_with_the_context_and_never_begins(Group) {
        let (ctx, canceller) = Context::background().with_cancel();
        let mut group = Group::<()>::new(&ctx).limit(1);
        let (started, is_started) = oneshot::channel();
        group.spawn(|_| async {
            started.send(()).unwrap();
            pending::<Result<(), Cancelled>>().await
        });
        group.spawn(|_| async { unreachable!("it begins") as Result<(), Cancelled> });
        let cancel = async {
            is_started.await.unwrap();
            canceller.cancel_with("enough");
        };
        let (outcome, ()) = tokio::join!(group.wait(), cancel);
        let error = outcome.unwrap_err();
        assert_eq!(error.cancelled().unwrap().cause().to_string(), "enough");
    }

    // bad input
    async fn a_limit_of_zero_is_refused(Group) {
        let refused = std::panic::catch_unwind(|| Group::<()>::new(&Context::background()).limit(0));
        let payload = refused.expect_err("it was not refused");
        assert_eq!(
            payload.downcast_ref::<&str>(),
            Some(&"a group with a limit of 0 would never begin a member")
        );
    }

    // guarantee D3; the symptom: a background member had the only turn, and waited for those who waited for it
    async fn background_members_do_not_count(Group) {
        let mut group = Group::new(&Context::background()).limit(1);
        group.spawn_background(|_| pending::<Result<(), Cancelled>>());
        group.spawn(|_| ready(Ok::<_, Cancelled>(7)));
        assert_eq!(group.wait().await.unwrap(), [7]);
    }
}

// guarantee D3
#[tokio::test]
async fn there_is_room_when_fewer_are_left_than_may_run() {
    let mut group = TaskGroup::<u8>::new(&Context::background()).limit(2);
    let (release, is_released) = oneshot::channel::<()>();
    group.spawn(|_| async {
        is_released.await.unwrap();
        Ok::<_, Cancelled>(1)
    });
    group.room().await.unwrap();
    group.spawn(|_| pending::<Result<u8, Cancelled>>());
    // Neither has begun.
    assert!(group.room().now_or_never().is_none());
    release.send(()).unwrap();
    group.room().await.unwrap();
    assert_eq!(group.next().await.unwrap().unwrap(), 1);
}

// guarantee D3
#[tokio::test]
async fn without_a_limit_there_is_always_room() {
    let mut group = TaskGroup::<u8>::new(&Context::background());
    for _ in 0..3 {
        group.room().await.unwrap();
        group.spawn(|_| pending::<Result<u8, Cancelled>>());
    }
}

// guarantee D3
#[tokio::test]
async fn waiting_for_room_ends_with_the_context() {
    let (ctx, canceller) = Context::background().with_cancel();
    let mut group = TaskGroup::<()>::new(&ctx).limit(1);
    group.spawn(|_| pending::<Result<(), Cancelled>>());
    let error = {
        let mut room = pin!(group.room());
        assert!(room.as_mut().now_or_never().is_none());
        canceller.cancel_with("enough");
        room.await.unwrap_err()
    };
    assert_eq!(error.cause().to_string(), "enough");
    assert!(group.wait().await.is_err());
}
