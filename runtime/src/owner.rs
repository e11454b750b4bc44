//! What an owner keeps from poll to poll: its registration, and what keeps it from leaving.
//!
//! An owner is a scope, or the outermost await of a context in a task (see [`crate::scope`]).

use std::fmt;
use std::sync::{Arc, Weak};
use std::task::Waker;

use crate::context::Context;
use crate::memory::Memory;
use crate::roster::{self, Key};
use crate::scope::{TaskId, WakerId};
use crate::tree::Node;
use crate::watch;

/// What an owner keeps.
#[derive(Default)]
pub(crate) struct Owner {
    pub(crate) waiter: Waiter,
    pub(crate) vigil: Vigil,
    pub(crate) memory: Memory,
}

impl Owner {
    pub(crate) const fn new() -> Self {
        Self {
            waiter: Waiter::new(),
            vigil: Vigil::new(),
            memory: Memory::new(),
        }
    }
}

/// The one registration of an owner; kept while its context and its waker stay the same.
#[derive(Default)]
pub(crate) struct Waiter {
    registration: Option<Registration>,
}

struct Registration {
    node: Arc<Node>,
    key: Key,
    waker: WakerId,
    /// The task whose waker that is.
    task: TaskId,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.node.remove_waiter(self.key);
    }
}

impl Waiter {
    /// One that is not registered yet.
    pub(crate) const fn new() -> Self {
        Self { registration: None }
    }

    /// The task in which it was registered with `waker`, if it was.
    #[inline]
    pub(crate) fn task(&self, waker: &Waker) -> Option<TaskId> {
        let known = self.registration.as_ref()?;
        (known.waker == WakerId::of(waker)).then_some(known.task)
    }

    /// Whether it is registered for `anchor`.
    pub(crate) fn is_at(&self, anchor: &Context) -> bool {
        let known = self.registration.as_ref();
        known.is_some_and(|known| Arc::as_ptr(&known.node).addr() == anchor.address())
    }

    /// Has `waker` woken when `anchor` ends, unless it has ended: look at it afterwards.
    #[cold]
    #[inline(never)]
    pub(crate) fn register(&mut self, anchor: &Context, waker: &Waker, depth: u32) {
        let is_at_anchor = self.is_at(anchor);
        if is_at_anchor && self.task(waker).is_some() {
            return;
        }
        let id = WakerId::of(waker);
        let task = TaskId::current();
        let waiter = roster::Waiter {
            waker: waker.clone(),
            depth,
        };
        if let Some(known) = &mut self.registration
            && is_at_anchor
        {
            (known.waker, known.task) = (id, task);
            // If the waiters were taken, the context has ended, as the caller will see.
            known.node.replace_waiter(known.key, waiter);
            return;
        }
        self.registration = None;
        self.registration = anchor.arc().and_then(|node| {
            let key = node.add_waiter(waiter)?;
            Some(Registration {
                node,
                key,
                waker: id,
                task,
            })
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

/// What an await remembers from one pending poll to the next; takes memory only where it has to stay
/// although the context has ended, or a shield is below it.
#[derive(Default)]
pub(crate) struct Vigil {
    delay: Option<Box<Delay>>,
}

/// What keeps an await from leaving.
#[derive(Default)]
struct Delay {
    /// It has stayed once for an await below that looked too early.
    has_deferred: bool,
    /// The shields below that were pending when they were last polled.
    shields: Vec<Weak<()>>,
}

impl Vigil {
    pub(crate) const fn new() -> Self {
        Self { delay: None }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.delay.is_none()
    }

    /// Whether a shield is pending that it waits for.
    pub(crate) fn is_needed(&self) -> bool {
        let mut shields = self.delay.iter().flat_map(|delay| &delay.shields);
        shields.any(|shield| shield.strong_count() > 0)
    }

    /// After a poll that ended pending, and after registering: whether to leave; `before` is the number
    /// of the last event before that poll.
    #[cold]
    #[inline(never)]
    pub(crate) fn is_over(&mut self, before: u64, waker: &Waker, context: &Context) -> bool {
        watch::collect_shields(before, |shield| self.wait_for(shield));
        let leaves = context.is_cancelled() && !self.is_held(before, waker);
        if !leaves {
            watch::stay();
        }
        leaves
    }

    fn wait_for(&mut self, shield: &Weak<()>) {
        let known = &mut self.delay.get_or_insert_default().shields;
        if !known.iter().any(|other| other.ptr_eq(shield)) {
            known.push(Weak::clone(shield));
        }
    }

    /// Whether somebody below has to go first.
    fn is_held(&mut self, before: u64, waker: &Waker) -> bool {
        if let Some(delay) = &mut self.delay {
            delay.shields.retain(|shield| shield.strong_count() > 0);
            if !delay.shields.is_empty() {
                return true;
            }
        }
        if !watch::was_looked_below(before) {
            return false;
        }
        let has_deferred = &mut self.delay.get_or_insert_default().has_deferred;
        if *has_deferred {
            return false;
        }
        *has_deferred = true;
        waker.wake_by_ref();
        true
    }
}
