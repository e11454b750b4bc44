//! The futures around an await, and their poll order.
//!
//! All of them poll first and look second: a value that a future has produced is delivered, and of
//! nested awaits the innermost sees the end first, since it looks in the poll of the outer one.
//! Frames, promises and shields are those of [`crate::scope`].

use std::borrow::Borrow;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context as Task, Poll, Waker};

use pin_project_lite::pin_project;

use crate::cancelled::Cancelled;
use crate::context::Context;
use crate::scope::{Entered, Outside, WakerId, Watch, note_shield};
use crate::site::Site;
use crate::tree::Node;
use crate::waiters;

/// The one registration of a function's activation, or of a scope; kept from await to await.
#[derive(Default)]
pub struct Waiter {
    registration: Option<Box<Registration>>,
}

struct Registration {
    node: Arc<Node>,
    address: usize,
    key: u64,
    waker: WakerId,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.node.remove_waiter(self.key);
    }
}

impl Waiter {
    /// One that is not registered yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { registration: None }
    }

    /// Has `waker` woken when `anchor` ends, unless it has ended: look at it afterwards.
    fn register(&mut self, anchor: &Context, waker: &Waker, depth: u32) {
        let id = WakerId::of(waker);
        let address = anchor.address();
        let registered = self
            .registration
            .as_mut()
            .filter(|known| known.address == address);
        if let Some(known) = registered {
            if known.waker != id {
                known.waker = id;
                let waiter = waiters::Waiter {
                    waker: waker.clone(),
                    depth,
                };
                // If the waiters were taken, the context has ended, as the caller will see.
                known.node.replace_waiter(known.key, waiter);
            }
            return;
        }
        self.registration = None;
        let waiter = waiters::Waiter {
            waker: waker.clone(),
            depth,
        };
        self.registration = anchor.arc().and_then(|node| {
            let key = node.add_waiter(waiter)?;
            Some(Box::new(Registration {
                node,
                address,
                key,
                waker: id,
            }))
        });
    }
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.registration.is_some() {
            "Waiter(registered)"
        } else {
            "Waiter"
        })
    }
}

/// What an await remembers from one pending poll to the next.
#[derive(Default)]
struct Vigil {
    /// It has stayed once for an await below that looked too early.
    has_deferred: bool,
    /// The shields below that were pending when they were last polled.
    shields: Vec<Weak<()>>,
}

impl Vigil {
    /// After a poll that ended pending: whether to leave.
    fn is_over(
        &mut self,
        anchor: &Context,
        watch: &Watch,
        waiter: &mut Waiter,
        waker: &Waker,
    ) -> bool {
        watch.collect_shields(&mut self.shields);
        if let Some(depth) = watch.depth() {
            waiter.register(anchor, waker, depth);
        }
        let leaves = anchor.is_cancelled() && !self.is_held(watch, waker);
        if !leaves {
            Watch::stay();
        }
        leaves
    }

    /// Whether somebody below has to go first.
    fn is_held(&mut self, watch: &Watch, waker: &Waker) -> bool {
        self.shields.retain(|shield| shield.strong_count() > 0);
        if !self.shields.is_empty() {
            return true;
        }
        if watch.was_looked_below() && !self.has_deferred {
            self.has_deferred = true;
            waker.wake_by_ref();
            return true;
        }
        false
    }
}

pin_project! {
    /// An await of an annotated function; made by the attribute.
    #[must_use = "futures do nothing unless polled"]
    pub struct Guard<'w, C, F> {
        context: C,
        #[pin]
        future: F,
        waiter: &'w mut Waiter,
        site: &'static Site,
        vigil: Vigil,
    }
}

impl<'w, C, F> Guard<'w, C, F> {
    pub(crate) fn new(context: C, future: F, waiter: &'w mut Waiter, site: &'static Site) -> Self {
        Self {
            context,
            future,
            waiter,
            site,
            vigil: Vigil::default(),
        }
    }
}

impl<C: Borrow<Context>, F: Future> Future for Guard<'_, C, F> {
    type Output = Result<F::Output, Cancelled>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let context = (*this.context).borrow();
        let Some(anchor) = context.anchor() else {
            return this.future.poll(task).map(Ok);
        };
        let watch = Watch::begin(anchor, task.waker());
        if let Poll::Ready(value) = this.future.poll(task) {
            return Poll::Ready(Ok(value));
        }
        if this
            .vigil
            .is_over(anchor, &watch, this.waiter, task.waker())
            && let Some(cancelled) = context.left_at(this.site)
        {
            return Poll::Ready(Err(cancelled));
        }
        Poll::Pending
    }
}

