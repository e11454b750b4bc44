//! `inherit_spawns`: tasks that are spawned in annotated code carry the current context.

#![expect(
    clippy::unused_async,
    clippy::unused_self,
    reason = "what is called need not do anything"
)]

use std::future::{Future, pending};

use cancel_context::private::waiting;
use cancel_context::task::exit_task;
use cancel_context::{Context, cancellable};
use tests::Trace;
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinError, JoinHandle, JoinSet, LocalSet};

async fn is_stopped(trace: Trace) -> u8 {
    let _task = trace.drops("task");
    pending::<()>().await;
    trace.note("went on");
    1
}

async fn path() -> String {
    tokio::task::yield_now().await;
    Context::current().path()
}

/// Cancels the context of `spawns` once its task waits; gives how the task ended.
async fn cancelled<F: Future<Output = JoinHandle<u8>>>(
    spawns: impl FnOnce(Trace) -> F,
) -> (Result<u8, JoinError>, String) {
    let trace = Trace::default();
    let (ctx, canceller) = Context::background().with_cancel();
    let task = ctx.run(spawns(trace.clone())).await.unwrap();
    while waiting(&ctx) == 0 {
        tokio::task::yield_now().await;
    }
    canceller.cancel();
    (task.await, trace.take())
}

// guarantee A3; scenario 22
#[tokio::test]
async fn a_spawned_task_ends_like_an_aborted_one() {
    #[cancellable(implicit, inherit_spawns)]
    async fn spawns(trace: Trace) -> JoinHandle<u8> {
        tokio::task::yield_now().await;
        tokio::spawn(async move { is_stopped(trace).await })
    }
    let (end, events) = cancelled(spawns).await;
    assert!(end.unwrap_err().is_cancelled());
    assert_eq!(events, "-task");
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
}

// guarantees A3, D4
#[tokio::test]
async fn a_spawned_task_that_exits_ends_like_an_aborted_one() {
    #[cancellable(implicit, inherit_spawns)]
    async fn spawns(trace: Trace) -> JoinHandle<u8> {
        tokio::spawn(async move {
            let _task = trace.drops("task");
            tokio::task::yield_now().await;
            let never = exit_task().await;
            trace.note("went on");
            match never {}
        })
    }
    let (trace, ctx) = (Trace::default(), Context::background());
    let task = ctx.run(spawns(trace.clone())).await.unwrap();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(trace.take(), "-task");
    assert!(!ctx.is_cancelled());
}

// guarantee A3; scenario 22
#[tokio::test]
async fn without_the_option_a_spawned_task_runs_on() {
    #[cancellable(implicit)]
    async fn spawns() -> JoinHandle<String> {
        tokio::task::yield_now().await;
        tokio::spawn(async { path().await })
    }
    let (ctx, canceller) = Context::background().with_name("job").with_cancel();
    let task = ctx.run(spawns()).await.unwrap();
    canceller.cancel();
    assert_eq!(task.await.unwrap(), "", "is in no scope");
}

// guarantee A3
#[tokio::test]
async fn every_kind_of_spawn_carries_the_context() {
    #[cancellable(implicit, inherit_spawns)]
    async fn spawns(set: &mut JoinSet<String>, local: &LocalSet) -> Vec<JoinHandle<String>> {
        use tokio::{spawn, task};

        let handle = Handle::current();
        let _: AbortHandle = set.spawn(path());
        set.spawn_on(path(), &handle);
        set.spawn_local_on(path(), local);
        vec![
            spawn(path()),
            task::spawn(path()),
            Handle::current().spawn(async move { path().await }),
            handle.spawn(Box::pin(path())),
            local.spawn_local(path()),
        ]
    }
    let mut set = JoinSet::new();
    let local = LocalSet::new();
    let ctx = Context::background().with_name("job");
    let tasks = ctx.run(spawns(&mut set, &local)).await.unwrap();
    let ends = local.run_until(async {
        let mut ends = Vec::new();
        for task in tasks {
            ends.push(task.await.unwrap());
        }
        while let Some(end) = set.join_next().await {
            ends.push(end.unwrap());
        }
        ends
    });
    assert_eq!(ends.await, ["job"; 8]);
}

