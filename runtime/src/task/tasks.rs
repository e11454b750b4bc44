//! Groups of tasks, on tokio's `JoinSet` and tokio-util's `TaskTracker`.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};

use tokio::task::{Id, JoinSet};
use tokio_util::task::TaskTracker;

use super::body::Body;
use super::group::sealed::{Outcome, Set};
use super::group::{Group, Members};
use super::handle::JoinError;
use super::policy::{self, Member, flatten};
use super::roll::{Entry, Kind, Record};
use super::spawn::start_blocking;
use crate::cancelled::Cancelled;
use crate::context::Context;

/// A [`Group`] whose members are tasks.
pub type TaskGroup<T> = Group<Tasks<T>>;

/// The members of a [`TaskGroup`].
pub struct Tasks<T> {
    set: JoinSet<Result<Option<T>, JoinError>>,
    running: HashMap<Id, Member>,
    /// Counts all that run, also those that outlive the group.
    tracker: TaskTracker,
}

impl<T: Send + 'static> Default for Tasks<T> {
    fn default() -> Self {
        Self {
            set: JoinSet::new(),
            running: HashMap::new(),
            tracker: TaskTracker::new(),
        }
    }
}

impl<T: Send + 'static> Members for Tasks<T> {}

impl<T: Send + 'static> Set for Tasks<T> {
    type Value = T;

    fn poll_next(&mut self, task: &mut Task<'_>) -> Poll<Option<Outcome<T>>> {
        let Some(joined) = ready!(self.set.poll_join_next_with_id(task)) else {
            return Poll::Ready(None);
        };
        let (id, outcome) = match joined {
            Ok((id, outcome)) => (id, outcome),
            Err(error) => (error.id(), Err(error.into())),
        };
        let member = self.running.remove(&id);
        let member = member.expect("each task was entered when it was spawned");
        Poll::Ready(Some((member, outcome)))
    }

    fn abort(&mut self) {
        self.set.abort_all();
    }
}

impl<T: Send + 'static> TaskGroup<T> {
    /// Adds a member: the future that `work` makes of the group's context, as a task.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::task::TaskGroup;
    /// use cancel_context::{Cancelled, Context, cancellable};
    ///
    /// #[cancellable]
    /// async fn double(number: u32) -> Result<u32, Cancelled> {
    ///     tokio::task::yield_now().await;
    ///     Ok(2 * number)
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut group = TaskGroup::new(&Context::background());
    /// group.spawn(|ctx| double(ctx, 7));
    /// assert_eq!(group.wait().await.unwrap(), [14]);
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn<F, E>(&mut self, work: impl FnOnce(Context) -> F)
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>> + 'static,
    {
        let (member, context) = self.enter(false);
        let body = Body::new(&context, work(context.clone()));
        let record = body.record();
        let work = async { flatten(body.await).map(Some) };
        self.start(member, context, record, work);
    }

    /// Adds a member that ends with the others: it is cancelled when all that are no background members have
    /// ended.
    ///
    /// Until then its failure is that of the group. What it returns after it was told to stop is not looked
    /// at, unless it panics.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::task::TaskGroup;
    /// use cancel_context::{Cancelled, Context};
    /// use std::future;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut group = TaskGroup::new(&Context::background());
    /// group.spawn_background(|_| future::pending::<Result<(), Cancelled>>());
    /// group.spawn(async |_| Ok::<_, Cancelled>(7));
    /// assert_eq!(group.wait().await.unwrap(), [7]);
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn_background<F, E>(&mut self, work: impl FnOnce(Context) -> F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>> + 'static,
    {
        let (member, context) = self.enter(true);
        let body = Body::new(&context, work(context.clone()));
        let record = body.record();
        let work = async { flatten(body.await).map(|()| None) };
        self.start(member, context, record, work);
    }

    /// Adds a member that runs on a thread for blocking work, and has to look at the context it is given.
    ///
    /// It cannot be aborted: when the group is dropped, it goes on until it looks.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::task::TaskGroup;
    /// use cancel_context::{Cancelled, Context};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut group = TaskGroup::new(&Context::background());
    /// group.spawn_blocking(|ctx| {
    ///     let mut sum = 0;
    ///     for number in 0..10_u32 {
    ///         ctx.check()?;
    ///         sum += number;
    ///     }
    ///     Ok::<_, Cancelled>(sum)
    /// });
    /// assert_eq!(group.wait().await.unwrap(), [45]);
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn_blocking<E>(
        &mut self,
        work: impl FnOnce(&Context) -> Result<T, E> + Send + 'static,
    ) where
        E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
    {
        let (member, context) = self.enter(false);
        let (token, of_work) = (self.members.tracker.token(), context.clone());
        let entry = Entry::new(&context, Kind::Blocking, Location::caller());
        // In this order they are dropped, whether it runs or not.
        let kept = (work, token);
        // It is not in the scope of its context: what runs on the thread is waited for.
        let work = async move {
            let task = start_blocking(of_work, entry, move |ctx| {
                let (work, _token) = kept;
                work(ctx)
            });
            flatten(task.await).map(Some)
        };
        self.start(member, context, None, work);
    }

    /// Waits until fewer members are left than may run at the same time: for who adds them faster than they end.
    /// Without a limit, it does not wait.
    ///
    /// # Errors
    ///
    /// Returns the [`Cancelled`] if the group's context ends meanwhile.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::task::TaskGroup;
    /// use cancel_context::{Cancelled, Context};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// let mut group = TaskGroup::new(&Context::background()).limit(2);
    /// for number in 0..10 {
    ///     group.room().await?;
    ///     group.spawn(async move |_| Ok::<_, Cancelled>(number));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn room(&self) -> Result<(), Cancelled> {
        self.policy.room(self.context()).await
    }

    #[track_caller]
    fn start(
        &mut self,
        member: Member,
        context: Context,
        record: Option<Arc<Record>>,
        work: impl Future<Output = Result<Option<T>, JoinError>> + Send + 'static,
    ) {
        let (policy, presence) = (Arc::clone(&self.policy), self.policy.admit(member));
        let run = policy::run(policy, member, context, presence, work);
        let Tasks {
            set,
            running,
            tracker,
        } = &mut self.members;
        let task = set.spawn(tracker.track_future(run));
        running.insert(task.id(), member);
        if let Some(record) = record {
            record.set_abort(task);
        }
        self.left += usize::from(!member.is_background);
    }

    /// Gives what waits until the last member has ended, also of those that outlive the group.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::task::TaskGroup;
    /// use cancel_context::{Cancelled, Context};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut group = TaskGroup::new(&Context::background());
    /// group.spawn_blocking(|ctx| {
    ///     while ctx.check().is_ok() {}
    ///     Ok::<_, Cancelled>(())
    /// });
    /// let closed = group.closed();
    /// drop(group);
    /// closed.await;
    /// # }
    /// ```
    pub fn closed(&self) -> impl Future<Output = ()> + Send + Sync + use<T> {
        let tracker = self.members.tracker.clone();
        tracker.close();
        async move { tracker.wait().await }
    }
}

impl<T> fmt::Debug for Tasks<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks")
            .field("running", &self.running.len())
            .finish_non_exhaustive()
    }
}
