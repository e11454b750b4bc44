//! The event of each task that is cancelled: one of them, what is in it, and in which span.

use std::future::{pending, ready};
use std::time::Duration;

use cancel_context::{Cancelled, Canceller, Context, cancellable};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tests::log::{Event, Log};
use tests::{Polled, complete};
use tracing::Level;

#[cancellable]
async fn explicit() -> Result<(), Cancelled> {
    pending::<()>().await;
    Ok(())
}

#[cancellable(implicit)]
async fn implicit() -> Result<(), Cancelled> {
    pending::<()>().await;
    Ok(())
}

#[cancellable(implicit)]
async fn unwound() -> usize {
    pending::<()>().await;
    0
}

fn job() -> (Context, Canceller) {
    Context::background().with_name("job").with_cancel()
}

/// Has `future` wait, ends its context by `end`, and gives what it completes with.
fn ended<T>(future: impl Future<Output = T>, end: impl FnOnce()) -> T {
    let mut polled = Polled::new(future);
    polled.waits();
    end();
    polled.completes()
}

/// Checks that the event says what `error` does.
#[track_caller]
fn assert_says(event: &Event, error: &Cancelled) {
    assert_eq!(
        (event.level, event.target),
        (Level::DEBUG, "cancel_context")
    );
    let fields = [
        ("cause", error.cause().to_string()),
        ("ended_at", error.origin().to_string()),
        ("left_at", error.site().unwrap().to_string()),
        ("message", String::from("cancelled")),
        ("path", error.path().to_owned()),
    ];
    assert!(
        event
            .fields
            .iter()
            .map(|(name, text)| (*name, text.clone()))
            .eq(fields),
        "{event:?}"
    );
}

// guarantee E5
#[test]
fn an_explicit_function_says_why_and_where_it_was_left() {
    let (log, (ctx, canceller)) = (Log::default(), job());
    let error = log.during(|| ended(explicit(&ctx), || canceller.cancel_with("enough")));
    assert_says(&log.only(), &error.unwrap_err());
}

// guarantee E5
#[test]
fn an_implicit_function_says_so_as_well() {
    let (log, (ctx, canceller)) = (Log::default(), job());
    let error = log.during(|| ended(ctx.run(implicit()), || canceller.cancel()));
    assert_says(&log.only(), &error.unwrap().unwrap_err());
}

// guarantee E5
#[test]
fn a_function_that_is_unwound_gives_one_event_with_its_await() {
    let (log, (ctx, canceller)) = (Log::default(), job());
    let error = log.during(|| ended(ctx.run(unwound()), || drop(canceller)));
    assert_says(&log.only(), &error.unwrap_err());
}

// guarantee E5
#[test]
fn an_await_that_never_began_was_left_as_well() {
    let (log, (ctx, canceller)) = (Log::default(), job());
    canceller.cancel();
    let error = log.during(|| complete(explicit(&ctx))).unwrap_err();
    assert_says(&log.only(), &error);
}

#[cancellable]
async fn explicit_levels(depth: usize) -> Result<(), Cancelled> {
    if depth == 0 {
        return explicit(ctx).await;
    }
    Box::pin(explicit_levels(ctx, depth - 1)).await
}

#[cancellable(implicit)]
async fn implicit_levels(depth: usize) -> Result<(), Cancelled> {
    if depth == 0 {
        return implicit().await;
    }
    Box::pin(implicit_levels(depth - 1)).await
}

#[cancellable(implicit)]
async fn unwound_levels(depth: usize) -> usize {
    if depth == 0 {
        return unwound().await;
    }
    Box::pin(unwound_levels(depth - 1)).await
}

#[cancellable]
async fn narrowed_levels(depth: usize) -> Result<(), Cancelled> {
    let ctx = ctx.with_timeout(Duration::from_secs(600));
    if depth == 0 {
        return explicit(&ctx).await;
    }
    Box::pin(narrowed_levels(&ctx, depth - 1)).await
}

// guarantee E5; the symptom: a line for each level that the error has passed
#[test]
fn ten_nested_functions_give_one_event() {
    let log = Log::default();
    let (ctx, canceller) = job();
    let end = || canceller.cancel();
    log.during(|| ended(explicit_levels(&ctx, 10), end))
        .unwrap_err();
    assert!(log.only().field("left_at").unwrap().contains("pending"));

    let (ctx, canceller) = job();
    log.during(|| ended(ctx.run(implicit_levels(10)), || canceller.cancel()))
        .unwrap()
        .unwrap_err();
    assert!(log.only().field("left_at").unwrap().contains("pending"));

    let (ctx, canceller) = job();
    log.during(|| ended(ctx.run(unwound_levels(10)), || canceller.cancel()))
        .unwrap_err();
    assert!(log.only().field("left_at").unwrap().contains("pending"));

    let (ctx, canceller) = job();
    log.during(|| ended(ctx.run(narrowed_levels(&ctx, 10)), || canceller.cancel()))
        .unwrap()
        .unwrap_err();
    assert!(log.only().field("left_at").unwrap().contains("pending"));
}

