//! The future around an await that has a context at hand, and the poll order of all awaits.
//!
//! They poll first and look second: a value that a future has produced is delivered, and of nested
//! awaits the innermost sees the end first, since it looks in the poll of the outer one. While it
//! polls, its context is the current one. Frames, promises and shields are those of
//! [`crate::scope`].

use std::borrow::Borrow;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context as Task, Poll, Waker};

use pin_project_lite::pin_project;

use crate::cancelled::Cancelled;
use crate::context::Context;
use crate::memory::Memory;
use crate::roster::{self, Key};
use crate::scope::WakerId;
use crate::site::Site;
use crate::tree::Node;
use crate::watch::{self, Watch};

/// The one registration of a function's activation, or of a scope; kept from await to await.
#[derive(Default)]
pub struct Waiter {
    registration: Option<Box<Registration>>,
}

struct Registration {
    node: Arc<Node>,
    address: usize,
    key: Key,
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
    #[inline]
    pub(crate) fn register(&mut self, anchor: &Context, waker: &Waker, depth: u32) {
        let (address, id) = (anchor.address(), WakerId::of(waker));
        let is_registered = (self.registration.as_ref())
            .is_some_and(|known| known.address == address && known.waker == id);
        if !is_registered {
            self.register_anew(anchor, waker, depth);
        }
    }

    #[cold]
    #[inline(never)]
    fn register_anew(&mut self, anchor: &Context, waker: &Waker, depth: u32) {
        let (address, id) = (anchor.address(), WakerId::of(waker));
        let waiter = roster::Waiter {
            waker: waker.clone(),
            depth,
        };
        if let Some(known) = &mut self.registration
            && known.address == address
        {
            known.waker = id;
            // If the waiters were taken, the context has ended, as the caller will see.
            known.node.replace_waiter(known.key, waiter);
            return;
        }
        self.registration = None;
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
        memory: Memory,
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
            memory: Memory::new(),
        }
    }
}

impl<C: Borrow<Context>, F: Future> Future for Guard<'_, C, F> {
    type Output = Result<F::Output, Cancelled>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let context = (*this.context).borrow();
        let (future, waiter, vigil) = (this.future, this.waiter, this.vigil);
        let anchor = context.anchor();
        Watch::poll(Some(context), anchor, task.waker(), this.memory, |watch| {
            if let Poll::Ready(value) = future.poll(task) {
                return Poll::Ready(Ok(value));
            }
            if let Some(anchor) = anchor
                && watch.is_over(waiter, vigil, anchor, task.waker())
                && let Some(cancelled) = context.cancelled_at(watch.left(Some(this.site)))
            {
                return Poll::Ready(Err(cancelled));
            }
            Poll::Pending
        })
    }
}

impl<C, F> fmt::Debug for Guard<'_, C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("site", self.site)
            .finish_non_exhaustive()
    }
}