impl<C, F> fmt::Debug for Guard<'_, C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("site", self.site)
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// A scope; made by [`Context::run`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Run<F> {
        context: Context,
        #[pin]
        future: Option<F>,
        waiter: Waiter,
        vigil: Vigil,
        is_started: bool,
    }
}

impl<F: Future> Future for Run<F> {
    type Output = Result<F::Output, Cancelled>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if !*this.is_started {
            *this.is_started = true;
            if let Some(cancelled) = this.context.cancelled_at(None) {
                this.future.set(None);
                return Poll::Ready(Err(cancelled));
            }
        }
        let future = this
            .future
            .as_mut()
            .as_pin_mut()
            .expect("`Run` is not polled after it ended");
        // Also while the future is dropped: its destructors see their context.
        let _entered = Entered::new(this.context.clone());
        let Some(anchor) = this.context.anchor() else {
            return future.poll(task).map(Ok);
        };
        let watch = Watch::begin(anchor, task.waker());
        if let Poll::Ready(value) = future.poll(task) {
            return Poll::Ready(Ok(value));
        }
        if this
            .vigil
            .is_over(anchor, &watch, this.waiter, task.waker())
            && let Some(cancelled) = this.context.cancelled_at(None)
        {
            this.future.set(None);
            return Poll::Ready(Err(cancelled));
        }
        Poll::Pending
    }
}

impl<F> fmt::Debug for Run<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// A future that runs to completion although its context is cancelled; made by
    /// [`Context::shield`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Shield<F> {
        context: Context,
        #[pin]
        future: F,
        pending: Option<Arc<()>>,
    }
}

impl<F> Shield<F> {
    pub(crate) fn new(context: Context, future: F) -> Self {
        Self {
            context,
            future,
            pending: None,
        }
    }
}

impl<F: Future> Future for Shield<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<F::Output> {
        let this = self.project();
        let polled = {
            let _outside = Outside::new(this.context.clone());
            this.future.poll(task)
        };
        if polled.is_pending() {
            note_shield(this.pending.get_or_insert_default());
        } else {
            *this.pending = None;
        }
        polled
    }
}

impl<F> fmt::Debug for Shield<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shield")
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

/// Waits for the end of a context; made by [`Context::cancelled`] and
/// [`Context::cancelled_owned`].
#[must_use = "futures do nothing unless polled"]
pub struct UntilCancelled<C> {
    context: C,
    waiter: Waiter,
}

impl<C: Borrow<Context> + Unpin> Future for UntilCancelled<C> {
    type Output = Cancelled;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Cancelled> {
        let this = self.get_mut();
        let context: &Context = this.context.borrow();
        let Some(anchor) = context.anchor() else {
            return Poll::Pending;
        };
        if let Some(cancelled) = context.cancelled_at(None) {
            return Poll::Ready(cancelled);
        }
        this.waiter.register(anchor, task.waker(), 0);
        context
            .cancelled_at(None)
            .map_or(Poll::Pending, Poll::Ready)
    }
}

impl<C> fmt::Debug for UntilCancelled<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntilCancelled")
            .field("waiter", &self.waiter)
            .finish_non_exhaustive()
    }
}

/// Awaiting.
impl Context {
    /// Waits until the context has ended, and gives the reason; for ever if it never ends.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future takes its waker off the context; nothing is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// tokio::spawn(async move { canceller.cancel_with("enough") });
    /// assert_eq!(ctx.cancelled().await.cause().to_string(), "enough");
    /// # }
    /// ```
    pub fn cancelled(&self) -> UntilCancelled<&Self> {
        UntilCancelled {
            context: self,
            waiter: Waiter::new(),
        }
    }

    /// Like [`cancelled`](Self::cancelled), for where the future has to be `'static`.
    ///
    /// # Cancel safety
    ///
    /// As for [`cancelled`](Self::cancelled).
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// let watcher = tokio::spawn(ctx.cancelled_owned());
    /// canceller.cancel();
    /// assert!(!watcher.await.unwrap().is_timeout());
    /// # }
    /// ```
    pub fn cancelled_owned(self) -> UntilCancelled<Self> {
        UntilCancelled {
            context: self,
            waiter: Waiter::new(),
        }
    }

