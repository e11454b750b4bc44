//! What a cancelled call returns.

use std::error::Error;
use std::future::pending;
use std::io;
use std::time::Duration;

use cancel_context::{Cancelled, Context, FromCancelled, cancellable};
use tests::complete;

fn cancelled() -> Context {
    let (ctx, canceller) = Context::background().with_cancel();
    canceller.cancel_with("enough");
    ctx
}

fn timed_out() -> Context {
    Context::background().with_timeout(Duration::ZERO)
}

// guarantee A5
#[test]
fn an_error_type_of_the_users_is_made_from_the_cancellation() {
    #[derive(Debug)]
    enum Failure {
        Stopped(Cancelled),
    }
    impl From<Cancelled> for Failure {
        fn from(cancelled: Cancelled) -> Self {
            Failure::Stopped(cancelled)
        }
    }
    #[cancellable]
    async fn fails() -> Result<(), Failure> {
        pending::<()>().await;
        Ok(())
    }
    let Failure::Stopped(reason) = complete(fails(cancelled())).unwrap_err();
    assert_eq!(reason.cause().to_string(), "enough");
}

// guarantee A5
#[test]
fn an_io_error_tells_a_deadline_from_a_cancel_and_keeps_the_cancellation() {
    #[cancellable]
    async fn reads() -> io::Result<()> {
        pending::<()>().await;
        Ok(())
    }
    let error = complete(reads(cancelled())).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Other);
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Cancelled>());
    assert_eq!(inner.unwrap().cause().to_string(), "enough");
    let error = complete(reads(timed_out())).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

// guarantee A5
#[test]
fn a_text_and_an_error_that_says_nothing_can_be_returned() {
    #[cancellable]
    async fn text() -> Result<(), String> {
        pending::<()>().await;
        Ok(())
    }
    #[cancellable]
    async fn nothing() -> Result<u8, ()> {
        pending::<()>().await;
        Ok(1)
    }
    let text = complete(text(cancelled())).unwrap_err();
    assert!(
        text.starts_with("context canceled (enough): left "),
        "{text}"
    );
    assert_eq!(complete(nothing(cancelled())), Err(()));
}

// guarantee A5
#[test]
fn boxed_errors_work_as_they_are() {
    #[cancellable]
    async fn local() -> Result<(), Box<dyn Error>> {
        pending::<()>().await;
        Ok(())
    }
    #[cancellable]
    async fn threaded() -> Result<(), Box<dyn Error + Send + Sync>> {
        pending::<()>().await;
        Ok(())
    }
    let error = complete(local(timed_out())).unwrap_err();
    assert!(error.downcast_ref::<Cancelled>().unwrap().is_timeout());
    let error = complete(threaded(timed_out())).unwrap_err();
    assert!(error.downcast_ref::<Cancelled>().unwrap().is_timeout());
}

// guarantee A5
#[test]
fn anyhow_works_as_it_is() {
    use anyhow::Context as _;

    #[cancellable]
    async fn fails() -> anyhow::Result<()> {
        pending::<()>().await;
        Ok(())
    }
    #[cancellable]
    async fn adds_context() -> anyhow::Result<()> {
        let narrowed = ctx.with_timeout(Duration::ZERO);
        fails(&narrowed).await.context("while failing")
    }
    let error = complete(adds_context(Context::background())).unwrap_err();
    assert_eq!(error.to_string(), "while failing");
    assert!(error.downcast_ref::<Cancelled>().unwrap().is_timeout());
}

// guarantee A5
#[test]
fn a_return_type_of_the_users_says_cancelled_in_its_own_way() {
    enum Reply {
        Text(&'static str),
        Gone(Cancelled),
    }
    impl FromCancelled for Reply {
        fn from_cancelled(cancelled: Cancelled) -> Self {
            Reply::Gone(cancelled)
        }
    }
    #[cancellable]
    async fn replies() -> Reply {
        tokio::task::yield_now().await;
        Reply::Text("hello")
    }
    match complete(replies(cancelled())) {
        Reply::Gone(reason) => assert_eq!(reason.cause().to_string(), "enough"),
        Reply::Text(text) => panic!("was cancelled, not {text}"),
    }
}

// guarantee A5
#[test]
fn on_cancel_gives_a_value_of_any_type() {
    #[cancellable(on_cancel = None)]
    async fn optional() -> Option<u8> {
        pending::<()>().await;
        Some(1)
    }
    #[cancellable(on_cancel = ())]
    async fn nothing() {
        pending::<()>().await;
        unreachable!("the context has ended");
    }
    #[cancellable(on_cancel = bytes.len())]
    async fn sees_parameters(bytes: &[u8]) -> usize {
        pending::<()>().await;
        0
    }
    #[cancellable(on_cancel = cancelled.to_string())]
    async fn sees_the_cancellation() -> String {
        pending::<()>().await;
        String::new()
    }
    assert_eq!(complete(optional(cancelled())), None);
    complete(nothing(cancelled()));
    assert_eq!(complete(sees_parameters(cancelled(), &[1, 2, 3])), 3);
    let text = complete(sees_the_cancellation(cancelled()));
    assert!(
        text.starts_with("context canceled (enough): left "),
        "{text}"
    );
}

// guarantee A5
#[test]
fn on_cancel_wins_over_the_error_type() {
    #[cancellable(on_cancel = Ok(cancelled.is_timeout()))]
    async fn succeeds() -> Result<bool, Cancelled> {
        pending::<()>().await;
        Ok(false)
    }
    assert!(complete(succeeds(timed_out())).unwrap());
    assert!(!complete(succeeds(cancelled())).unwrap());
}

// guarantee A5
#[test]
fn on_cancel_may_diverge() {
    #[cancellable(on_cancel = panic!("gone: {}", cancelled.kind()))]
    async fn panics() -> usize {
        pending::<()>().await;
        0
    }
    let text = tests::panic_text(|| complete(panics(cancelled())));
    assert_eq!(text, "gone: context canceled");
}

// guarantee A5
#[test]
fn a_cancellation_converts_further_with_the_question_mark() {
    #[cancellable]
    async fn inner() -> Result<(), Cancelled> {
        pending::<()>().await;
        Ok(())
    }
    #[cancellable]
    async fn reads(narrowed: &Context) -> io::Result<()> {
        inner(narrowed).await?;
        Ok(())
    }
    let error = complete(reads(Context::background(), &timed_out())).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}
