//! Waiting for the members of a group, and what they give.
//!
//! Invariant: a panic is kept in the group until it goes on, so that it is not lost when the future that waits is
//! dropped meanwhile.

use std::future::poll_fn;
use std::pin::pin;

use super::group::sealed::Outcome;
use super::group::{Group, Members};
use super::handle::{JoinError, Panic};
use crate::context::Context;

/// Waiting.
impl<M: Members> Group<M> {
    /// Waits for the next member to end, and gives its outcome; `None` once all have ended.
    ///
    /// When the last one has ended that is no background member, those are cancelled, and waited for.
    /// If a background member has failed, this gives that as well.
    ///
    /// # Errors
    ///
    /// Returns why the member has no value.
    ///
    /// # Panics
    ///
    /// Goes on with the panic of a member, unless the group is a supervisor.
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
    /// group.spawn(async |_| Ok::<_, Cancelled>(7));
    /// while let Some(outcome) = group.next().await {
    ///     assert_eq!(outcome.unwrap(), 7);
    /// }
    /// # }
    /// ```
    pub async fn next(&mut self) -> Option<Result<M::Value, JoinError>> {
        while let Some((_, outcome)) = self.next_of_all().await {
            match outcome {
                _ if self.panic.is_some() => {}
                Ok(Some(value)) => return Some(Ok(value)),
                Err(error) => return Some(Err(error)),
                Ok(None) => {}
            }
        }
        self.go_on_panicking();
        None
    }

    /// Waits for all members, and gives their outcomes in the order in which they were added.
    ///
    /// Those that [`next`](Self::next) has given are left out, and so are background members that did not
    /// fail. This is for supervisors, mostly.
    ///
    /// # Cancel safety
    ///
    /// Dropping it ends all members.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::task::{JoinError, TaskGroup};
    /// use cancel_context::{Cancelled, Context};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut group = TaskGroup::supervisor(&Context::background());
    /// group.spawn(async |_| if true { panic!("on purpose") } else { Ok::<u8, Cancelled>(7) });
    /// let outcomes = group.outcomes().await;
    /// assert!(matches!(outcomes[0], Err(JoinError::Panicked(_))));
    /// # }
    /// ```
    pub async fn outcomes(mut self) -> Vec<Result<M::Value, JoinError>> {
        let outcomes = self.all().await.into_iter();
        let outcomes = outcomes.filter_map(|(_, outcome)| outcome.transpose());
        outcomes.collect()
    }

    /// Waits for all members, and gives their values in the order in which they were added.
    ///
    /// Those that [`next`](Self::next) has given are left out.
    ///
    /// # Errors
    ///
    /// Returns the first failure: in time, or in the order of the members if the group is a supervisor.
    ///
    /// # Panics
    ///
    /// Goes on with the panic of a member.
    ///
    /// # Cancel safety
    ///
    /// Dropping it ends all members.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::task::{JoinError, TaskGroup};
    /// use cancel_context::Context;
    /// use std::num::ParseIntError;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut group = TaskGroup::new(&Context::background());
    /// for text in ["1", "two"] {
    ///     group.spawn(async move |_| text.parse::<u32>());
    /// }
    /// let Err(JoinError::Failed(cause)) = group.wait().await else { unreachable!("`two`") };
    /// assert!(cause.is::<ParseIntError>());
    /// # }
    /// ```
    pub async fn wait(mut self) -> Result<Vec<M::Value>, JoinError> {
        let outcomes = self.all().await;
        let (mut values, mut failure) = (Vec::with_capacity(outcomes.len()), None);
        for (member, outcome) in outcomes {
            match outcome {
                Ok(value) => values.extend(value),
                Err(JoinError::Panicked(panic)) => panic.resume(),
                Err(error) if self.policy.is_first(member) => failure = Some(error),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(values), Err)
    }

    /// The outcomes of all that were not given before, in order.
    async fn all(&mut self) -> Vec<Outcome<M::Value>> {
        let mut outcomes = Vec::new();
        while let Some(outcome) = self.next_of_all().await {
            outcomes.push(outcome);
        }
        self.go_on_panicking();
        outcomes.sort_by_key(|(member, _)| member.number);
        outcomes
    }

    /// The outcome of the next one; `None` when all have ended, or have had their time after a panic.
    async fn next_of_all(&mut self) -> Option<Outcome<M::Value>> {
        self.end_background();
        // Not before the panic is here: it may be among what is to come.
        let patience = self.panic.as_ref().and_then(|_| self.policy.patience());
        let mut is_over = pin!(patience.as_ref().map(Context::cancelled));
        // Not in the scope of that context, which would wait for the shields below.
        let next = poll_fn(|task| {
            let next = self.members.poll_next(task);
            match is_over.as_mut().as_pin_mut() {
                Some(is_over) if next.is_pending() => is_over.poll(task).map(|_| None),
                _ => next,
            }
        });
        let Some((member, mut outcome)) = next.await else {
            self.members.abort();
            return None;
        };
        // It may have ended without being able to say so.
        if let Err(error @ (JoinError::Aborted | JoinError::Panicked(_))) = &outcome {
            self.policy.fail(error, member);
        }
        if let Err(JoinError::Panicked(panic)) = outcome {
            outcome = self.keep(panic);
        }
        self.left -= usize::from(!member.is_background);
        self.end_background();
        Some((member, outcome))
    }

    /// Ends the background members, if all others have ended.
    fn end_background(&self) {
        if self.left == 0 {
            self.background_canceller.cancel();
        }
    }

    /// Keeps the first panic until all have ended, unless it is the member's own affair.
    fn keep(&mut self, panic: Panic) -> Result<Option<M::Value>, JoinError> {
        if self.policy.is_supervising {
            return Err(JoinError::Panicked(panic));
        }
        self.panic.get_or_insert(panic);
        Ok(None)
    }

    fn go_on_panicking(&mut self) {
        if let Some(panic) = self.panic.take() {
            panic.resume();
        }
    }
}
