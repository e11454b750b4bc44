//! The injected context: functions, generics, lifetimes; and the other ways to name it.

use std::fmt::Display;
use std::future::{pending, ready};
use std::time::Duration;

use cancel_context::{AsContext, Cancelled, Context, cancellable};
use tests::{assert_checked, complete};

fn assert_static<T: Send + 'static>(value: T) -> T {
    value
}

#[cancellable]
async fn plain() -> Result<String, Cancelled> {
    ready(()).await;
    Ok(ctx.path())
}

// guarantee A1
#[test]
fn a_function_without_parameters_is_given_a_context() {
    assert_checked(|ctx| async move { plain(&ctx).await });
}

// guarantee A1
#[test]
fn an_owned_context_makes_the_future_static() {
    assert_checked(|ctx| assert_static(plain(ctx)));
}

// guarantee A1
#[test]
fn a_caller_passes_whatever_leads_to_a_context() {
    assert_checked(|ctx| async move { plain(&&ctx).await });
    assert_checked(|mut ctx| async move { plain(&mut ctx).await });
}

// guarantee A1
#[test]
fn the_context_comes_before_all_other_parameters() {
    #[cancellable]
    async fn add(left: u8, (middle, _): (u8, u8), right: u8) -> Result<u8, Cancelled> {
        ready(()).await;
        Ok(left + middle + right)
    }
    assert_eq!(
        complete(add(Context::background(), 1, (2, 3), 4)).unwrap(),
        7
    );
}

// guarantee A1
#[test]
fn the_body_sees_a_reference() {
    #[cancellable]
    async fn same() -> Result<Context, Cancelled> {
        ready(()).await;
        let reference: &Context = ctx;
        Ok(reference.clone())
    }
    let ctx = Context::background().with_name("request");
    assert_eq!(complete(same(&ctx)).unwrap(), ctx);
}

// guarantee A1
#[test]
fn elided_lifetimes_keep_their_meaning() {
    #[cancellable]
    async fn first(text: &str) -> Result<&str, Cancelled> {
        ready(()).await;
        Ok(text.split(' ').next().unwrap_or(text))
    }
    let text = String::from("one two");
    // The output outlives the context: it borrows from `text` alone.
    let found = {
        let ctx = Context::background().with_name("short");
        complete(first(&ctx, &text)).unwrap()
    };
    assert_eq!(found, "one");
}

// guarantee A1
#[test]
fn written_lifetimes_keep_their_meaning() {
    #[cancellable]
    async fn longer<'a, 'b: 'a>(left: &'a str, right: &'b str) -> Result<&'a str, Cancelled> {
        ready(()).await;
        Ok(if left.len() > right.len() {
            left
        } else {
            right
        })
    }
    assert_eq!(
        complete(longer(Context::background(), "a", "bc")).unwrap(),
        "bc"
    );
}

// guarantee A1
#[test]
fn generics_are_given_as_before() {
    #[cancellable]
    async fn parse<T, const BASE: usize>(text: &str) -> Result<Option<T>, Cancelled>
    where
        T: std::str::FromStr,
    {
        ready(()).await;
        Ok((BASE == 10).then(|| text.parse().ok()).flatten())
    }
    let ctx = Context::background();
    assert_eq!(complete(parse::<u8, 10>(&ctx, "7")).unwrap(), Some(7));
    assert_eq!(complete(parse::<u8, 2>(&ctx, "7")).unwrap(), None);
}

// guarantee A1
#[test]
fn impl_trait_stays_in_both_positions() {
    #[cancellable]
    async fn shown(value: impl Display) -> Result<impl Display, Cancelled> {
        ready(()).await;
        Ok(format!("<{value}>"))
    }
    let shown = complete(shown(Context::background(), 7)).unwrap();
    assert_eq!(shown.to_string(), "<7>");
}

// guarantee A1
#[test]
fn a_parameter_named_ctx_is_taken() {
    #[cancellable]
    async fn borrowed(ctx: &Context) -> Result<String, Cancelled> {
        ready(()).await;
        Ok(ctx.path())
    }
    #[cancellable]
    async fn owned(ctx: Context) -> Result<String, Cancelled> {
        ready(()).await;
        Ok(ctx.path())
    }
    #[cancellable]
    async fn any(_first: u8, ctx: impl AsContext) -> Result<String, Cancelled> {
        ready(()).await;
        Ok(ctx.as_context().path())
    }
    #[cancellable]
    async fn generic<C: AsContext + ?Sized>(ctx: &C) -> Result<String, Cancelled> {
        ready(()).await;
        Ok(ctx.as_context().path())
    }
    assert_checked(|ctx| async move { borrowed(&ctx).await });
    assert_checked(owned);
    assert_checked(|ctx| any(1, ctx));
    assert_checked(|ctx| async move { generic(&ctx).await });
}

// guarantee A1
#[test]
fn another_parameter_is_taken_by_name() {
    #[cancellable(ctx = cx)]
    async fn named(_first: u8, cx: &Context) -> Result<String, Cancelled> {
        ready(()).await;
        Ok(cx.path())
    }
    assert_checked(|ctx| async move { named(1, &ctx).await });
}

// guarantee A1
#[test]
fn the_context_is_injected_under_another_name() {
    #[cancellable(inject = cx)]
    async fn renamed(ctx: &str) -> Result<String, Cancelled> {
        ready(ctx).await;
        Ok(cx.path())
    }
    assert_checked(|ctx| async move { renamed(&ctx, "no context").await });
}

// guarantee A1
#[test]
fn shadowing_the_context_narrows_it() {
    #[cancellable]
    async fn narrowed() -> Result<(), Cancelled> {
        {
            let ctx = ctx.with_name("inner").with_timeout(Duration::ZERO);
            let left = async { ready(ctx.is_cancelled()).await };
            let attempt = wait(&ctx).await;
            assert!(attempt.is_err() && left.await, "the inner one has ended");
        }
        ready(()).await;
        Ok(())
    }
    #[cancellable]
    async fn wait() -> Result<(), Cancelled> {
        pending::<()>().await;
        Ok(())
    }
    let ctx = Context::background().with_name("outer");
    let cancelled = complete(narrowed(&ctx)).unwrap_err();
    assert_eq!(cancelled.path(), "outer/inner");
    assert!(cancelled.is_timeout());
    assert!(!ctx.is_cancelled());
}

// guarantee A1
#[test]
fn a_context_narrowed_in_a_block_does_not_narrow_what_follows_it() {
    #[cancellable]
    async fn block_scoped() -> Result<String, Cancelled> {
        {
            let ctx = ctx.with_timeout(Duration::ZERO);
            assert!(ctx.is_cancelled());
        }
        if let Some(ctx) = Some(ctx.with_timeout(Duration::ZERO)) {
            assert!(ctx.is_cancelled());
        }
        ready(()).await;
        Ok(ctx.path())
    }
    assert_checked(|ctx| async move { block_scoped(&ctx).await });
}

// guarantee A1
#[test]
fn an_operand_may_move_the_context() {
    #[cancellable]
    async fn moved() -> Result<String, Cancelled> {
        let ctx = ctx.clone();
        let path = plain(ctx).await?;
        Ok(path)
    }
    #[cancellable]
    async fn moved_into_a_block(ctx: Context) -> Result<String, Cancelled> {
        let path = async move { ready(ctx.path()).await }.await;
        Ok(path)
    }
    assert_checked(|ctx| async move { moved(&ctx).await });
    assert_checked(moved_into_a_block);
}
