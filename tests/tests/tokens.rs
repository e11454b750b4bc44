//! The `CancellationToken` of a context.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::Wake;
use std::time::Duration;

use cancel_context::private::{children, waiting};
use cancel_context::tower::ContextLayer;
use cancel_context::{Context, Kind};
use futures::StreamExt;
use futures::channel::mpsc::unbounded;
use http_body_util::BodyExt;
use hyper::{Request, Response};
use tests::{Polled, at_once};
use tower::{Layer, ServiceExt, service_fn};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

// guarantee E1
#[test]
fn a_context_has_one_token_which_ends_with_it() {
    let (ctx, canceller) = Context::background().with_cancel();
    let token = ctx.cancellation_token();
    assert_eq!(ctx.clone().cancellation_token(), token);
    assert!(!token.is_cancelled());
    canceller.cancel_with("enough");
    assert!(token.is_cancelled());
    assert!(ctx.cancellation_token().is_cancelled());
    assert_eq!(waiting(&ctx), 0);
}

// guarantee E1
#[test]
fn contexts_share_a_token_exactly_if_they_end_by_definition_at_once() {
    let (ctx, _canceller) = Context::background().with_cancel();
    let token = ctx.cancellation_token();
    let request = ctx.with_value(7_u8).with_name("request");
    assert_eq!(request.cancellation_token(), token);
    let (child, canceller) = request.with_cancel();
    let narrowed = child.cancellation_token();
    assert_ne!(narrowed, token);
    canceller.cancel();
    assert!(narrowed.is_cancelled() && !token.is_cancelled());
}

// guarantee E1
#[test]
fn two_threads_at_once_get_the_same_token() {
    for _ in 0..500 {
        let (ctx, canceller) = Context::background().with_cancel();
        let token = || ctx.cancellation_token();
        let (first, second) = at_once(token, token);
        assert_eq!(first, second);
        canceller.cancel();
        assert!(first.is_cancelled());
    }
}

// guarantee E1
#[test]
fn a_token_that_is_asked_for_while_the_context_ends_is_cancelled() {
    for _ in 0..500 {
        let (ctx, canceller) = Context::background().with_cancel();
        let ((), token) = at_once(
            || canceller.cancel(),
            || {
                let token = ctx.cancellation_token();
                // Once the end can be seen, whoever asks gets a cancelled one.
                if ctx.is_cancelled() {
                    assert!(ctx.cancellation_token().is_cancelled());
                }
                token
            },
        );
        assert!(token.is_cancelled());
    }
}

// guarantee E1; the symptom: one finds the token that the other has entered, and not cancelled yet
#[test]
fn two_threads_that_ask_an_ended_context_get_cancelled_tokens() {
    for _ in 0..2_000 {
        let (ctx, canceller) = Context::background().with_cancel();
        canceller.cancel();
        let is_cancelled = || ctx.cancellation_token().is_cancelled();
        assert_eq!(at_once(is_cancelled, is_cancelled), (true, true));
    }
}

// guarantee E1
#[test]
fn the_end_of_a_parent_cancels_the_token_and_its_children_and_wakes_who_waits() {
    let (parent, canceller) = Context::background().with_cancel();
    let (ctx, _canceller) = parent.with_cancel();
    let token = ctx.cancellation_token();
    let child = token.child_token();
    let mut waits = Polled::new(child.cancelled());
    waits.waits();
    canceller.cancel();
    assert!(token.is_cancelled());
    assert_eq!(waits.wakes(), 1);
    waits.completes();
}

// guarantees C2, E1
#[tokio::test(start_paused = true)]
async fn a_deadline_cancels_the_token_although_nobody_looks_at_the_context() {
    let begun = tokio::time::Instant::now();
    let ctx = Context::background().with_timeout(LONG);
    let token = ctx.cancellation_token();
    token.cancelled().await;
    assert!(begun.elapsed() >= LONG);
    assert_eq!(ctx.err(), Some(Kind::DeadlineExceeded));
}