    /// Opens a scope: runs `future` with this context as the current one, until it completes or the
    /// context ends.
    ///
    /// A context that has ended already never polls it. When it ends, annotated functions inside
    /// leave first; if the future is still pending then, it is dropped in that same poll. Of nested
    /// scopes with unrelated contexts, the outer one's end drops the inner whole. Works on any
    /// executor; a task spawned inside is another task, and not in the scope.
    ///
    /// # Errors
    ///
    /// Returns the [`Cancelled`] if the context ended before the future completed.
    ///
    /// # Panics
    ///
    /// Panics when it is polled again after it ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the scope drops the future at the await it is in.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let ctx = Context::background().with_timeout(Duration::from_millis(5));
    /// let never = ctx.run(std::future::pending::<()>()).await;
    /// assert!(never.unwrap_err().is_timeout());
    /// # }
    /// ```
    pub fn run<F: Future>(&self, future: F) -> Run<F> {
        Run {
            context: self.clone(),
            future: Some(future),
            waiter: Waiter::new(),
            vigil: Vigil::default(),
            is_started: false,
        }
    }

    /// Runs `future` in a scope that ends with this context or after `timeout`.
    ///
    /// # Errors
    ///
    /// Returns the [`Cancelled`] if either happened before the future completed.
    ///
    /// # Cancel safety
    ///
    /// As for [`run`](Self::run).
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let ctx = Context::background();
    /// assert_eq!(ctx.timeout(Duration::from_secs(1), async { 7 }).await.unwrap(), 7);
    /// # }
    /// ```
    #[track_caller]
    pub fn timeout<F: Future>(&self, timeout: std::time::Duration, future: F) -> Run<F> {
        self.with_timeout(timeout).run(future)
    }

    /// Sleeps for `duration`, or until the context ends.
    ///
    /// # Errors
    ///
    /// Returns the [`Cancelled`] if the context ended first.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the sleep; nothing is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// Context::background().sleep(Duration::from_millis(1)).await.unwrap();
    /// # }
    /// ```
    #[track_caller]
    pub fn sleep(
        &self,
        duration: std::time::Duration,
    ) -> impl Future<Output = Result<(), Cancelled>> + Send + use<> {
        let (context, timer) = (self.clone(), self.with_timeout(duration));
        async move {
            timer.cancelled().await;
            context.cancelled_at(None).map_or(Ok(()), Err)
        }
    }

    /// Runs what `work` returns to completion although this context is cancelled.
    ///
    /// `work` is given a context with the same values that does not end with this one, which is the
    /// current one inside as well. Awaits and scopes around the shield wait for it. It holds against
    /// contexts only: not against an aborted task, a lost `select!` arm or a dropped caller.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the work at the await it is in.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// canceller.cancel();
    /// let rolled_back = ctx.shield(|ctx| async move {
    ///     tokio::task::yield_now().await;
    ///     ctx.is_cancelled()
    /// });
    /// assert_eq!(rolled_back.await, false);
    /// # }
    /// ```
    #[track_caller]
    pub fn shield<F: Future>(&self, work: impl FnOnce(Self) -> F) -> Shield<F> {
        let context = self.without_cancel();
        Shield::new(context.clone(), work(context))
    }

    /// Like [`shield`](Self::shield), for at most `timeout`: that ends the context which `work` is
    /// given, and then drops the work if it is still pending.
    ///
    /// # Errors
    ///
    /// Returns the [`Cancelled`] if the time was up first.
    ///
    /// # Cancel safety
    ///
    /// As for [`shield`](Self::shield).
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let ctx = Context::background();
    /// let stuck = ctx.shield_with_timeout(Duration::from_millis(5), |_| std::future::pending::<()>());
    /// assert!(stuck.await.unwrap_err().is_timeout());
    /// # }
    /// ```
    #[track_caller]
    pub fn shield_with_timeout<F: Future>(
        &self,
        timeout: std::time::Duration,
        work: impl FnOnce(Self) -> F,
    ) -> Shield<Run<F>> {
        let context = self.without_cancel().with_timeout(timeout);
        Shield::new(context.clone(), context.run(work(context.clone())))
    }
}
