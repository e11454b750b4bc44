//! What has to agree after each step.

use std::time::Duration;

use cancel_context::private::{children, waiting};
use cancel_context::{Cancelled, Origin};
use futures::FutureExt;

use crate::parts::{First, Second, await_that};
use crate::system::System;
use crate::transition::{ALL, Hook, Id, Key, Time, What};
use crate::tree::Role;
use crate::why::{Began, Why};
use crate::world::{Handle, Has, Watching, World};

const MINUTE: Time = 60_000_000_000;

impl System {
    pub(crate) fn compare(&self, world: &World) {
        if !matches!(world.watching, Watching::WhenAsked) {
            self.compare_contexts(world);
        }
        self.compare_waiters(world);
        self.compare_callbacks(world);
        self.compare_links(world);
    }

    pub(crate) fn compare_contexts(&self, world: &World) {
        let look = |id: &Id| ALL.iter().for_each(|what| self.look(*id, *what, world));
        match world.watching {
            Watching::LeavesFirst => self.contexts.keys().rev().for_each(look),
            _ => self.contexts.keys().for_each(look),
        }
    }

    /// Reads one thing of a context.
    pub(crate) fn look(&self, id: Id, what: What, world: &World) {
        let context = &self.contexts[&id];
        let tree = &world.tree;
        let end = tree.end_of(id);
        let has_ended = end.is_some();
        match what {
            What::IsCancelled => assert_eq!(context.is_cancelled(), has_ended, "{id}: end"),
            What::Err => self.assert_err(id, world),
            What::Cause => {
                let cause = context.cause().map(|cause| cause.to_string());
                assert_eq!(cause.is_some(), has_ended, "{id}: has a cause");
                let whys = end.into_iter().flat_map(|end| &end.whys);
                let mut causes = whys.map(|why| &why.cause);
                let is_one = cause.is_none_or(|cause| causes.any(|other| *other == cause));
                assert!(is_one, "{id}: {:?} of {end:?}", context.cause());
            }
            What::Check => self.assert_end(id, context.check().err(), world),
            What::Cancelled => self.assert_end(id, context.cancelled().now_or_never(), world),
            What::Deadline => self.assert_deadline(id, world),
            What::Remaining => self.assert_remaining(id, world),
            What::Values => {
                let first = context.value::<First>().map(|value| value.id);
                let second = context.value::<Second>().map(|value| value.id);
                let expected = [Key::First, Key::Second].map(|key| tree.value(id, key));
                assert_eq!([first, second], expected, "{id}: values");
            }
            What::Path => assert_eq!(context.path(), tree.path(id), "{id}: path"),
        }
    }

    fn assert_end(&self, id: Id, seen: Option<Cancelled>, world: &World) {
        assert_eq!(seen.is_some(), world.tree.end_of(id).is_some(), "{id}: end");
        if let Some(cancelled) = seen {
            self.assert_cancelled(id, &cancelled, world);
        }
    }

    pub(crate) fn assert_cancelled(&self, id: Id, cancelled: &Cancelled, world: &World) {
        let began = match cancelled.origin() {
            Origin::Cancelled(_) => Began::Cancelled,
            Origin::Dropped(_) => Began::Dropped,
            Origin::Deadline(_) => Began::Deadline,
            Origin::Completed(_) => Began::Completed,
            other => panic!("{id}: ended by {other}"),
        };
        let why = Why::new(began, Some(cancelled.cause().to_string()));
        let end = world.tree.end_of(id).expect("it has ended");
        assert!(end.whys.contains(&why), "{id}: {why:?} of {end:?}");
        assert_eq!(cancelled.kind(), why.kind(), "{id}: kind");
        assert_eq!(cancelled.path(), world.tree.path(id), "{id}: path");
        let mut seen = self.seen.borrow_mut();
        let first = seen.entry(id).or_insert_with(|| why.clone());
        assert_eq!(*first, why, "{id}: the end has changed");
    }
}