// guarantee E1
#[test]
fn the_token_of_a_context_that_has_ended_is_cancelled() {
    let ctx = Context::background().with_timeout(Duration::ZERO);
    assert!(ctx.cancellation_token().is_cancelled());
    assert_eq!(waiting(&ctx), 0);
}

// guarantee E1; the symptom: a library cancels the token it was given, and with it those of all others
#[test]
fn contexts_that_cannot_end_give_each_a_token_of_their_own() {
    let (detached, canceller) = Context::background().with_cancel();
    canceller.detach();
    for ctx in [
        Context::background(),
        Context::todo(),
        Context::background().with_value(7_u8),
        detached.without_cancel(),
        detached,
        Context::any([]),
    ] {
        let token = ctx.cancellation_token();
        assert_ne!(ctx.cancellation_token(), token);
        assert!(!token.is_cancelled());
        assert_eq!(waiting(&ctx), 0, "{ctx:?}");
    }
}

// guarantees B8, E1
#[test]
fn a_token_is_freed_when_nothing_can_end_the_context_any_more() {
    let (parent, canceller) = Context::background().with_cancel();
    let ctx = Context::any([parent.clone()]);
    let token = ctx.cancellation_token();
    assert_eq!((children(&parent), waiting(&ctx)), (1, 1));
    canceller.detach();
    assert_eq!((children(&parent), waiting(&ctx)), (0, 0));
    assert!(!token.is_cancelled());
}

// guarantees B3, B8, E1
#[tokio::test(start_paused = true)]
async fn a_token_keeps_no_context_in_memory_and_outlives_it_uncancelled() {
    let (parent, _canceller) = Context::background().with_cancel();
    let value = Arc::new(());
    let request = parent.with_value(Arc::clone(&value));
    let ctx = request.with_timeout(LONG);
    let token = ctx.cancellation_token();
    drop(request);
    assert_eq!((Arc::strong_count(&value), children(&parent)), (2, 1));
    drop(ctx);
    assert_eq!((Arc::strong_count(&value), children(&parent)), (1, 0));
    tokio::time::sleep(2 * LONG).await;
    assert!(!token.is_cancelled());
}

// guarantees B3, E1
#[test]
fn who_cancels_the_token_does_not_cancel_the_context() {
    let (ctx, canceller) = Context::background().with_cancel();
    let token = ctx.cancellation_token();
    token.cancel();
    assert!(!ctx.is_cancelled());
    canceller.cancel_with("later");
    assert_eq!(ctx.cause().unwrap().to_string(), "later");
}

// guarantees B9, E1
#[test]
fn a_waker_at_the_token_that_panics_stops_nobody() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker panics on purpose");
        }
    }
    let (ctx, canceller) = Context::background().with_cancel();
    let token = ctx.cancellation_token();
    let mut waits = Polled::new(token.cancelled());
    assert!(waits.poll_with(&Arc::new(Panics).into()).is_pending());
    let ran = Arc::new(AtomicBool::new(false));
    let runs = Arc::clone(&ran);
    ctx.after_cancel(move || runs.store(true, SeqCst));
    canceller.cancel();
    assert!(token.is_cancelled() && ran.load(SeqCst));
}

// guarantees E1, E2; the symptom: what nobody had kept of a request but its token was freed without an end
#[tokio::test]
async fn the_token_of_a_request_is_cancelled_when_that_is_answered() {
    for limit in [None, Some(LONG)] {
        let layer = ContextLayer::new(&Context::background());
        let layer = limit.map_or(layer.clone(), |limit| layer.timeout(limit));
        let (sender, mut tokens) = unbounded();
        let service = layer.layer(service_fn(move |_: Request<()>| {
            let token = Context::current().cancellation_token();
            sender.unbounded_send(token).unwrap();
            ready(Ok::<_, Infallible>(Response::new(String::from("hello"))))
        }));
        let answer = service.oneshot(Request::new(())).await.unwrap();
        let token = tokens.next().await.unwrap();
        assert!(!token.is_cancelled());
        assert_eq!(answer.collect().await.unwrap().to_bytes(), "hello");
        assert!(token.is_cancelled(), "{limit:?}");
    }
}
