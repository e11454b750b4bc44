//! Contexts that end with a `CancellationToken`, and what goes round through contexts and tokens.

use std::future::pending;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use cancel_context::{Cancelled, Context, Kind, Origin, cancellable};
use tests::{Polled, at_once};
use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

const TEXT: &str = "cancellation token cancelled";

/// Far more than anything takes that does not hang.
const BOUND: Duration = Duration::from_secs(60);

#[track_caller]
fn cause_of(context: &Context) -> String {
    context.cause().expect("it has ended").to_string()
}

// guarantees B4, B6, E1
#[test]
fn a_context_with_a_token_ends_before_cancel_returns() {
    let token = CancellationToken::new();
    let line = line!() + 1;
    let ctx = Context::background().with_token(&token);
    let child = ctx.with_name("child");
    let mut waits = Polled::new(child.cancelled());
    waits.waits();
    assert!(!ctx.is_cancelled());
    token.cancel();
    assert_eq!(
        (ctx.err(), cause_of(&child)),
        (Some(Kind::Cancelled), TEXT.into())
    );
    assert_eq!(waits.wakes(), 1);
    let cancelled = waits.completes();
    assert!(matches!(cancelled.origin(), Origin::Completed(place) if place.line() == line));
    assert_eq!(
        format!("{ctx:?}"),
        "background.with_token(..) [context canceled]"
    );
}

// guarantees B4, E1
#[tokio::test]
async fn so_it_does_on_a_runtime_and_on_another_thread() {
    let token = CancellationToken::new();
    let ctx = Context::background().with_token(&token.child_token());
    thread::spawn(move || token.cancel()).join().unwrap();
    assert_eq!(cause_of(&ctx), TEXT, "no task has run since");
}

// guarantees B4, E1
#[test]
fn a_token_that_is_cancelled_meanwhile_or_was_before_ends_the_context() {
    for _ in 0..500 {
        let token = CancellationToken::new();
        let ((), ctx) = at_once(
            || token.cancel(),
            || Context::background().with_token(&token),
        );
        assert_eq!(cause_of(&ctx), TEXT);
        assert_eq!(cause_of(&ctx.with_token(&CancellationToken::new())), TEXT);
        assert!(Context::background().with_token(&token).is_cancelled());
    }
}

// guarantees B5, E1
#[test]
fn the_first_of_the_parent_and_the_token_is_the_cause() {
    for token_is_first in [true, false] {
        let (parent, canceller) = Context::background().with_cancel();
        let token = CancellationToken::new();
        let ctx = parent.with_token(&token);
        if token_is_first {
            token.cancel();
        }
        canceller.cancel_with("parent");
        token.cancel();
        assert_eq!(cause_of(&ctx), if token_is_first { TEXT } else { "parent" });
        assert_eq!(cause_of(&parent), "parent");
    }
}

// guarantees B3, E1
#[test]
fn neither_the_end_of_a_parent_nor_a_drop_cancels_the_token() {
    let (parent, canceller) = Context::background().with_cancel();
    let token = CancellationToken::new();
    let ctx = parent.with_token(&token);
    drop(parent.with_token(&token));
    canceller.cancel();
    assert!(ctx.is_cancelled() && !token.is_cancelled());
    drop(ctx);
    assert!(!token.is_cancelled());
}

// guarantee E1
#[test]
fn an_annotated_function_leaves_its_await_with_the_cause() {
    #[cancellable]
    async fn waits() -> Result<(), Cancelled> {
        pending::<()>().await;
        Ok(())
    }
    let token = CancellationToken::new();
    let ctx = Context::background().with_name("job").with_token(&token);
    let mut call = Polled::new(waits(&ctx));
    call.waits();
    token.cancel();
    let left = call.completes().unwrap_err();
    assert_eq!(left.site().unwrap().expression(), "pending::<()>()");
    let text = left.to_string();
    assert!(
        text.starts_with(&format!("context canceled ({TEXT}): left ")),
        "{text}"
    );
    assert!(
        text.contains("attached at ") && text.ends_with("; in job"),
        "{text}"
    );
}

