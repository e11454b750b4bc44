//! Elided, named and anonymous lifetimes; references that outlive the context.

use std::borrow::Cow;
use std::future::{Future, ready};
use std::pin::Pin;

use cancel_context::{Cancelled, Context, cancellable};
use futures::future::{BoxFuture, FutureExt};

#[cancellable]
async fn elided(text: &str) -> Result<&str, Cancelled> {
    Ok(ready(text.trim()).await)
}

#[cancellable]
async fn anonymous(text: Cow<'_, str>) -> Result<Cow<'_, str>, Cancelled> {
    Ok(ready(text).await)
}

#[cancellable]
async fn named<'long: 'short, 'short>(
    long: &'long str,
    short: &'short str,
) -> Result<&'short str, Cancelled> {
    Ok(if ready(long.len()).await > 3 {
        long
    } else {
        short
    })
}

#[cancellable]
async fn kept() -> Result<&'static str, Cancelled> {
    Ok(ready("kept").await)
}

#[cancellable]
async fn mutable<'a>(values: &'a mut Vec<u8>, extra: &[u8]) -> Result<&'a mut u8, Cancelled> {
    values.extend(ready(extra).await);
    Ok(values.first_mut().expect("is not empty"))
}

#[cancellable]
async fn higher_ranked(
    action: &(dyn for<'a> Fn(&'a str) -> &'a str + Sync),
) -> Result<String, Cancelled> {
    let text = String::from("ab");
    let first = ready(action(&text)).await;
    Ok(first.to_owned())
}

#[cancellable]
fn opaque<'a>(text: &'a str) -> impl Future<Output = Result<&'a str, Cancelled>> + Send + 'a {
    async move { Ok(ready(text).await) }
}

#[cancellable]
fn boxed<'a>(
    text: &'a str,
) -> Pin<Box<dyn Future<Output = Result<&'a str, Cancelled>> + Send + 'a>> {
    Box::pin(async move { Ok(ready(text).await) })
}

#[cancellable]
fn elided_in_the_box(text: &str) -> BoxFuture<'_, Result<usize, Cancelled>> {
    async move { Ok(ready(text.len()).await) }.boxed()
}

struct Reader<'r>(&'r str);

impl<'r> Reader<'r> {
    #[cancellable]
    async fn line(&mut self) -> Result<&'r str, Cancelled> {
        let (line, rest) = ready(self.0.split_at(1)).await;
        self.0 = rest;
        Ok(line)
    }

    #[cancellable]
    fn boxed_line(&mut self) -> BoxFuture<'_, Result<&'r str, Cancelled>> {
        Box::pin(async move { Ok(ready(self.0).await) })
    }

    #[cancellable]
    fn boxed_length(&self) -> BoxFuture<'static, Result<usize, Cancelled>> {
        let length = self.0.len();
        Box::pin(async move { Ok(ready(length).await) })
    }
}

#[tokio::main(flavor = "current_thread")]
pub async fn main() {
    let text = String::from(" text ");
    let trimmed = {
        let ctx = Context::background().with_name("short-lived");
        elided(&ctx, &text).await.unwrap()
    };
    assert_eq!(trimmed, "text");
    let ctx = Context::background();
    assert_eq!(anonymous(&ctx, "a".into()).await.unwrap(), "a");
    assert_eq!(named(&ctx, "long", "s").await.unwrap(), "long");
    assert_eq!(kept(&ctx).await.unwrap(), "kept");
    *mutable(&ctx, &mut vec![], &[1]).await.unwrap() += 1;
    assert_eq!(higher_ranked(&ctx, &|text| &text[1..]).await.unwrap(), "b");
    assert_eq!(opaque(&ctx, "a").await.unwrap(), "a");
    assert_eq!(boxed(&ctx, "a").await.unwrap(), "a");
    assert_eq!(elided_in_the_box(&ctx, "a").await.unwrap(), 1);
    let mut reader = Reader(&text);
    assert_eq!(reader.line(&ctx).await.unwrap(), " ");
    assert_eq!(reader.boxed_line(&ctx).await.unwrap(), "text ");
    assert_eq!(reader.boxed_length(&ctx).await.unwrap(), 5);
}