// guarantee A3
#[tokio::test]
async fn a_task_spawned_when_the_context_has_ended_never_starts() {
    #[cancellable(implicit, inherit_spawns)]
    async fn spawns(trace: Trace, canceller: cancel_context::Canceller) -> JoinHandle<u8> {
        tokio::task::yield_now().await;
        canceller.cancel();
        tokio::spawn(is_stopped(trace))
    }
    let trace = Trace::default();
    let (ctx, canceller) = Context::background().with_cancel();
    let task = ctx.run(spawns(trace.clone(), canceller)).await.unwrap();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(trace.take(), "");
}

// guarantee A3
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_runs_before_its_spawn_has_returned_is_ended_too() {
    #[cancellable(implicit, inherit_spawns)]
    async fn spawns(trace: Trace) -> JoinHandle<u8> {
        tokio::task::yield_now().await;
        tokio::spawn(is_stopped(trace))
    }
    for _ in 0..1_000 {
        let (ctx, canceller) = Context::background().with_cancel();
        let cancel = tokio::spawn(async move { canceller.cancel() });
        // Either the scope or the task ends; nothing hangs.
        if let Ok(task) = ctx.run(spawns(Trace::default())).await {
            assert!(task.await.unwrap_err().is_cancelled());
        }
        cancel.await.unwrap();
    }
}

// guarantee A3
#[tokio::test]
async fn a_value_a_panic_and_an_abort_are_what_they_were() {
    #[cancellable(implicit, inherit_spawns)]
    async fn spawns() -> [JoinHandle<u8>; 3] {
        tokio::task::yield_now().await;
        [
            tokio::spawn(async { 7 }),
            tokio::spawn(async { panic!("on purpose") }),
            tokio::spawn(pending()),
        ]
    }
    let (ctx, _canceller) = Context::background().with_cancel();
    let [value, panic, aborted] = ctx.run(spawns()).await.unwrap();
    assert_eq!(value.await.unwrap(), 7);
    assert!(panic.await.unwrap_err().is_panic());
    aborted.abort();
    assert!(aborted.await.unwrap_err().is_cancelled());
}

// guarantee A7
#[tokio::test]
async fn what_is_no_task_of_tokios_is_left_as_it_was() {
    struct Pool;
    impl Pool {
        fn spawn<T>(&self, work: impl FnOnce() -> T) -> T {
            work()
        }
        fn spawn_on(&self, count: usize, name: &'static str) -> (usize, &'static str) {
            (count, name)
        }
        fn spawn_local<F: Future<Output = u8>>(&self, future: F) -> F {
            future
        }
    }
    fn spawn(count: usize) -> usize {
        count + 1
    }
    #[cancellable(implicit, inherit_spawns)]
    async fn calls(pool: &Pool) -> (usize, (usize, &'static str), usize, u8, u8) {
        tokio::task::yield_now().await;
        let thread = std::thread::spawn(|| 3_u8).join().unwrap();
        let counted = pool.spawn(|| 4);
        (
            counted,
            pool.spawn_on(5, "name"),
            spawn(6),
            pool.spawn_local(async { 7 }).await,
            thread,
        )
    }
    assert_eq!(calls(&Pool).await, (4, (5, "name"), 7, 7, 3));
}

// guarantee A7
#[tokio::test]
async fn arguments_may_borrow_leave_and_await() {
    #[cancellable(implicit, inherit_spawns)]
    async fn spawns(set: &mut JoinSet<usize>, missing: Option<usize>) -> Option<usize> {
        let length = async |set: &JoinSet<usize>| set.len();
        let count = missing.unwrap_or(1);
        set.spawn(async move { count });
        // The argument uses the receiver, awaits, and leaves.
        set.spawn(counts(set.len() + length(set).await + missing?));
        Some(set.len())
    }
    async fn counts(count: usize) -> usize {
        count
    }
    let mut set = JoinSet::new();
    assert_eq!(spawns(&mut set, None).await, None);
    assert_eq!(spawns(&mut set, Some(5)).await, Some(3));
    let mut ends = set.join_all().await;
    ends.sort_unstable();
    assert_eq!(ends, [1, 5, 9]);
}

struct Purge(JoinHandle<String>);

#[cancellable(implicit, inherit_spawns)]
impl Purge {
    fn open() -> Self {
        Self(tokio::spawn(path()))
    }
}

// guarantee A3
#[tokio::test]
async fn a_constructor_in_an_annotated_block_spawns_into_the_scope() {
    let ctx = Context::background().with_name("job");
    let purge = ctx.run(async { Purge::open() }).await.unwrap();
    assert_eq!(purge.0.await.unwrap(), "job");
}
