//! Tasks whose current context is the one that spawned them.

use std::panic::Location;
use std::sync::Arc;

use tokio::task::{self, LocalSet};

use super::body::{Body, Ended};
use super::handle::JoinHandle;
use super::roll::{Entry, Kind};
use crate::context::Context;
use crate::scope;

/// Spawns a task, and has the roll know how it is stopped.
fn start<F: Future>(
    body: Body<F>,
    spawn: impl FnOnce(Body<F>) -> task::JoinHandle<Result<F::Output, Ended>>,
) -> JoinHandle<F::Output> {
    let record = body.record();
    JoinHandle::of(spawn(body), record)
}

/// Spawning.
impl Context {
    /// Spawns `future` as a task of the current tokio runtime, in the scope of this context.
    ///
    /// A context that has ended already never starts the body. When it ends later, the task leaves
    /// as a [`run`](Self::run) scope does, and the handle gives the
    /// [`Cancelled`](crate::Cancelled). From within it is ended by [`exit_task`](crate::task::exit_task).
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// let task = ctx.spawn(std::future::pending::<()>());
    /// canceller.cancel();
    /// assert!(task.await.is_err());
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        start(Body::new(self, future), tokio::spawn)
    }

    /// Runs `work` on a thread for blocking work, with this context; one that has ended by then
    /// never starts it.
    ///
    /// A blocking thread cannot be stopped from outside: `work` has to look at the context it is
    /// given, with [`check`](Self::check) or [`interrupt_with`](Self::interrupt_with).
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let ctx = Context::background();
    /// let sum = ctx.spawn_blocking(|ctx| ctx.check().map(|()| 1 + 1));
    /// assert_eq!(sum.await.unwrap().unwrap(), 2);
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let entry = Entry::new(self, Kind::Blocking, Location::caller());
        start_blocking(self.clone(), entry, work)
    }

    /// Spawns a future that is not `Send` on the current [`LocalSet`]; otherwise as
    /// [`spawn`](Self::spawn).
    ///
    /// # Panics
    ///
    /// Panics outside of a [`LocalSet`].
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::rc::Rc;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let local = tokio::task::LocalSet::new();
    /// let task = local.run_until(async {
    ///     let shared = Rc::new(7);
    ///     Context::background().spawn_local(async move { *shared }).await
    /// });
    /// assert_eq!(task.await.unwrap(), 7);
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: 'static> + 'static,
    {
        start(Body::new(self, future), tokio::task::spawn_local)
    }

    /// Like [`spawn_local`](Self::spawn_local), on the given [`LocalSet`].
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let local = tokio::task::LocalSet::new();
    /// let task = Context::background().spawn_local_on(async { 7 }, &local);
    /// assert_eq!(local.run_until(task).await.unwrap(), 7);
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn_local_on<F>(&self, future: F, local: &LocalSet) -> JoinHandle<F::Output>
    where
        F: Future<Output: 'static> + 'static,
    {
        start(Body::new(self, future), |body| local.spawn_local(body))
    }
}

/// Runs `work` on a thread for blocking work, unless `context` has ended by then.
pub(super) fn start_blocking<T: Send + 'static>(
    context: Context,
    entry: Option<Entry>,
    work: impl FnOnce(&Context) -> T + Send + 'static,
) -> JoinHandle<T> {
    let record = entry.as_ref().map(|entry| Arc::clone(&entry.record));
    // In this order they are dropped, whether it runs or not: it is on the roll until all else is gone.
    let kept = (work, context, entry);
    let task = tokio::task::spawn_blocking(move || {
        let (work, context, entry) = kept;
        if let Some(cancelled) = context.leave(None) {
            return Err(Ended::Cancelled(cancelled));
        }
        let work = || scope::within(&context, || work(&context));
        Ok(match &entry {
            None => work(),
            Some(entry) => entry.record.during(work),
        })
    });
    JoinHandle::of(task, record)
}
