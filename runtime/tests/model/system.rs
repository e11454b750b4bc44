//! The contexts under test, which take the same steps.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::{pending, ready};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use cancel_context::{Canceller, Context, DeadlineMover};
use futures::channel::oneshot;
use proptest_state_machine::StateMachineTest;

use crate::clock::Clock;
use crate::parts::{Callback, First, Second, Waiter, await_that};
use crate::transition::{Derivation, Id, Key, Merge, Transition};
use crate::tree::{BACKGROUND, completion_cause, deadline_cause, name};
use crate::why::Why;
use crate::world::{Handle, Has, Reference, World};

pub(crate) struct System {
    pub(crate) clock: Rc<Clock>,
    pub(crate) contexts: BTreeMap<Id, Context>,
    cancellers: BTreeMap<Id, Vec<Canceller>>,
    movers: BTreeMap<Id, DeadlineMover>,
    completers: BTreeMap<Id, oneshot::Sender<String>>,
    pub(crate) waiters: BTreeMap<Id, Waiter>,
    pub(crate) callbacks: BTreeMap<Id, Callback>,
    /// The ends that were seen, which must not change.
    pub(crate) seen: RefCell<BTreeMap<Id, Why>>,
    /// Kept by every value, future and function of the case.
    token: Arc<()>,
}

impl System {
    fn new(has_clock: bool) -> Self {
        Self {
            clock: Rc::new(Clock::new(has_clock)),
            contexts: [(BACKGROUND, Context::background())].into(),
            cancellers: BTreeMap::new(),
            movers: BTreeMap::new(),
            completers: BTreeMap::new(),
            waiters: BTreeMap::new(),
            callbacks: BTreeMap::new(),
            seen: RefCell::default(),
            token: Arc::default(),
        }
    }

    fn token(&self) -> Arc<()> {
        Arc::clone(&self.token)
    }

    fn derive(&mut self, id: Id, from: &Context, how: &Derivation) -> Context {
        match how {
            Derivation::Cancel => {
                let (context, canceller) = from.with_cancel();
                self.cancellers.insert(id, vec![canceller]);
                context
            }
            Derivation::Deadline { at, has_cause } => {
                let at = self.clock.instant(*at);
                if *has_cause {
                    from.with_deadline_cause(at, deadline_cause(id))
                } else {
                    from.with_deadline(at)
                }
            }
            Derivation::Timeout { after, has_cause } => {
                let after = after.unwrap_or(Duration::MAX);
                if *has_cause {
                    from.with_timeout_cause(after, deadline_cause(id))
                } else {
                    from.with_timeout(after)
                }
            }
            Derivation::Movable { at } => {
                let (context, mover) = from.with_movable_deadline(self.clock.instant(*at));
                self.movers.insert(id, mover);
                context
            }
            Derivation::Value(Key::First) => from.with_value(First {
                id,
                _token: self.token(),
            }),
            Derivation::Value(Key::Second) => from.with_value(Second {
                id,
                _token: self.token(),
            }),
            Derivation::Name => from.with_name(name(id)),
            Derivation::WithoutCancel => from.without_cancel(),
            Derivation::Future { is_ready: true } => from.with_future(ready(completion_cause(id))),
            Derivation::Future { is_ready: false } => self.with_future(id, from),
        }
    }

    fn with_future(&mut self, id: Id, from: &Context) -> Context {
        let (completer, completion) = oneshot::channel();
        self.completers.insert(id, completer);
        let token = self.token();
        from.with_future(async move {
            let Ok(cause) = completion.await else {
                return pending().await;
            };
            drop(token);
            cause
        })
    }

    fn merge(&self, sources: &[Id], kind: Merge) -> Context {
        let sources = sources.iter().map(|source| self.contexts[source].clone());
        match kind {
            Merge::Any => Context::any(sources),
            Merge::All => Context::all(sources),
        }
    }

    /// The last of the clones.
    fn take_canceller(&mut self, of: Id) -> Canceller {
        let clones = self.cancellers.get_mut(&of);
        clones.and_then(Vec::pop).expect("somebody holds one")
    }

    fn clone_canceller(&mut self, of: Id) {
        let canceller = self.take_canceller(of);
        let clones = [canceller.clone(), canceller];
        self.cancellers.entry(of).or_default().extend(clones);
    }

    fn cancel(&self, of: Id, cause: Option<&String>) {
        let canceller = &self.cancellers[&of][0];
        match cause {
            Some(cause) => canceller.cancel_with(cause.clone()),
            None => canceller.cancel(),
        }
    }

    fn complete(&mut self, of: Id) {
        let completer = self.completers.remove(&of).expect("it is open");
        // The future is gone if the context is, or has ended.
        completer.send(completion_cause(of)).unwrap_or_default();
        self.clock.advance(0);
    }

