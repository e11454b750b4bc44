//! Generics, bounds, defaults, const generics, `where` clauses, patterns as parameters.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::future::{Future, ready};
use std::hash::Hash;

use cancel_context::{AsContext, Cancelled, Context, cancellable};

#[cancellable]
async fn shown<T: Display + ?Sized>(value: &T) -> Result<String, Cancelled> {
    Ok(ready(value).await.to_string())
}

#[cancellable]
async fn filled<T, const N: usize>(value: T) -> Result<[T; N], Cancelled>
where
    T: Copy + Send + 'static,
{
    Ok([ready(value).await; N])
}

#[cancellable]
async fn mapped<K, V, F, R>(map: BTreeMap<K, V>, action: F) -> Result<Vec<R>, Cancelled>
where
    K: Ord + Hash,
    F: Fn(K, V) -> R,
    R: Future,
    R::Output: Debug,
{
    let mut results = Vec::new();
    for (key, value) in map {
        let future = action(key, value);
        results.push(future);
    }
    ready(()).await;
    Ok(results)
}

#[cancellable]
async fn called<F: FnOnce() -> R, R: Future<Output = u8>>(action: F) -> Result<u8, Cancelled> {
    Ok(action().await)
}

#[cancellable]
async fn destructured((left, [right, ..]): (u8, [u8; 2]), _: u8) -> Result<u8, Cancelled> {
    Ok(ready(left).await + right)
}

#[cancellable]
async fn both(
    left: impl Display,
    right: impl Into<String> + Clone,
) -> Result<impl Display + Clone, Cancelled> {
    ready(()).await;
    Ok(format!("{}{}", left, right.into()))
}

#[cancellable]
async fn taken<C: AsContext, T: Default>(ctx: C) -> Result<T, Cancelled> {
    ready(()).await;
    Ok(T::default())
}

struct Cache<K, V = u8>(BTreeMap<K, V>);

impl<K: Ord, V: Clone> Cache<K, V> {
    #[cancellable]
    async fn find<Q>(&self, key: &Q) -> Result<Option<V>, Cancelled>
    where
        K: std::borrow::Borrow<Q>,
        Q: Ord + ?Sized,
    {
        let found = self.0.get(key).cloned();
        Ok(ready(found).await)
    }
}

#[tokio::main(flavor = "current_thread")]
pub async fn main() {
    let ctx = Context::background();
    assert_eq!(shown::<str>(&ctx, "a").await.unwrap(), "a");
    assert_eq!(filled::<u8, 2>(&ctx, 7).await.unwrap(), [7, 7]);
    let map: BTreeMap<_, _> = vec![(1, 2)].into_iter().collect();
    let sums = mapped(&ctx, map, |key, value| ready(key + value));
    assert_eq!(sums.await.unwrap().pop().unwrap().await, 3);
    assert_eq!(called(&ctx, || async { 7 }).await.unwrap(), 7);
    assert_eq!(destructured(&ctx, (1, [2, 3]), 4).await.unwrap(), 3);
    assert_eq!(both(&ctx, 1, "a").await.unwrap().to_string(), "1a");
    assert_eq!(taken::<&Context, u8>(&ctx).await.unwrap(), 0);
    let cache = Cache(vec![(String::from("a"), 1)].into_iter().collect());
    assert_eq!(cache.find(&ctx, "a").await.unwrap(), Some(1));
}
