//! Implicit functions of every shape.

#![allow(dead_code)]

use std::collections::HashMap;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;

use cancel_context::{Context, cancellable};

type Boxed<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[cancellable(implicit)]
async fn alias() -> Boxed<u8> {
    Ok(ready(1).await)
}

#[cancellable(implicit)]
async fn nothing() {
    ready(()).await;
}

#[cancellable(implicit)]
async fn never() -> ! {
    loop {
        std::future::pending::<()>().await;
    }
}

#[cancellable(implicit)]
async fn calls_never(flag: bool) -> u8 {
    if flag {
        never().await
    }
    1
}

#[cancellable(implicit)]
async fn elided(text: &str) -> &str {
    ready(text).await
}

#[cancellable(implicit)]
async fn named<'a>(map: &'a HashMap<String, String>, key: &str) -> Result<&'a str, String> {
    map.get(ready(key).await)
        .map(String::as_str)
        .ok_or_else(String::new)
}

#[cancellable(implicit)]
async fn opaque(values: &[u8]) -> impl Iterator<Item = &u8> {
    ready(values).await.iter()
}

#[cancellable(implicit)]
async fn generic<T, E>(result: Result<T, E>) -> Result<T, E>
where
    T: Clone,
{
    ready(result).await
}

#[cancellable(implicit)]
async fn coerced(flag: bool) -> Box<dyn Fn(u8) -> u8 + Send> {
    if ready(flag).await {
        return Box::new(|x| x + 1);
    }
    Box::new(|x| x * 2)
}

#[cancellable(implicit)]
async fn nested_results() -> Result<Option<Vec<u8>>, std::io::Error> {
    let read = async {
        let value = ready(Ok::<_, std::io::Error>(Some(1))).await?;
        Ok::<_, std::io::Error>(value.into_iter().collect())
    };
    Ok(Some(read.await?))
}

#[cancellable(implicit)]
async unsafe fn is_unsafe(pointer: Arc<u8>) -> u8 {
    ready(*pointer).await
}

#[cancellable(implicit)]
fn boxed(depth: u8) -> Pin<Box<dyn Future<Output = u8> + Send>> {
    Box::pin(async move {
        if depth == 0 {
            return 0;
        }
        boxed(depth - 1).await + 1
    })
}

struct Service<T>(T);

#[cancellable(implicit)]
impl<T: Clone + PartialEq> Service<T> {
    const NAME: &'static str = "service";

    async fn by_value(self) -> T {
        ready(self.0).await
    }

    async fn by_reference(&self) -> Result<&T, ()> {
        ready(()).await;
        Ok(&self.0)
    }

    async fn by_unique_reference(&mut self, value: T) -> Option<T> {
        let old = self.0.clone();
        self.0 = ready(value).await;
        Some(old)
    }

    async fn by_arc(self: Arc<Self>) -> T {
        ready(self.0.clone()).await
    }
}

#[cancellable(implicit)]
trait Source {
    type Item;

    async fn next(&mut self) -> Result<Option<Self::Item>, String>;

    async fn last(&mut self) -> Option<Self::Item> {
        let mut last = None;
        while let Ok(Some(item)) = self.next().await {
            last = Some(item);
        }
        last
    }
}

#[cancellable(implicit)]
impl Source for std::ops::Range<u8> {
    type Item = u8;

    async fn next(&mut self) -> Result<Option<u8>, String> {
        Ok(ready(Iterator::next(self)).await)
    }
}

fn is_send_and_static<T: Send + 'static>(future: T) -> T {
    future
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(future)
}

pub fn main() {
    block_on(Context::background().run(async {
        assert_eq!(is_send_and_static(alias()).await.unwrap(), 1);
        nothing().await;
        assert_eq!(calls_never(false).await, 1);
        assert_eq!(elided("text").await, "text");
        let map = HashMap::from([("key".to_owned(), "value".to_owned())]);
        assert_eq!(named(&map, "key").await, Ok("value"));
        assert_eq!(opaque(&[1, 2]).await.count(), 2);
        assert_eq!(generic::<u8, ()>(Ok(1)).await, Ok(1));
        assert_eq!(coerced(true).await(1), 2);
        assert_eq!(nested_results().await.unwrap(), Some(vec![1]));
        assert_eq!(is_send_and_static(boxed(3)).await, 3);
        let mut service = Service(1);
        assert_eq!(service.by_unique_reference(2).await, Some(1));
        assert_eq!(service.by_reference().await, Ok(&2));
        assert_eq!(Arc::new(Service(3)).by_arc().await, 3);
        assert_eq!(service.by_value().await, 2);
        assert_eq!(Source::last(&mut (0..4)).await, Some(3));
    }))
    .unwrap();
}
