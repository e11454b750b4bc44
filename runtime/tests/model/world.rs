//! The reference: the contexts, who waits for them, and what each step does to both.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use proptest::strategy::BoxedStrategy;
use proptest_state_machine::ReferenceStateMachine;

use crate::generate;
use crate::transition::{Hook, Id, Time, Transition};
use crate::tree::{End, Role, Tree};
use crate::why::{Began, Why};

/// When the contexts are compared with the reference: whoever looks, may be the first to find an end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Watching {
    WhenAsked,
    /// After each step, too.
    RootsFirst,
    LeavesFirst,
}

/// Whether something has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Has {
    Not,
    /// A deadline has passed, and its tick has not.
    Perhaps,
    Surely,
}

#[derive(Clone, Debug)]
pub(crate) struct Callback {
    pub(crate) at: Id,
    pub(crate) hook: Hook,
    /// Registered when the context had ended.
    is_late: bool,
    pub(crate) run: Has,
    /// Freed, since nothing can end its context any more.
    pub(crate) is_freed: bool,
    pub(crate) handle: Handle,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Handle {
    Held,
    /// Dropped, which stops nothing.
    Dropped,
    /// It stopped the function; `run` says what had happened until then.
    Used,
}

#[derive(Clone)]
pub(crate) struct World {
    /// On a runtime whose clock is paused; otherwise without one, where functions run in the call that ends
    /// a context, and no deadline passes by itself.
    pub(crate) has_clock: bool,
    pub(crate) watching: Watching,
    pub(crate) tree: Tree,
    /// Who is pending, and where.
    pub(crate) waiters: BTreeMap<Id, Id>,
    pub(crate) callbacks: BTreeMap<Id, Callback>,
    /// Whether the last move of a deadline was in time.
    pub(crate) has_moved: bool,
    /// When the runtime was driven last.
    driven: Time,
    steps: usize,
}

impl fmt::Debug for World {
    /// As it is in the beginning.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("has_clock", &self.has_clock)
            .field("watching", &self.watching)
            .finish_non_exhaustive()
    }
}

impl World {
    pub(crate) fn new(has_clock: bool, watching: Watching) -> Self {
        Self {
            has_clock,
            watching,
            tree: Tree::new(),
            waiters: BTreeMap::new(),
            callbacks: BTreeMap::new(),
            has_moved: false,
            driven: 0,
            steps: 0,
        }
    }

    /// A number that nothing has.
    pub(crate) fn free_id(&self) -> Id {
        self.steps + 1
    }

    /// Whether those who wait have been told of this end.
    pub(crate) fn has_told(&self, end: Option<&End>) -> Has {
        match end {
            None => Has::Not,
            Some(End { told_by: None, .. }) => Has::Surely,
            Some(End {
                told_by: Some(at), ..
            }) if *at <= self.driven => Has::Surely,
            Some(_) => Has::Perhaps,
        }
    }

    /// The contexts that somebody waits for, or for something below them.
    pub(crate) fn waited_for(&self) -> BTreeSet<Id> {
        let waiters = self.waiters.values();
        let callbacks = self.callbacks.values();
        let callbacks = callbacks.filter(|it| it.handle != Handle::Used && !it.is_freed);
        let nodes = self.tree.nodes.iter();
        let futures = nodes.filter(|(_, node)| matches!(node.role, Role::Future { is_open: true }));
        let all = waiters
            .chain(callbacks.map(|it| &it.at))
            .chain(futures.map(|(id, _)| id));
        let mut found = BTreeSet::new();
        for id in all.filter(|id| self.has_told(self.tree.end_of(**id)) != Has::Surely) {
            self.tree.add_sources(*id, &mut found);
        }
        found
    }

    /// Runs the functions that are due.
    fn run_callbacks(&mut self, is_driven: bool) {
        let mortals = self.tree.mortals();
        if is_driven {
            self.driven = self.tree.now;
        }
        let mut callbacks = std::mem::take(&mut self.callbacks);
        let waiting = callbacks.values_mut();
        for callback in waiting.filter(|it| it.handle != Handle::Used) {
            callback.is_freed |= callback.hook == Hook::AfterCancel && !mortals[&callback.at];
            let end = self.tree.end_of(callback.at);
            let is_told = match self.has_told(end) {
                Has::Perhaps if callback.is_late => Has::Surely,
                told => told,
            };
            let runs_in_a_task = self.has_clock && callback.hook == Hook::AfterCancel;
            if is_driven || !runs_in_a_task {
                callback.run = callback.run.max(is_told);
            }
        }
        self.callbacks = callbacks;
    }

    fn drop_canceller(&mut self, of: Id, detaches: bool) {
        if let Role::Cancel {
            holders,
            is_detached,
        } = &mut self.tree.node_mut(of).role
        {
            *holders -= 1;
            *is_detached |= detaches;
            if *holders == 0 && !*is_detached {
                self.tree.end(of, &Why::new(Began::Dropped, None));
            }
        }
    }

    fn register(&mut self, id: Id, at: Id, hook: Hook) {
        let callback = Callback {
            at,
            hook,
            is_late: self.tree.end_of(at).is_some(),
            run: Has::Not,
            is_freed: false,
            handle: Handle::Held,
        };
        self.callbacks.insert(id, callback);
    }

