//! Groups: tasks, or futures of one task, that end together (Go's `errgroup.Group` and `sync.WaitGroup`).
//!
//! Where the members are is a matter of [`Tasks`] and [`Futures`]; what a failure does is [`Policy`]'s. Each
//! member runs in the scope of the group's context, which the owner's end, a failure, and the end of the group
//! cancel.
//!
//! Invariants:
//! 1. A member's failure ends the group's context before its outcome is to be had, and before it gives up its
//!    turn. So whoever is told of a failure finds the others cancelled, and no member begins after it.
//! 2. A panic is caught in the poll it happens in, when the panic hook has reported it. So it is an outcome like
//!    any other, and nothing waits for a member that is gone.
//! 3. Outcomes are numbered as their members were added.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::handle::Panic;
use super::policy::{Member, Policy};
use crate::canceller::Canceller;
use crate::context::Context;

/// Tasks, or futures of one task, that end together; mostly called [`TaskGroup`](super::TaskGroup) and
/// [`FutureGroup`](super::FutureGroup).
///
/// A member runs in the scope of the group's context, a child of the one that the group was made with, and is
/// given that. It returns a `Result`; the first failure cancels the others, with its error as their cause. So does
/// the first panic, which is reported at once, and goes on where the group is waited for when the others have
/// ended, or have had [some time](Self::grace) to.
///
/// Dropping the group, or the future that waits for it, ends all members: futures are dropped, tasks cancelled and
/// aborted. Blocking members cannot be stopped from outside: they find their context cancelled, and
/// [`closed`](super::TaskGroup::closed) waits for them.
///
/// # Examples
///
/// ```
/// use cancel_context::task::TaskGroup;
/// use cancel_context::{Cancelled, Context};
///
/// async fn length(word: &str) -> Result<usize, Cancelled> {
///     tokio::task::yield_now().await;
///     Ok(word.len())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let mut group = TaskGroup::new(&Context::background());
/// for word in ["stop", "the", "world"] {
///     group.spawn(|_ctx| length(word));
/// }
/// assert_eq!(group.wait().await.unwrap(), [4, 3, 5]);
/// # }
/// ```
///
/// The first failure stops the rest:
///
/// ```
/// use cancel_context::task::TaskGroup;
/// use cancel_context::Context;
/// use std::{future, io};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let mut group = TaskGroup::<()>::new(&Context::background());
/// group.spawn(|_| future::pending::<io::Result<()>>());
/// group.spawn(|_| future::ready(Err(io::Error::other("disk full"))));
/// let ctx = group.context().clone();
/// assert_eq!(group.wait().await.unwrap_err().to_string(), "disk full");
/// assert_eq!(ctx.cause().unwrap().to_string(), "disk full");
/// # }
/// ```
#[must_use = "dropping a group ends its members"]
pub struct Group<M: Members> {
    pub(super) members: M,
    context: Context,
    /// That of the background members, and what ends it when the others have ended.
    background: Context,
    pub(super) background_canceller: Canceller,
    pub(super) policy: Arc<Policy>,
    next: usize,
    /// How many members that are no background members have not ended.
    pub(super) left: usize,
    /// The first panic; goes on when all have ended.
    pub(super) panic: Option<Panic>,
}

/// Where the members of a group are: in tasks of their own, or in the one that waits for them. Sealed.
pub trait Members: Default + sealed::Set {}

#[expect(unreachable_pub, reason = "sealed: nobody else can name it")]
pub(super) mod sealed {
    use std::task::{Context as Task, Poll};

    use crate::task::handle::JoinError;
    use crate::task::policy::Member;

    /// How a member has ended; a background member gives no value.
    pub type Outcome<T> = (Member, Result<Option<T>, JoinError>);

    /// A set of members.
    pub trait Set {
        /// What a member gives.
        type Value;

        /// Gives the next one that has ended; `None` if there is none.
        fn poll_next(&mut self, task: &mut Task<'_>) -> Poll<Option<Outcome<Self::Value>>>;

        /// Drops those that are left, as far as they let it.
        fn abort(&mut self);
    }
}

/// Setting up.
impl<M: Members> Group<M> {
    /// Makes a group whose members end with `context`, or when one of them fails.
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
    /// group.spawn(async |_| Ok::<_, Cancelled>(7));
    /// assert_eq!(group.wait().await.unwrap(), [7]);
    /// # }
    /// ```
    #[track_caller]
    pub fn new(context: &Context) -> Self {
        Self::with_supervision(context, false)
    }

