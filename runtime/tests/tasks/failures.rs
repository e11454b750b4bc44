//! Groups in which a member fails.

use std::fmt;
use std::future::{pending, ready};
use std::io;
use std::sync::Arc;

use cancel_context::task::{FutureGroup, JoinError, TaskGroup, exit_task};
use cancel_context::{Cancelled, Context};
use tokio::sync::oneshot;

use crate::groups::with_both_kinds;

#[derive(Debug, PartialEq)]
struct OutOfPaper(u32);

impl fmt::Display for OutOfPaper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tray {} is out of paper", self.0)
    }
}

impl std::error::Error for OutOfPaper {}

with_both_kinds! {
    // guarantee D3
    async fn the_first_error_cancels_the_others_with_itself_as_their_cause(Group) {
        let (ctx, _canceller) = Context::background().with_cancel();
        let mut group = Group::<()>::new(&ctx);
        let (told, is_told) = oneshot::channel();
        group.spawn(|ctx| async move {
            let cancelled = ctx.cancelled().await;
            told.send(cancelled.cause()).unwrap();
            Err(cancelled)
        });
        group.spawn(|_| ready(Err(OutOfPaper(2))));
        let Err(JoinError::Failed(cause)) = group.wait().await else { panic!("it has failed") };
        assert_eq!(cause.downcast_ref(), Some(&OutOfPaper(2)));
        assert!(Arc::ptr_eq(&cause, &is_told.await.unwrap()));
        assert!(!ctx.is_cancelled());
    }

    // guarantee D3
    async fn of_several_failures_the_first_one_in_time_is_returned(Group) {
        let mut group = Group::<()>::new(&Context::background());
        let (sender, receiver) = oneshot::channel::<()>();
        group.spawn(|ctx| async move {
            ctx.shield(|_| receiver).await.unwrap();
            Err(OutOfPaper(1))
        });
        group.spawn(|_| async {
            sender.send(()).unwrap();
            Err(OutOfPaper(2))
        });
        group.spawn(|_| pending::<Result<(), Cancelled>>());
        let error = group.wait().await.unwrap_err();
        assert_eq!(error.to_string(), "tray 2 is out of paper");
    }

    // guarantee D3
    async fn next_gives_the_failure_and_then_what_became_of_the_others(Group) {
        let mut group = Group::<()>::new(&Context::background());
        group.spawn(|_| pending::<Result<(), Cancelled>>());
        group.spawn(|_| ready(Err(OutOfPaper(2))));
        let first = group.next().await.unwrap().unwrap_err();
        assert_eq!(first.to_string(), "tray 2 is out of paper");
        let second = group.next().await.unwrap().unwrap_err();
        let cause = second.cancelled().unwrap().cause();
        assert_eq!(cause.downcast_ref(), Some(&OutOfPaper(2)));
        assert!(group.next().await.is_none());
    }

    // guarantee D3
    async fn who_waits_for_a_turn_never_begins_after_a_failure(Group) {
        let mut group = Group::<()>::new(&Context::background()).limit(1);
        group.spawn(|_| async {
            tokio::task::yield_now().await;
            Err(OutOfPaper(1))
        });
        for _ in 0..10 {
            group.spawn(|_| async { unreachable!("it begins") as Result<(), Cancelled> });
        }
        assert_eq!(group.wait().await.unwrap_err().to_string(), "tray 1 is out of paper");
    }

    // guarantee D3, B6
    async fn the_end_of_the_owner_is_that_of_the_members_and_says_why(Group) {
        let (ctx, canceller) = Context::background().with_cancel();
        let mut group = Group::<()>::new(&ctx);
        group.spawn(|_| pending::<Result<(), Cancelled>>());
        canceller.cancel_with("enough");
        let error = group.wait().await.unwrap_err();
        assert_eq!(error.cancelled().unwrap().cause().to_string(), "enough");
    }

    // guarantee D3
    async fn any_error_that_can_be_boxed_will_do(Group) {
        let mut group = Group::<()>::supervisor(&Context::background());
        group.spawn(|_| ready(Err("a text")));
        group.spawn(|_| ready(Err(String::from("a string"))));
        group.spawn(|_| ready(Err(io::Error::other("an error"))));
        let boxed: Box<dyn std::error::Error + Send + Sync> = "a box".into();
        group.spawn(|_| async { Err(boxed) });
        let outcomes = group.outcomes().await.into_iter();
        let texts: Vec<_> = outcomes.map(|outcome| outcome.unwrap_err().to_string()).collect();
        assert_eq!(texts, ["a text", "a string", "an error", "a box"]);
    }

    // guarantee D3
    async fn a_background_member_that_fails_fails_the_group(Group) {
        let mut group = Group::<()>::new(&Context::background());
        group.spawn(|_| pending::<Result<(), Cancelled>>());
        group.spawn_background(|_| ready(Err(OutOfPaper(7))));
        assert_eq!(group.wait().await.unwrap_err().to_string(), "tray 7 is out of paper");
    }

    // guarantee D3
    async fn the_failure_of_a_background_member_of_a_supervisor_is_told(Group) {
        let mut group = Group::supervisor(&Context::background());
        group.spawn_background(|_| ready(Err(OutOfPaper(7))));
        group.spawn(|_| async {
            tokio::task::yield_now().await;
            Ok::<_, Cancelled>(8)
        });
        assert_eq!(group.next().await.unwrap().unwrap_err().to_string(), "tray 7 is out of paper");
        assert_eq!(group.next().await.unwrap().unwrap(), 8);
        assert!(group.next().await.is_none());
    }
}

// guarantee D3, D4
#[tokio::test]
async fn a_member_that_exits_has_no_value_and_fails_the_group() {
    let mut group = TaskGroup::<()>::new(&Context::background());
    let ctx = group.context().clone();
    group.spawn(|_| pending::<Result<(), Cancelled>>());
    group.spawn(async |_| match exit_task().await {} as Result<(), Cancelled>);
    assert!(matches!(group.wait().await, Err(JoinError::Exited)));
    assert_eq!(
        ctx.cause().unwrap().to_string(),
        "a member of the group has exited"
    );
}

// guarantee D3, D4
#[tokio::test]
async fn a_member_of_a_supervisor_exits_alone() {
    let mut group = TaskGroup::supervisor(&Context::background());
    group.spawn(async |_| match exit_task().await {} as Result<u8, Cancelled>);
    group.spawn(|_| ready(Ok::<_, Cancelled>(7)));
    let outcomes = group.outcomes().await;
    assert!(matches!(outcomes[..], [Err(JoinError::Exited), Ok(7)]));
}

// guarantee D3; the symptom: members of a runtime that had shut down were waited for in vain
#[test]
fn members_whose_runtime_is_gone_were_aborted() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut group = runtime.block_on(async {
        let mut group = TaskGroup::<()>::new(&Context::background());
        group.spawn(|_| pending::<Result<(), Cancelled>>());
        group
    });
    drop(runtime);
    let other = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let outcome = other.block_on(group.next());
    assert!(matches!(outcome, Some(Err(JoinError::Aborted))));
}
