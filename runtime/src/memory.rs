//! What an owner remembers for the awaits below it that have no context of their own.
//!
//! Such an await is as large as its future, and dropping it is dropping its future: what it has to keep
//! from one poll to the next, which is seldom anything, is kept by the owner above it.
//!
//! - *Vigils*, by the address and the size of the await. (Nested awaits may share an address, but then not
//!   a size.) One whose shields are gone is worth nothing.
//! - *Waiters*, by their waker: those behind a waker of their own, such as the members of a
//!   `FuturesUnordered`, which nobody else has registered.
//!
//! Nobody says when such an await is gone. So both are cleared out when too many of them have come in since
//! the last time: as many as are surely there, and [`SPARE`] at least. Whether a waiter is still there shows
//! by waking it: whoever is there is polled, and says so; who has not said so by the next time, in a later
//! poll of the owner, is taken out.
//!
//! Invariants:
//! 1. While an owner is polled, its memory lies in the thread's [`Scope`], and that of the owner above in its
//!    place; after the poll, also by a panic, they are exchanged again. If both are empty, they need not be.
//! 2. A waiter that is taken out has been woken since it last said that it is there: if it is there after
//!    all, it will be polled, and looks.
//! 3. A vigil that outlives its await, and is found by another one at the same address, makes that one
//!    wait for a shield that is pending, at the most.

use std::collections::HashMap;
use std::mem::ManuallyDrop;
use std::task::Waker;

use crate::context::Context;
use crate::frame::WakerId;
use crate::owner::Waiter;
use crate::scope::{self, Scope};
use crate::vigil::Vigil;

/// How many may come in before the others are looked at.
const SPARE: usize = 16;

/// The address and the size of an await.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key(usize, usize);

impl Key {
    pub(crate) fn of<T>(value: &T) -> Self {
        Self(std::ptr::from_ref(value).addr(), size_of::<T>())
    }
}

/// A waiter behind a waker of its own. Polls of the owner are numbered.
struct Foreign {
    waiter: Waiter,
    waker: Waker,
    /// The last poll in which it said that it is there.
    seen: u64,
    /// The poll in which it was woken, if it has not been seen since.
    asked: Option<u64>,
}

#[derive(Default)]
struct Known {
    /// The number of the owner's poll; only those count in which there was something to remember.
    poll: u64,
    vigils: HashMap<Key, Vigil>,
    waiters: HashMap<WakerId, Foreign>,
    /// At how many of each they are cleared out.
    vigil_limit: usize,
    waiter_limit: usize,
}

impl Known {
    fn keep_vigil(&mut self, key: Key, vigil: Vigil) {
        self.vigils.insert(key, vigil);
        if self.vigils.len() > self.vigil_limit {
            self.vigils.retain(|_, vigil| vigil.is_needed());
            self.vigil_limit = 2 * self.vigils.len() + SPARE;
        }
    }

    /// Those that are to be woken, so that they say whether they are there.
    fn register(&mut self, anchor: &Context, waker: &Waker, depth: u32) -> Vec<Waker> {
        let poll = self.poll;
        let new = || Foreign {
            waiter: Waiter::new(),
            waker: waker.clone(),
            seen: poll,
            asked: None,
        };
        let foreign = self.waiters.entry(WakerId::of(waker)).or_insert_with(new);
        (foreign.seen, foreign.asked) = (poll, None);
        foreign.waiter.register(anchor, waker, depth);
        if self.waiters.len() > self.waiter_limit {
            self.clear_out_waiters()
        } else {
            Vec::new()
        }
    }

    fn clear_out_waiters(&mut self) -> Vec<Waker> {
        let poll = self.poll;
        let (mut woken, mut surely_there) = (Vec::new(), 0);
        self.waiters.retain(|_, foreign| {
            if foreign.seen == poll {
                surely_there += 1;
            } else if foreign.asked.is_none() {
                foreign.asked = Some(poll);
                woken.push(foreign.waker.clone());
            }
            foreign.asked.is_none_or(|asked| asked == poll)
        });
        self.waiter_limit = self.waiters.len() + SPARE.max(surely_there);
        woken
    }
}

/// The memory of an owner; takes none until there is something to remember.
#[derive(Default)]
pub(crate) struct Memory(Option<Box<Known>>);

impl Memory {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn begin_poll(&mut self) {
        if let Some(known) = &mut self.0 {
            known.poll += 1;
        }
    }
}

impl Scope {
    /// Begins a poll of the owner with this memory.
    #[cold]
    #[inline(never)]
    pub(crate) fn use_memory(&self, memory: &mut Memory) {
        memory.begin_poll();
        self.is_unusual.set(true);
        self.swap_memory(memory);
    }

    #[cold]
    #[inline(never)]
    fn stop_using_memory(&self, memory: &mut Memory) {
        self.swap_memory(memory);
        self.disturb_if_shielded();
    }

    pub(crate) fn swap_memory(&self, memory: &mut Memory) {
        let other = std::mem::take(memory);
        *memory = self.exchange(other);
    }

    /// Puts another memory in the place of the present one.
    fn exchange(&self, memory: Memory) -> Memory {
        let remembers = !memory.is_empty();
        self.remembers.set(remembers);
        if remembers {
            self.is_unusual.set(true);
        }
        ManuallyDrop::into_inner(self.memory.replace(ManuallyDrop::new(memory)))
    }
}

/// Uses the memory of a shield until it is dropped.
pub(crate) struct Used<'a> {
    memory: &'a mut Memory,
    /// If not, both memories were empty. What has come in since is exchanged in the end (invariant 1).
    is_exchanged: bool,
}

impl<'a> Used<'a> {
    #[inline]
    pub(crate) fn new(scope: &Scope, memory: &'a mut Memory) -> Self {
        let is_exchanged = scope.is_unusual.get() || !memory.is_empty();
        if is_exchanged {
            scope.use_memory(memory);
        }
        Self {
            memory,
            is_exchanged,
        }
    }
}

impl Drop for Used<'_> {
    #[inline]
    fn drop(&mut self) {
        scope::with(|scope| {
            if self.is_exchanged || scope.is_unusual.get() {
                scope.stop_using_memory(self.memory);
            }
        });
    }
}

#[cold]
#[inline(never)]
fn exchange(memory: Memory) -> Memory {
    scope::with(|scope| scope.exchange(memory))
}

/// Whether anything is remembered at all.
#[inline]
pub(crate) fn is_used() -> bool {
    scope::with(|scope| scope.remembers.get())
}

/// Takes the memory out, uses it, and puts it back.
fn with<R>(action: impl FnOnce(&mut Known) -> R) -> R {
    let mut memory = exchange(Memory::new());
    let result = action(memory.0.get_or_insert_default());
    // Nobody else has been there: `action` runs no foreign code but wakers, and polls nothing.
    exchange(memory);
    result
}

/// Takes out the vigil of an await.
pub(crate) fn take_vigil(key: Key) -> Vigil {
    if !is_used() {
        return Vigil::default();
    }
    with(|known| known.vigils.remove(&key).unwrap_or_default())
}

/// Keeps the vigil of an await that stays, if there is anything in it.
pub(crate) fn keep_vigil(key: Key, vigil: Vigil) {
    if vigil.is_empty() {
        return;
    }
    with(|known| known.keep_vigil(key, vigil));
}

/// Has `waker`, which is that of an await behind a waker of its own, woken when `anchor` ends.
pub(crate) fn register(anchor: &Context, waker: &Waker, depth: u32) {
    let woken = with(|known| known.register(anchor, waker, depth));
    woken.into_iter().for_each(Waker::wake);
}