impl System {
    fn assert_err(&self, id: Id, world: &World) {
        let err = self.contexts[&id].err();
        let end = world.tree.end_of(id);
        assert_eq!(err.is_some(), end.is_some(), "{id}: has an error");
        let mut whys = end.into_iter().flat_map(|end| &end.whys);
        let is_one = err.is_none_or(|err| whys.any(|why| why.kind() == err));
        assert!(is_one, "{id}: {err:?} of {end:?}");
    }

    fn assert_deadline(&self, id: Id, world: &World) {
        let seen = self.contexts[&id].deadline();
        let expected = world.tree.deadlines()[&id];
        assert_eq!(seen.is_some(), expected.is_some(), "{id}: has a deadline");
        let Some(expected) = expected.map(|at| self.clock.instant(at)) else {
            return;
        };
        // By the system's clock nobody knows exactly when a timeout was set; it is zero then.
        let is_far = expected > self.clock.instant(MINUTE);
        if world.has_clock || is_far {
            assert_eq!(seen, Some(expected), "{id}: deadline");
        }
    }

    fn assert_remaining(&self, id: Id, world: &World) {
        let seen = self.contexts[&id].remaining();
        let expected = match world.tree.end_of(id) {
            Some(_) => Some(0),
            None => world.tree.deadlines()[&id].map(|at| at - world.tree.now),
        };
        assert_eq!(seen.is_some(), expected.is_some(), "{id}: has time left");
        let nanos = |left: Duration| Time::try_from(left.as_nanos()).expect("it is short");
        if let (Some(seen), Some(expected)) = (seen.map(nanos), expected) {
            // The system's clock has gone on since the case began.
            let passed = if world.has_clock {
                0
            } else {
                expected.min(30 * MINUTE)
            };
            let is_so = seen <= expected && seen >= expected - passed;
            assert!(is_so, "{id}: {seen} ns left, {expected} expected");
        }
    }

    fn compare_waiters(&self, world: &World) {
        for (id, at) in &world.waiters {
            let (by_the_last, by_all) = self.waiters[id].wakes();
            let is_so = match world.has_told(world.tree.end_of(*at)) {
                Has::Not => by_all == 0,
                Has::Perhaps => by_all <= 1 && by_all == by_the_last,
                Has::Surely => (by_all, by_the_last) == (1, 1),
            };
            assert!(
                is_so,
                "waiter {id} at {at}: {by_all} wakes, {by_the_last} by its last waker"
            );
        }
    }

    fn compare_callbacks(&self, world: &World) {
        for (id, expected) in &world.callbacks {
            let callback = &self.callbacks[id];
            // A context whose deadline has passed is told so by that thread, too, which may be faster to take
            // the function than the registration, and slower to run it.
            if !world.has_clock && expected.run == Has::Surely {
                await_that(|| !callback.is_kept());
            }
            let (runs, is_kept) = (callback.runs(), callback.is_kept());
            let is_so = match expected.run {
                _ if expected.handle == Handle::Used => {
                    Some(runs) == callback.runs_at_stop && !is_kept
                }
                Has::Not if expected.hook == Hook::Interrupt => runs == 0,
                Has::Not => runs == 0 && is_kept != expected.is_freed,
                Has::Perhaps => runs <= 1 && is_kept == (runs == 0),
                Has::Surely => runs == 1 && !is_kept,
            };
            assert!(
                is_so,
                "callback {id}: {runs} runs, kept: {is_kept}, of {expected:?}"
            );
        }
    }

    /// Where nobody waits, at a context or below, nobody is registered. The helpers do not know of contexts
    /// that only end with the one above.
    pub(crate) fn compare_links(&self, world: &World) {
        let waited_for = world.waited_for();
        for (id, context) in &self.contexts {
            let is_plain = matches!(world.tree.node(*id).role, Role::Plain);
            if !is_plain && !waited_for.contains(id) {
                let registered = (waiting(context), children(context));
                assert_eq!(registered, (0, 0), "{id}: waiters and children");
            }
        }
    }
}
