//! The one-line error: where it began, which await was left, and that it names the user's lines.

#![expect(clippy::unused_async, reason = "what is awaited need not await")]

use std::future::pending;
use std::time::Duration;

use cancel_context::{Cancelled, Context, Site, cancellable};
use tests::{Polled, complete};

/// The column of `.await` in this line is what the errors show: of the keyword, counted from 1.
#[cancellable]
async fn innermost() -> Result<(), Cancelled> {
    pending::<()>().await;
    Ok(())
}

#[cancellable]
async fn outermost(id: u64) -> Result<(), Cancelled> {
    let ctx = ctx.with_name(format!("db {id}"));
    innermost(&ctx).await
}

const INNERMOST_LINE: u32 = 14;

// guarantee G1
#[test]
fn the_text_names_both_ends_and_the_path() {
    let request = Context::background()
        .with_name("gateway")
        .with_name("request 7");
    let (ctx, canceller) = request.with_cancel();
    let mut call = Polled::new(outermost(&ctx, 3));
    call.waits();
    let line = line!() + 1;
    canceller.cancel();
    let left = call.completes().unwrap_err();
    let file = file!();
    assert_eq!(
        left.to_string(),
        format!(
            "context canceled: left {file}:{INNERMOST_LINE}:21 `pending::<()>()`; \
             cancelled at {file}:{line}:15; in gateway/request 7/db 3"
        )
    );
}

// guarantee B6
#[test]
fn a_deadline_names_where_it_was_set() {
    let line = line!() + 1;
    let ctx = Context::background().with_timeout(Duration::ZERO);
    let cancelled = complete(innermost(&ctx)).unwrap_err();
    let file = file!();
    assert_eq!(
        cancelled.to_string(),
        format!(
            "context deadline exceeded: left {file}:{INNERMOST_LINE}:21 `pending::<()>()`; \
             set at {file}:{line}:37"
        )
    );
}

// guarantee B6
#[test]
fn a_cause_is_part_of_the_text_and_stays_on_one_line() {
    let (ctx, canceller) = Context::background().with_cancel();
    canceller.cancel_with("the user\nhung up");
    let text = complete(innermost(&ctx)).unwrap_err().to_string();
    assert!(
        text.starts_with("context canceled (the user hung up): left "),
        "{text}"
    );
    assert!(!text.contains('\n'));
}

fn site(call: impl Future<Output = Result<(), Cancelled>>) -> &'static Site {
    complete(call)
        .unwrap_err()
        .site()
        .expect("an await was left")
}

fn ended() -> Context {
    Context::background().with_timeout(Duration::ZERO)
}

// guarantee G1
#[test]
fn a_site_is_the_place_of_the_keyword_and_the_path_of_the_function() {
    #[cancellable]
    async fn waits() -> Result<(), Cancelled> {
        pending::<()>().await;
        Ok(())
    }
    let left = site(waits(ended()));
    assert_eq!(left.file(), file!());
    assert_eq!((left.line(), left.column()), (line!() - 5, 25));
    assert_eq!(left.expression(), "pending::<()>()");
    assert_eq!(left.function(), concat!(module_path!(), "::waits"));
}

// guarantee G1
#[test]
fn sites_of_two_awaits_differ_and_those_of_two_calls_do_not() {
    #[cancellable]
    async fn chooses(first: bool) -> Result<(), Cancelled> {
        if first {
            pending::<()>().await
        } else {
            pending::<()>().await
        }
        Ok(())
    }
    let left = site(chooses(ended(), true));
    assert_eq!(left, site(chooses(ended(), true)));
    assert!(std::ptr::eq(left, site(chooses(ended(), true))));
    let other = site(chooses(ended(), false));
    assert_ne!(left, other);
    assert_eq!(
        (left.line() + 2, left.column()),
        (other.line(), other.column())
    );
    assert_eq!(left.expression(), other.expression());
}

// guarantee G1
#[test]
fn an_expression_is_shown_as_it_was_written_on_one_line() {
    struct Pool {
        open: bool,
    }
    impl Pool {
        async fn acquire<T>(&self, _: &mut [T], _: Option<&str>, _: bool) -> Result<(), String> {
            pending().await
        }
    }
    #[cancellable]
    async fn acquires(pool: &Pool) -> Result<(), Cancelled> {
        let mut rows = [0_u8];
        let done = pool
            .acquire::<u8>(&mut rows[..], Some("a b"), !pool.open)
            .await;
        drop(done);
        Ok(())
    }
    let pool = Pool { open: true };
    let left = site(acquires(ended(), &pool));
    assert_eq!(
        left.expression(),
        "pool.acquire::<u8>(&mut rows[..], Some(\"a b\"), !pool.open)"
    );
}

// guarantee G1
#[test]
fn a_long_expression_is_cut() {
    #[cancellable]
    async fn long() -> Result<(), Cancelled> {
        async_with_a_long_name(
            "a rather long argument",
            "and one more of them",
            "and a last",
        )
        .await;
        Ok(())
    }
    async fn async_with_a_long_name(_: &str, _: &str, _: &str) {}
    let left = site(long(ended()));
    assert_eq!(left.expression().chars().count(), 60);
    assert!(
        left.expression()
            .starts_with("async_with_a_long_name(\"a rather")
    );
    assert!(left.expression().ends_with('…'));
}

macro_rules! generated {
    ($name:ident) => {
        #[cancellable]
        async fn $name() -> Result<(), Cancelled> {
            pending::<()>().await;
            Ok(())
        }
    };
}
generated!(by_a_macro);

// guarantee G1
#[test]
fn an_await_that_a_macro_wrote_is_at_the_call_of_the_macro() {
    let left = site(by_a_macro(ended()));
    assert_eq!(left.file(), file!());
    assert_eq!((left.line(), left.column()), (line!() - 7, 1));
}

// guarantee G1
#[test]
fn an_await_in_the_tokens_of_a_macro_is_at_its_own_place() {
    #[cancellable]
    async fn formats() -> Result<(), Cancelled> {
        let text = format!("{:?}", pending::<()>().await);
        drop(text);
        Ok(())
    }
    let left = site(formats(ended()));
    assert_eq!((left.line(), left.column()), (line!() - 5, 52));
}

// guarantee G1
#[test]
fn the_text_of_an_io_error_is_that_line() {
    #[cancellable]
    async fn reads() -> std::io::Result<()> {
        pending::<()>().await;
        Ok(())
    }
    let error = complete(reads(ended())).unwrap_err().to_string();
    assert!(
        error.starts_with("context deadline exceeded: left "),
        "{error}"
    );
}
