//! What the failure of one member of a group does to the others.
//!
//! The invariants are those of [`crate::task::group`].

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::handle::{JoinError, Panic};
use crate::cancelled::{Cancelled, Cause, into_cause};
use crate::canceller::Canceller;
use crate::context::Context;
use crate::origin::Origin;
use crate::waiters::guarded;

/// How long the others have after a panic, unless that is set.
const GRACE: Duration = Duration::from_secs(5);

pub(super) struct Policy {
    /// Ends the group's context.
    canceller: Canceller,
    /// Where the group was made.
    place: &'static Location<'static>,
    pub(super) is_supervising: bool,
    pub(super) grace: Duration,
    limit: Option<Limit>,
    /// The first member that failed, and the cause of what ends because of it, unless the group is a supervisor.
    first: OnceLock<(Member, Cause)>,
    /// Ends when the others have had their time after a panic.
    patience: OnceLock<Context>,
}

/// How many members run at the same time.
struct Limit {
    most: usize,
    turns: Arc<Semaphore>,
    /// How many have a turn, or wait for one.
    present: watch::Sender<usize>,
}

/// A member is there, until this is dropped.
pub(super) struct Presence(Option<watch::Sender<usize>>);

impl Drop for Presence {
    fn drop(&mut self) {
        if let Some(present) = &self.0 {
            present.send_modify(|present| *present -= 1);
        }
    }
}

/// One member.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    pub(super) number: usize,
    pub(super) is_background: bool,
    /// Where it was added.
    pub(super) place: &'static Location<'static>,
}

/// What the cause says of a failure that is no error.
#[derive(Debug)]
struct Sibling(&'static str);

impl fmt::Display for Sibling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a member of the group {}", self.0)
    }
}

impl Error for Sibling {}

impl Member {
    #[track_caller]
    pub(super) fn new(number: usize, is_background: bool) -> Self {
        Self {
            number,
            is_background,
            place: Location::caller(),
        }
    }
}

impl Policy {
    #[track_caller]
    pub(super) fn new(canceller: Canceller, is_supervising: bool) -> Self {
        Self {
            canceller,
            place: Location::caller(),
            is_supervising,
            grace: GRACE,
            limit: None,
            first: OnceLock::new(),
            patience: OnceLock::new(),
        }
    }

    #[track_caller]
    pub(super) fn limit(&mut self, limit: usize) {
        assert!(
            limit > 0,
            "a group with a limit of 0 would never begin a member"
        );
        let most = limit.min(Semaphore::MAX_PERMITS);
        self.limit = Some(Limit {
            most,
            turns: Arc::new(Semaphore::new(most)),
            present: watch::Sender::new(0),
        });
    }

    /// Counts `member`, if it is to have a turn. A background member has none: it ends when the others have, who
    /// may wait for theirs.
    pub(super) fn admit(&self, member: Member) -> Presence {
        let limit = self.limit.as_ref().filter(|_| !member.is_background);
        Presence(limit.map(|limit| {
            limit.present.send_modify(|present| *present += 1);
            limit.present.clone()
        }))
    }

    /// Waits until `context` ends, or it is the turn of `member`.
    async fn turn(
        &self,
        member: Member,
        context: &Context,
    ) -> Result<Option<OwnedSemaphorePermit>, Cancelled> {
        let Some(limit) = self.limit.as_ref().filter(|_| !member.is_background) else {
            return Ok(None);
        };
        let turns = Arc::clone(&limit.turns);
        let turn = context.run(turns.acquire_owned()).await?;
        Ok(Some(turn.expect("nobody closes it")))
    }

    /// Waits until `context` ends, or a member that is added now would have its turn.
    pub(super) async fn room(&self, context: &Context) -> Result<(), Cancelled> {
        let Some(limit) = &self.limit else {
            return context.check();
        };
        let mut present = limit.present.subscribe();
        let room = present.wait_for(|present| *present < limit.most);
        context.run(room).await?.expect("the group has its sender");
        Ok(())
    }

    /// Cancels the others, if `member` is the first one to fail.
    pub(super) fn fail(&self, error: &JoinError, member: Member) {
        if self.is_supervising {
            return;
        }
        if matches!(error, JoinError::Panicked(_)) {
            let patience = || Context::background().with_timeout(self.grace);
            self.patience.get_or_init(patience);
        }
        let cause = || match error {
            JoinError::Failed(cause) => Arc::clone(cause),
            JoinError::Cancelled(cancelled) => cancelled.cause(),
            JoinError::Exited => Arc::new(Sibling("has exited")),
            JoinError::Aborted => Arc::new(Sibling("was aborted")),
            JoinError::Panicked(_) => Arc::new(Sibling("panicked")),
        };
        let (first, cause) = self.first.get_or_init(|| (member, cause()));
        // Also if another one is the first: that one may not have come to do so (invariant 1).
        let origin = Origin::Cancelled(first.place);
        self.canceller.end(Some(Arc::clone(cause)), origin);
    }

    pub(super) fn is_first(&self, member: Member) -> bool {
        let first = self.first.get();
        first.is_some_and(|(first, _)| first.number == member.number)
    }

    /// What ends when the others have had their time, if one has panicked.
    pub(super) fn patience(&self) -> Option<Context> {
        self.patience.get().cloned()
    }

    /// Ends the group's context, since the group has ended.
    pub(super) fn close(&self) {
        self.canceller.end(None, Origin::Dropped(self.place));
    }
}

/// Runs a member to its outcome, when it is its turn (invariants 1 and 2).
///
/// The work of a background member gives `None`.
pub(super) async fn run<T>(
    policy: Arc<Policy>,
    member: Member,
    context: Context,
    presence: Presence,
    work: impl Future<Output = Result<Option<T>, JoinError>>,
) -> Result<Option<T>, JoinError> {
    let (turn, outcome) = match policy.turn(member, &context).await {
        Ok(turn) => (turn, catch(work).await),
        Err(cancelled) => (None, Err(JoinError::Cancelled(cancelled))),
    };
    let outcome = match outcome {
        Ok(value) => Ok(value),
        // It was told to stop, and has.
        Err(error) if member.is_background && context.is_cancelled() && !error.is_panic() => {
            Ok(None)
        }
        Err(error) => {
            policy.fail(&error, member);
            Err(error)
        }
    };
    drop((turn, presence));
    outcome
}

/// Gives a panic of `work` as an error.
async fn catch<T>(work: impl Future<Output = Result<T, JoinError>>) -> Result<T, JoinError> {
    let mut work = pin!(Some(work));
    let outcome = poll_fn(|task| {
        let inner = work.as_mut().as_pin_mut();
        let inner = inner.expect("it is polled until it has ended");
        match catch_unwind(AssertUnwindSafe(|| inner.poll(task))) {
            Ok(polled) => polled,
            Err(payload) => Poll::Ready(Err(JoinError::Panicked(Panic::new(payload)))),
        }
    });
    let outcome = outcome.await;
    // What it has kept may panic as well.
    guarded(|| work.set(None));
    outcome
}

/// What the work of a member gives, as its outcome.
pub(super) fn flatten<T, E, W>(ended: Result<Result<T, E>, W>) -> Result<T, JoinError>
where
    E: Into<Box<dyn Error + Send + Sync>>,
    W: Into<JoinError>,
{
    let returned = ended.map_err(Into::into)?;
    returned.map_err(|error| JoinError::Failed(into_cause(error)))
}