// guarantee E1
#[test]
fn what_goes_round_through_tokens_and_contexts_sees_every_end() {
    let token = CancellationToken::new();
    let (above, canceller) = Context::background().with_token(&token).with_cancel();
    let below = Context::background().with_token(&above.cancellation_token());
    let last = below.cancellation_token();
    let itself = above.with_token(&above.cancellation_token());
    canceller.cancel_with("enough");
    assert!(last.is_cancelled() && !token.is_cancelled());
    assert_eq!(cause_of(&below), TEXT, "no cause crosses");
    assert_eq!(
        cause_of(&itself),
        "enough",
        "that of the parent comes first"
    );
}

// guarantees B8, E1; the symptom: a context and a token that own each other
#[test]
fn what_goes_round_through_tokens_and_contexts_is_freed() {
    let token = CancellationToken::new();
    let value = Arc::new(());
    let above = Context::background()
        .with_value(Arc::clone(&value))
        .with_token(&token);
    let below = above.with_token(&above.cancellation_token());
    let last = below.cancellation_token();
    drop(above);
    assert_eq!(Arc::strong_count(&value), 2);
    drop(below);
    assert_eq!(Arc::strong_count(&value), 1);
    token.cancel();
    assert!(!last.is_cancelled());
}

// guarantees C4, E1
#[tokio::test]
async fn tokens_take_no_tasks() {
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let (root, canceller) = Context::background().with_cancel();
    let token = CancellationToken::new();
    let contexts: Vec<_> = (0..1_000)
        .map(|_| (root.with_cancel(), root.with_token(&token)))
        .collect();
    let tokens: Vec<_> = { contexts.iter() }
        .map(|((ctx, _), _)| ctx.cancellation_token())
        .collect();
    assert_eq!(tasks(), before);
    token.cancel();
    assert!(contexts.iter().all(|(_, ctx)| ctx.is_cancelled()));
    canceller.cancel();
    assert!(tokens.iter().all(CancellationToken::is_cancelled));
    assert_eq!(tasks(), before);
}

/// Cancels a token while callbacks below one of its children use the whole tree of tokens.
fn cancel_among_callbacks() {
    let token = CancellationToken::new();
    let child = token.child_token();
    let ctx = Context::background().with_token(&child);
    let (sender, seen) = mpsc::channel();
    let uses_tokens = |name: &'static str| {
        let (token, child, sender) = (token.clone(), child.clone(), sender.clone());
        move || {
            for token in [token, child] {
                assert!(token.is_cancelled() && token.child_token().is_cancelled());
                assert!(Context::background().with_token(&token).is_cancelled());
                token.cancel();
                drop(token);
            }
            sender.send(name).expect("somebody looks");
        }
    };
    ctx.after_cancel(uses_tokens("callback"));
    let _guard = ctx.interrupt_with(uses_tokens("interrupt"));
    let own = ctx.cancellation_token();
    let below = Context::background().with_token(&own.child_token());
    let _below_guard = below.interrupt_with(uses_tokens("below"));
    drop(child);
    token.cancel();
    let mut names: Vec<_> = (0..3).map(|_| seen.recv().expect("it runs")).collect();
    names.sort_unstable();
    assert_eq!(names, ["below", "callback", "interrupt"]);
}

// guarantees B9, E1; the symptom: a token woke its children under its lock, and a callback that looked at it hung
#[test]
fn callbacks_may_use_the_tokens_that_are_being_cancelled() {
    let (running, has_ended) = mpsc::channel::<()>();
    let cancelling = thread::spawn(move || {
        let _running = running;
        cancel_on_a_runtime_and_without();
    });
    let has_ended = has_ended.recv_timeout(BOUND);
    assert_ne!(has_ended, Err(RecvTimeoutError::Timeout), "it hangs");
    cancelling.join().expect("it does not panic");
}

fn cancel_on_a_runtime_and_without() {
    cancel_among_callbacks();
    let runtime = Builder::new_multi_thread().worker_threads(1).build();
    let runtime = runtime.expect("the system has threads");
    let _entered = runtime.enter();
    cancel_among_callbacks();
}