    fn poll(&mut self, waiter: Id, at: Id) {
        if self.tree.end_of(at).is_some() {
            self.waiters.remove(&waiter);
        } else {
            self.waiters.insert(waiter, at);
        }
    }

    /// Whether the step has the runtime run what is ready.
    fn is_driven_by(&self, step: &Transition) -> bool {
        let drives = matches!(
            step,
            Transition::Advance { .. } | Transition::Complete { .. }
        );
        self.has_clock && drives
    }

    fn take(&mut self, step: &Transition) {
        match step {
            Transition::Derive { id, from, how } => self.tree.derive(*id, *from, how),
            Transition::Merge { id, sources, kind } => self.tree.merge(*id, sources, *kind),
            Transition::Cancel { of, cause } => {
                self.tree
                    .end(*of, &Why::new(Began::Cancelled, cause.clone()));
            }
            Transition::CloneCanceller { of } => {
                if let Role::Cancel { holders, .. } = &mut self.tree.node_mut(*of).role {
                    *holders += 1;
                }
            }
            Transition::DropCanceller { of } => self.drop_canceller(*of, false),
            Transition::Detach { of } => self.drop_canceller(*of, true),
            Transition::Move { of, to } => self.has_moved = self.tree.move_deadline(*of, *to),
            Transition::DropMover { of } => {
                if let Role::Deadline { has_mover, .. } = &mut self.tree.node_mut(*of).role {
                    *has_mover = false;
                }
            }
            Transition::Complete { of } => self.tree.complete(*of),
            Transition::DropContext { of } => self.tree.node_mut(*of).is_held = false,
            Transition::Wait { id, at, .. } => self.poll(*id, *at),
            Transition::PollAgain { waiter, at } => self.poll(*waiter, *at),
            Transition::DropWaiter { waiter } => drop(self.waiters.remove(waiter)),
            Transition::Register { id, at, hook } => self.register(*id, *at, *hook),
            Transition::Stop { callback } => self.callback_mut(*callback).handle = Handle::Used,
            Transition::Forget { callback } => {
                self.callback_mut(*callback).handle = Handle::Dropped;
            }
            Transition::Advance { by } => self.tree.advance(*by),
            Transition::Look { .. } => {}
        }
    }

    fn callback_mut(&mut self, id: Id) -> &mut Callback {
        self.callbacks.get_mut(&id).expect("it was registered")
    }

    fn holds(&self, id: Id) -> bool {
        self.tree.nodes.get(&id).is_some_and(|node| node.is_held)
    }

    fn role(&self, id: Id) -> Option<&Role> {
        self.tree.nodes.get(&id).map(|node| &node.role)
    }

    /// Whether there is what the step is about; not always, where a failure shrinks.
    fn allows(&self, step: &Transition) -> bool {
        let callback = |id| {
            self.callbacks
                .get(id)
                .filter(|it| it.handle == Handle::Held)
        };
        match step {
            Transition::Derive { from: at, .. }
            | Transition::DropContext { of: at }
            | Transition::Wait { at, .. }
            | Transition::Register { at, .. }
            | Transition::Look { at, .. } => self.holds(*at),
            Transition::Merge { sources, .. } => sources.iter().all(|it| self.holds(*it)),
            Transition::Cancel { of, .. }
            | Transition::CloneCanceller { of }
            | Transition::DropCanceller { of }
            | Transition::Detach { of } => {
                matches!(self.role(*of), Some(Role::Cancel { holders: 1.., .. }))
            }
            Transition::Move { of, .. } | Transition::DropMover { of } => {
                let role = self.role(*of);
                matches!(
                    role,
                    Some(Role::Deadline {
                        has_mover: true,
                        ..
                    })
                )
            }
            Transition::Complete { of } => {
                matches!(self.role(*of), Some(Role::Future { is_open: true }))
            }
            Transition::PollAgain { waiter, .. } | Transition::DropWaiter { waiter } => {
                self.waiters.contains_key(waiter)
            }
            Transition::Stop { callback: id } => callback(id).is_some(),
            Transition::Forget { callback: id } => {
                callback(id).is_some_and(|it| it.hook == Hook::AfterCancel)
            }
            Transition::Advance { .. } => true,
        }
    }
}

/// Makes the cases with the paused clock of a runtime, or without a runtime.
pub(crate) struct Reference<const HAS_CLOCK: bool>;

impl<const HAS_CLOCK: bool> ReferenceStateMachine for Reference<HAS_CLOCK> {
    type State = World;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<World> {
        generate::world(HAS_CLOCK)
    }

    fn transitions(world: &World) -> BoxedStrategy<Transition> {
        generate::transition(world)
    }

    fn preconditions(world: &World, step: &Transition) -> bool {
        world.allows(step)
    }

    fn apply(mut world: World, step: &Transition) -> World {
        world.steps += 1;
        if !world.has_clock {
            // The system's clock goes on: what happens, happens at an instant of its own.
            world.tree.advance(1);
        }
        world.take(step);
        world.run_callbacks(world.is_driven_by(step));
        world
    }
}