    /// Makes a group in which the failure of a member, or its panic, is its own affair (Kotlin's
    /// `supervisorScope`); [`outcomes`](Self::outcomes) gives them all.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::task::TaskGroup;
    /// use cancel_context::Context;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut group = TaskGroup::supervisor(&Context::background());
    /// group.spawn(async |_| Err("bad input"));
    /// group.spawn(async |_| Ok::<_, &str>(7));
    /// let outcomes = group.outcomes().await;
    /// assert!(outcomes[0].is_err());
    /// assert_eq!(*outcomes[1].as_ref().unwrap(), 7);
    /// # }
    /// ```
    #[track_caller]
    pub fn supervisor(context: &Context) -> Self {
        Self::with_supervision(context, true)
    }

    #[track_caller]
    fn with_supervision(context: &Context, is_supervising: bool) -> Self {
        let (context, canceller) = context.with_cancel();
        let (background, background_canceller) = context.with_cancel();
        Self {
            members: M::default(),
            context,
            background,
            background_canceller,
            policy: Arc::new(Policy::new(canceller, is_supervising)),
            next: 0,
            left: 0,
            panic: None,
        }
    }

    /// Sets how many members run at the same time; the others wait for their turn, or for the end of the group's
    /// context. Without a limit, all do. Background members do not count.
    ///
    /// # Panics
    ///
    /// Panics if `limit` is 0, or if members were added before.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::task::TaskGroup;
    /// use cancel_context::{Cancelled, Context};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut group = TaskGroup::new(&Context::background()).limit(2);
    /// for number in 0..10 {
    ///     group.spawn(async move |_| Ok::<_, Cancelled>(number));
    /// }
    /// assert_eq!(group.wait().await.unwrap().len(), 10);
    /// # }
    /// ```
    #[track_caller]
    pub fn limit(mut self, limit: usize) -> Self {
        self.policy_mut().limit(limit);
        self
    }

    /// Sets how long the others have to end after a member has panicked, before they are aborted; 5 s otherwise.
    ///
    /// With [`Duration::ZERO`] they are aborted at once, with [`Duration::MAX`] never.
    ///
    /// # Panics
    ///
    /// Panics if members were added before.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::task::TaskGroup;
    /// use cancel_context::{Cancelled, Context};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut group = TaskGroup::new(&Context::background()).grace(Duration::from_secs(1));
    /// group.spawn(async |_| Ok::<_, Cancelled>(7));
    /// assert_eq!(group.wait().await.unwrap(), [7]);
    /// # }
    /// ```
    #[track_caller]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.policy_mut().grace = grace;
        self
    }

    #[track_caller]
    fn policy_mut(&mut self) -> &mut Policy {
        let policy = Arc::get_mut(&mut self.policy).filter(|_| self.next == 0);
        policy.expect("a group is set up before its first member is added")
    }

    /// Returns the context of the members, which ends when the group does.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::task::TaskGroup;
    /// use cancel_context::Context;
    ///
    /// let group = TaskGroup::<()>::new(&Context::background());
    /// let ctx = group.context().clone();
    /// assert!(!ctx.is_cancelled());
    /// drop(group);
    /// assert!(ctx.is_cancelled());
    /// ```
    #[must_use]
    pub const fn context(&self) -> &Context {
        &self.context
    }

    /// The next member, and the context that it is given.
    #[track_caller]
    pub(super) fn enter(&mut self, is_background: bool) -> (Member, Context) {
        let member = Member::new(self.next, is_background);
        self.next += 1;
        let context = if is_background {
            &self.background
        } else {
            &self.context
        };
        (member, context.clone())
    }
}

impl<M: Members> Drop for Group<M> {
    fn drop(&mut self) {
        self.policy.close();
    }
}

impl<M: Members> fmt::Debug for Group<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("context", &self.context)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}
