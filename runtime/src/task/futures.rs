//! Groups of futures, which run in the task that waits for them.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll};

use futures_util::Stream;
use futures_util::stream::FuturesUnordered;

use super::group::sealed::{Outcome, Set};
use super::group::{Group, Members};
use super::handle::JoinError;
use super::policy::{self, Member, flatten};
use crate::context::Context;

/// A [`Group`] whose members are futures of the task that waits for them, and may borrow from what is around it.
///
/// They make progress only while the group is waited for.
///
/// # Examples
///
/// ```
/// use cancel_context::task::FutureGroup;
/// use cancel_context::{Cancelled, Context, cancellable};
///
/// #[cancellable]
/// async fn length(word: &str) -> Result<usize, Cancelled> {
///     tokio::task::yield_now().await;
///     Ok(word.len())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let words = [String::from("stop"), String::from("the"), String::from("world")];
/// let mut group = FutureGroup::new(&Context::background());
/// for word in &words {
///     group.spawn(|ctx| length(ctx, word));
/// }
/// assert_eq!(group.wait().await.unwrap(), [4, 3, 5]);
/// # }
/// ```
pub type FutureGroup<'a, T> = Group<Futures<'a, T>>;

type Boxed<'a, T> = Pin<Box<dyn Future<Output = Outcome<T>> + Send + 'a>>;

/// The members of a [`FutureGroup`].
pub struct Futures<'a, T>(FuturesUnordered<Boxed<'a, T>>);

impl<T> Default for Futures<'_, T> {
    fn default() -> Self {
        Self(FuturesUnordered::new())
    }
}

impl<T> Members for Futures<'_, T> {}

impl<T> Set for Futures<'_, T> {
    type Value = T;

    fn poll_next(&mut self, task: &mut Task<'_>) -> Poll<Option<Outcome<T>>> {
        Pin::new(&mut self.0).poll_next(task)
    }

    fn abort(&mut self) {
        self.0.clear();
    }
}

impl<'a, T: Send + 'a> FutureGroup<'a, T> {
    /// Adds a member: the future that `work` makes of the group's context.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::task::FutureGroup;
    /// use cancel_context::{Cancelled, Context};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let number = 7;
    /// let mut group = FutureGroup::new(&Context::background());
    /// group.spawn(async |_| Ok::<_, Cancelled>(&number));
    /// assert_eq!(group.wait().await.unwrap(), [&7]);
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn<F, E>(&mut self, work: impl FnOnce(Context) -> F)
    where
        F: Future<Output = Result<T, E>> + Send + 'a,
        E: Into<Box<dyn Error + Send + Sync>> + 'a,
    {
        let (member, context) = self.enter(false);
        let scope = context.run(work(context.clone()));
        self.start(member, context, async { flatten(scope.await).map(Some) });
    }

    /// Adds a member that ends with the others: it is cancelled when all that are no background members have
    /// ended.
    ///
    /// Until then its failure is that of the group. What it returns after it was told to stop is not looked
    /// at, unless it panics.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::task::FutureGroup;
    /// use cancel_context::{Cancelled, Context};
    /// use std::future;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut group = FutureGroup::new(&Context::background());
    /// group.spawn_background(|_| future::pending::<Result<(), Cancelled>>());
    /// group.spawn(async |_| Ok::<_, Cancelled>(7));
    /// assert_eq!(group.wait().await.unwrap(), [7]);
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn_background<F, E>(&mut self, work: impl FnOnce(Context) -> F)
    where
        F: Future<Output = Result<(), E>> + Send + 'a,
        E: Into<Box<dyn Error + Send + Sync>> + 'a,
    {
        let (member, context) = self.enter(true);
        let scope = context.run(work(context.clone()));
        let work = async { flatten(scope.await).map(|()| None) };
        self.start(member, context, work);
    }

    fn start(
        &mut self,
        member: Member,
        context: Context,
        work: impl Future<Output = Result<Option<T>, JoinError>> + Send + 'a,
    ) {
        let (policy, presence) = (Arc::clone(&self.policy), self.policy.admit(member));
        let run = policy::run(policy, member, context, presence, work);
        self.members
            .0
            .push(Box::pin(async move { (member, run.await) }));
        self.left += usize::from(!member.is_background);
    }
}

impl<T> fmt::Debug for Futures<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Futures")
            .field("running", &self.0.len())
            .finish_non_exhaustive()
    }
}