    fn poll(&mut self, id: Id, at: Id, world: &World) {
        let waiter = self.waiters.get_mut(&id).expect("it waits");
        let polled = waiter.poll();
        assert_eq!(
            polled.is_pending(),
            world.waiters.contains_key(&id),
            "waiter {id} at {at} is pending"
        );
        if let Poll::Ready(cancelled) = polled {
            self.assert_cancelled(at, &cancelled, world);
            self.waiters.remove(&id);
        }
    }

    fn take(&mut self, step: Transition, world: &World) {
        match step {
            Transition::Derive { id, from, how } => {
                let from = self.contexts[&from].clone();
                let context = self.derive(id, &from, &how);
                self.contexts.insert(id, context);
            }
            Transition::Merge { id, sources, kind } => {
                let context = self.merge(&sources, kind);
                self.contexts.insert(id, context);
            }
            Transition::Cancel { of, cause } => self.cancel(of, cause.as_ref()),
            Transition::CloneCanceller { of } => self.clone_canceller(of),
            Transition::DropCanceller { of } => drop(self.take_canceller(of)),
            Transition::Detach { of } => self.take_canceller(of).detach(),
            Transition::Move { of, to } => {
                let in_time = self.movers[&of].move_to(self.clock.instant(to));
                assert_eq!(in_time, world.has_moved, "moving {of} was in time");
            }
            Transition::DropMover { of } => drop(self.movers.remove(&of)),
            Transition::Complete { of } => self.complete(of),
            Transition::DropContext { of } => drop(self.contexts.remove(&of)),
            Transition::Wait { id, at, wait } => {
                let waiter = Waiter::new(self.contexts[&at].clone(), wait);
                self.waiters.insert(id, waiter);
                self.poll(id, at, world);
            }
            Transition::PollAgain { waiter, at } => self.poll(waiter, at, world),
            Transition::DropWaiter { waiter } => drop(self.waiters.remove(&waiter)),
            Transition::Register { id, at, hook } => {
                let callback = Callback::new(&self.contexts[&at], hook, self.token());
                self.callbacks.insert(id, callback);
            }
            Transition::Stop { callback } => self.stop(callback, world),
            Transition::Forget { callback } => self.callback_mut(callback).forget(),
            Transition::Advance { by } => self.clock.advance(by),
            Transition::Look { at, what } => self.look(at, what, world),
        }
    }

    fn stop(&mut self, id: Id, world: &World) {
        let prevented = self.callback_mut(id).stop();
        let expected = match world.callbacks[&id].run {
            Has::Not => Some(true),
            Has::Surely => Some(false),
            Has::Perhaps => prevented,
        };
        if let Some(prevented) = prevented {
            assert_eq!(Some(prevented), expected, "stopping {id} has prevented it");
            let runs = self.callbacks[&id].runs();
            assert_eq!(runs, usize::from(!prevented), "runs of {id} when stopped");
        }
    }

    fn callback_mut(&mut self, id: Id) -> &mut Callback {
        self.callbacks.get_mut(&id).expect("it was registered")
    }

    /// Drops everything in some order, and has time go by; then nothing is left.
    fn take_down(mut self, mut world: World) {
        self.waiters.clear();
        for callback in self.callbacks.values_mut() {
            callback.stop();
        }
        world.waiters.clear();
        world
            .callbacks
            .retain(|_, callback| callback.handle == Handle::Dropped);
        self.compare_links(&world);
        self.contexts.clear();
        self.cancellers.clear();
        self.movers.clear();
        // Otherwise a function that nobody can stop waits for ever.
        for completer in std::mem::take(&mut self.completers).into_values() {
            completer.send(String::new()).unwrap_or_default();
        }
        self.clock.advance(1_000_000_000);
        await_that(|| Arc::strong_count(&self.token) == 1);
        assert_eq!(Arc::strong_count(&self.token), 1, "something is left over");
    }
}

impl<const HAS_CLOCK: bool> StateMachineTest for Reference<HAS_CLOCK> {
    type SystemUnderTest = System;
    type Reference = Self;

    fn init_test(world: &World) -> System {
        System::new(world.has_clock)
    }

    fn apply(mut system: System, world: &World, step: Transition) -> System {
        let clock = Rc::clone(&system.clock);
        clock.within(|| system.take(step, world));
        system
    }

    fn check_invariants(system: &System, world: &World) {
        system.clock.within(|| system.compare(world));
    }

    fn teardown(system: System, world: World) {
        let clock = Rc::clone(&system.clock);
        clock.within(|| {
            system.compare_contexts(&world);
            system.take_down(world);
        });
    }
}