// guarantee E5
#[test]
fn select_and_join_of_many_give_one_event() {
    #[cancellable]
    async fn joins() -> Result<(), Cancelled> {
        let (first, second) = tokio::join!(explicit(ctx), ctx.run(unwound()));
        first.and(second.map(|_| ()))
    }
    #[cancellable]
    async fn selects() -> Result<(), Cancelled> {
        tokio::select! {
            first = explicit(ctx) => first,
            second = ctx.run(unwound()) => second.map(|_| ()),
        }
    }
    let log = Log::default();
    for future in [true, false] {
        let (ctx, canceller) = job();
        let end = || canceller.cancel();
        log.during(|| {
            if future {
                ended(joins(&ctx), end)
            } else {
                ended(selects(&ctx), end)
            }
        })
        .unwrap_err();
        _ = log.only();
    }
}

// guarantee E5
#[test]
fn members_behind_wakers_of_their_own_are_of_their_task() {
    let (log, (ctx, canceller)) = (Log::default(), job());
    let members = async {
        let members: FuturesUnordered<_> = (0..50).map(|_| implicit()).collect();
        members.filter(|end| ready(end.is_err())).count().await
    };
    assert_eq!(
        log.during(|| ended(ctx.run(members), || canceller.cancel()))
            .unwrap_or(50),
        50
    );
    _ = log.only();
}

#[cancellable]
async fn cleans_up() -> Result<(), Cancelled> {
    explicit(ctx).await.unwrap_err();
    for _ in 0..3 {
        #[shield]
        tokio::task::yield_now().await;
    }
    explicit(ctx).await
}

// guarantee E5; the symptom: another line after a clean-up
#[test]
fn a_task_that_goes_on_after_its_end_gives_one_event() {
    let (log, (ctx, canceller)) = (Log::default(), job());
    log.during(|| ended(ctx.run(cleans_up(&ctx)), || canceller.cancel()))
        .unwrap()
        .unwrap_err();
    _ = log.only();
}

// guarantee E5: nothing is there that remembers
#[test]
fn in_no_scope_each_await_that_is_left_gives_one() {
    let (log, (ctx, canceller)) = (Log::default(), job());
    log.during(|| ended(cleans_up(&ctx), || canceller.cancel()))
        .unwrap_err();
    assert_eq!(log.take().len(), 2);
}

// guarantee E5
#[test]
fn a_timeout_that_the_task_handles_is_a_cancellation_of_its_own() {
    #[cancellable]
    async fn tries_twice() -> Result<(), Cancelled> {
        let short = ctx.with_timeout_cause(Duration::from_millis(5), std::io::Error::other("slow"));
        let left = explicit(&short).await.unwrap_err();
        assert!(left.is_timeout());
        explicit(ctx).await
    }
    let (log, (ctx, canceller)) = (Log::default(), job());
    log.during_async(async {
        let task = ctx.spawn({
            let ctx = ctx.clone();
            async move { tries_twice(&ctx).await }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        canceller.cancel_with("enough");
        task.await.unwrap().unwrap_err();
    });
    let events = log.take();
    let causes: Vec<_> = events
        .iter()
        .map(|event| event.field("cause").unwrap())
        .collect();
    assert_eq!(causes, ["slow", "enough"]);
    assert!(
        events[0]
            .field("ended_at")
            .unwrap()
            .starts_with("set at tests/tests/events.rs:")
    );
}

// guarantee E5
#[test]
fn what_is_not_cancelled_gives_no_event_in_10_000_awaits() {
    #[cancellable]
    async fn turns() -> Result<(), Cancelled> {
        for _ in 0..500 {
            for _ in 0..19 {
                ready(()).await;
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }
    let (log, (ctx, canceller)) = (Log::default(), job());
    log.during(|| {
        complete(turns(&ctx)).unwrap();
        complete(ctx.run(async { 7 })).unwrap();
        // Nobody is there to be cancelled.
        canceller.cancel();
        // To look is not to leave, and neither is to be told.
        ctx.check().unwrap_err();
        complete(ctx.cancelled());
    });
    assert_eq!(log.take(), []);
}
