//! Groups whose members do as they should, of both kinds.

use std::future::{pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;

use cancel_context::task::{FutureGroup, JoinError, TaskGroup};
use cancel_context::{Cancelled, Context, cancellable, private};
use futures::FutureExt;
use tokio::sync::oneshot;

use crate::support::{OnDrop, panics};

/// Runs a test with groups of tasks, and with groups of futures.
macro_rules! with_both_kinds {
    ($($(#[$attribute:meta])* async fn $name:ident($group:ident) $body:block)*) => {
        $($(#[$attribute])* mod $name {
            use super::*;

            #[tokio::test]
            async fn of_tasks() {
                type $group<T> = TaskGroup<T>;
                $body
            }

            #[tokio::test]
            async fn of_futures() {
                type $group<'a, T> = FutureGroup<'a, T>;
                $body
            }
        })*
    };
}
pub(crate) use with_both_kinds;

/// Two futures: one gives 1 when the other has given 2.
fn one_after_two() -> (
    impl Future<Output = Result<u32, Cancelled>>,
    impl Future<Output = Result<u32, Cancelled>>,
) {
    let (sender, receiver) = oneshot::channel();
    let one = async {
        receiver.await.unwrap();
        Ok(1)
    };
    let two = async {
        sender.send(()).unwrap();
        Ok(2)
    };
    (one, two)
}

with_both_kinds! {
    // guarantee D3
    async fn waiting_gives_the_values_in_the_order_of_the_members(Group) {
        let (one, two) = one_after_two();
        let mut group = Group::new(&Context::background());
        group.spawn(|_| one);
        group.spawn(|_| two);
        assert_eq!(group.wait().await.unwrap(), [1, 2]);
    }

    // guarantee D3
    async fn next_gives_them_as_they_come(Group) {
        let (one, two) = one_after_two();
        let mut group = Group::new(&Context::background());
        group.spawn(|_| one);
        group.spawn(|_| two);
        assert_eq!(group.next().await.unwrap().unwrap(), 2);
        assert_eq!(group.next().await.unwrap().unwrap(), 1);
        assert!(group.next().await.is_none());
        assert!(group.wait().await.unwrap().is_empty());
    }

    // guarantee D3
    async fn what_next_has_given_is_left_out_afterwards(Group) {
        let (one, two) = one_after_two();
        let mut group = Group::new(&Context::background());
        group.spawn(|_| one);
        group.spawn(|_| two);
        assert_eq!(group.next().await.unwrap().unwrap(), 2);
        assert_eq!(group.wait().await.unwrap(), [1]);
    }

    // guarantee D3
    async fn a_group_without_members_has_ended(Group) {
        let mut group = Group::<u8>::new(&Context::background());
        assert!(group.next().await.is_none());
        assert!(group.wait().await.unwrap().is_empty());
        let supervisor = Group::<u8>::supervisor(&Context::background());
        assert!(supervisor.outcomes().await.is_empty());
    }

    // guarantee D3
    async fn a_group_may_be_used_again_after_all_have_ended(Group) {
        let mut group = Group::new(&Context::background());
        for number in [1, 2] {
            group.spawn(move |_| ready(Ok::<_, Cancelled>(number)));
            assert_eq!(group.next().await.unwrap().unwrap(), number);
            assert!(group.next().await.is_none());
        }
    }

    // guarantee D3
    async fn each_member_has_the_context_of_the_group_as_its_current_one(Group) {
        let ctx = Context::background().with_name("job");
        let mut group = Group::new(&ctx);
        group.spawn(|given| async move { Ok::<_, Cancelled>((given, Context::current())) });
        let expected = group.context().clone();
        assert_eq!(expected.path(), "job");
        let given = group.wait().await.unwrap().remove(0);
        assert_eq!(given, (expected.clone(), expected.clone()));
        assert!(expected.is_cancelled() && !ctx.is_cancelled());
        assert_eq!(private::children(&ctx), 0);
    }

    // guarantee D3
    async fn a_background_member_ends_with_the_others(Group) {
        let (ctx, _canceller) = Context::background().with_cancel();
        let mut group = Group::new(&ctx);
        let (ended, mut has_ended) = oneshot::channel();
        group.spawn_background(|ctx| async move {
            let cancelled = ctx.cancelled().await;
            ended.send(()).unwrap();
            Err::<(), _>(cancelled)
        });
        group.spawn(|_| async {
            tokio::task::yield_now().await;
            Ok::<_, Cancelled>(7)
        });
        assert_eq!(group.wait().await.unwrap(), [7]);
        has_ended.try_recv().unwrap();
        assert!(!ctx.is_cancelled());
    }

    // guarantee D3
    async fn a_group_of_background_members_only_ends_at_once(Group) {
        let mut group = Group::<()>::new(&Context::background());
        group.spawn_background(|_| pending::<Result<(), Cancelled>>());
        assert!(group.next().await.is_none());
        assert!(group.wait().await.unwrap().is_empty());
    }

    // guarantee D3
    async fn what_a_background_member_returns_before_the_others_have_ended_does_not_end_it(Group) {
        let mut group = Group::new(&Context::background());
        group.spawn_background(|_| ready(Ok::<_, Cancelled>(())));
        let (one, two) = one_after_two();
        group.spawn(|_| one);
        group.spawn(|_| two);
        assert_eq!(group.wait().await.unwrap(), [1, 2]);
    }

    // guarantee D3
    async fn a_supervisor_leaves_the_others_alone(Group) {
        let (ctx, _canceller) = Context::background().with_cancel();
        let mut group = Group::supervisor(&ctx);
        group.spawn(|_| ready(Err::<u8, _>("first")));
        group.spawn(|_| async {
            tokio::task::yield_now().await;
            Ok::<_, &str>(7)
        });
        group.spawn(|_| ready(Err::<u8, _>("second")));
        let outcomes = group.outcomes().await;
        let texts: Vec<_> = outcomes.iter().map(|it| it.as_ref().map_err(ToString::to_string)).collect();
        assert_eq!(texts, [Err("first".into()), Ok(&7), Err("second".into())]);
    }

    // guarantee D3; the symptom: the group waited for a member that had never been added
    async fn a_member_that_cannot_be_made_is_none(Group) {
        panics::watch();
        let mut group = Group::<u8>::new(&Context::background());
        group.spawn_background(|_| pending::<Result<(), Cancelled>>());
        let breaks = |_| -> std::future::Ready<Result<u8, Cancelled>> {
            panics::breaks("no member, on purpose");
            unreachable!("it has panicked")
        };
        catch_unwind(AssertUnwindSafe(|| group.spawn(breaks))).unwrap_err();
        assert!(group.wait().await.unwrap().is_empty());
    }

    // guarantee D3
    async fn dropping_a_group_drops_its_members_and_cancels_their_context(Group) {
        let (ctx, _canceller) = Context::background().with_cancel();
        let mut group = Group::<()>::new(&ctx);
        let (dropped, is_dropped) = oneshot::channel();
        let on_drop = OnDrop::new(|| dropped.send(Context::current().is_cancelled()).unwrap());
        group.spawn(|_| async move {
            let _on_drop = on_drop;
            pending::<Result<(), Cancelled>>().await
        });
        assert!(group.next().now_or_never().is_none());
        tokio::task::yield_now().await;
        let of_group = group.context().clone();
        // So does the future that waits for it.
        assert!(Box::pin(group.wait()).now_or_never().is_none());
        assert!(of_group.is_cancelled());
        is_dropped.await.unwrap();
        assert!(!ctx.is_cancelled());
        assert_eq!(private::children(&ctx), 0);
    }
}

#[cancellable]
async fn length(word: &str) -> Result<usize, Cancelled> {
    tokio::task::yield_now().await;
    Ok(word.len())
}

// guarantee D3
#[tokio::test]
async fn futures_may_borrow_what_is_around_the_group() {
    let words = vec![
        String::from("stop"),
        String::from("the"),
        String::from("world"),
    ];
    let mut longest = 0;
    let mut group = FutureGroup::new(&Context::background());
    for word in &words {
        group.spawn(|ctx| length(ctx, word));
    }
    group.spawn(async |_| {
        longest = words.iter().map(String::len).max().unwrap();
        Ok::<_, Cancelled>(0)
    });
    assert_eq!(group.wait().await.unwrap(), [4, 3, 5, 0]);
    assert_eq!(longest, 5);
}

// guarantee D3
#[tokio::test]
async fn blocking_members_are_given_the_context_and_their_values_are_kept() {
    let mut group = TaskGroup::new(&Context::background().with_name("job"));
    group.spawn_blocking(|ctx| Ok::<_, Cancelled>(ctx.path()));
    group.spawn(|_| ready(Ok::<_, Cancelled>(String::from("task"))));
    assert_eq!(group.wait().await.unwrap(), ["job", "task"]);
}

// guarantee D3; the symptom: the wait was over while a thread still ran
#[tokio::test]
async fn blocking_members_are_waited_for_after_a_cancel() {
    let (ctx, canceller) = Context::background().with_cancel();
    let mut group = TaskGroup::<u8>::new(&ctx);
    let (started, is_started) = oneshot::channel();
    let (release, is_released) = mpsc::channel();
    group.spawn_blocking(move |_| {
        started.send(()).unwrap();
        is_released.recv().unwrap();
        Ok::<_, Cancelled>(7)
    });
    is_started.await.unwrap();
    canceller.cancel();
    let mut wait = Box::pin(group.wait());
    assert!(wait.as_mut().now_or_never().is_none());
    release.send(()).unwrap();
    assert_eq!(wait.await.unwrap(), [7]);
}

// guarantee D3
#[tokio::test]
async fn blocking_members_of_a_dropped_group_are_told_and_counted() {
    let mut group = TaskGroup::<()>::new(&Context::background());
    let (started, is_started) = oneshot::channel();
    let (told, is_told) = mpsc::channel();
    let (release, is_released) = mpsc::channel();
    group.spawn_blocking(move |ctx| {
        started.send(()).unwrap();
        let cancelled = futures::executor::block_on(ctx.cancelled());
        told.send(cancelled.origin().to_string()).unwrap();
        is_released.recv().unwrap();
        Ok::<_, Cancelled>(())
    });
    is_started.await.unwrap();
    let mut closed = Box::pin(group.closed());
    drop(group);
    assert!(is_told.recv().unwrap().starts_with("dropped, made at"));
    assert!(closed.as_mut().now_or_never().is_none());
    release.send(()).unwrap();
    closed.await;
}

// guarantee D3
#[tokio::test]
async fn a_member_that_is_added_after_the_end_never_begins() {
    let (ctx, canceller) = Context::background().with_cancel();
    canceller.cancel();
    let mut group = TaskGroup::<()>::new(&ctx);
    group.spawn(|_| async { unreachable!("it begins") as Result<(), Cancelled> });
    group.spawn_blocking(|_| unreachable!("it begins") as Result<(), Cancelled>);
    for _ in 0..2 {
        assert!(matches!(
            group.next().await,
            Some(Err(JoinError::Cancelled(_)))
        ));
    }
}
