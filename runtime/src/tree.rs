//! The nodes of the tree: what a context was derived from, and whether and why it has ended.
//!
//! A node points up, to what it was derived from (its *lineage*) and to its *sources*, the contexts
//! whose end is its own, too. Nobody points down unless somebody waits (see [`crate::waiters`]), so
//! deriving a context is one allocation and takes no lock.
//!
//! Invariants:
//! 1. `end` is set once, and never changes. Whoever asks whether a node has ended works it out from
//!    its sources and stores it, top down: so a node and its descendants never contradict each
//!    other, and what was reported once stays. The first end that is stored stands.
//! 2. The end of a source is the end of its descendants as soon as it is stored, since they look
//!    upwards: when `cancel` has stored it, every descendant reports it, on every thread, whether
//!    or not the walk that wakes the waiters has reached it, and for a second caller as well.
//! 3. A deadline that has passed is an end that happened at that instant, however late it is seen:
//!    ends are ordered by when they happened.
//! 4. Chains are walked by loops, merges with an explicit stack: depth costs no thread stack.
//! 5. `role` and `place` never change; `lineage` and merged sources are taken by `Drop` only.

use std::any::Any;
use std::borrow::Cow;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::sync::Arc;

use crate::cancelled::{Cause, End, Kind, Origin};
use crate::canceller::Cancellers;
use crate::completion::Completion;
use crate::context::Context;
use crate::deadline::{Deadline, Moment};
use crate::state::{Known, State};
use crate::sync::{Mutex, OnceLock};
use crate::timeline::When;
use crate::waiters::Links;

/// What a node adds to what it was derived from.
pub(crate) enum Role {
    Cancel(Cancellers),
    Deadline(Deadline),
    /// Owned here, so that the future is dropped with the node.
    Completion(Arc<Completion>),
    Value(Box<dyn Any + Send + Sync>, &'static str),
    Name(Cow<'static, str>),
    WithoutCancel,
    Any(Box<[Context]>),
    All(Box<[Context]>),
}

/// What each poll of a scope looks at comes first, so that it lies on one cache line.
#[repr(C)]
pub(crate) struct Node {
    pub(crate) state: State,
    /// What it was derived from: for values, names and the text.
    lineage: Context,
    pub(crate) role: Role,
    pub(crate) place: &'static Location<'static>,
    /// Set once (invariant 1).
    end: OnceLock<Arc<End>>,
    /// Who waits; see `waiters` for its lock order.
    pub(crate) links: Mutex<Links>,
}

impl Node {
    pub(crate) fn new(
        lineage: Context,
        role: Role,
        place: &'static Location<'static>,
    ) -> Arc<Self> {
        let node = Self {
            lineage,
            role,
            place,
            end: OnceLock::new(),
            state: State::unlinked(),
            links: Mutex::new(Links::new()),
        };
        node.adopt_present_end();
        Arc::new(node)
    }

    /// Of several sources ended already, the first in the list counts; and what ended before a
    /// deadline was set, although that was set in the past.
    fn adopt_present_end(&self) {
        let is_concerned = match &self.role {
            Role::Any(_) => true,
            Role::Deadline(deadline) => deadline.was_set_in_the_past(),
            _ => false,
        };
        let mut sources = self.sources().iter();
        if is_concerned && let Some(end) = sources.find_map(|source| source.node()?.end()) {
            self.store(Arc::clone(end));
        }
    }

    pub(crate) fn lineage(&self) -> &Context {
        &self.lineage
    }

    /// The contexts whose end is this node's, too.
    pub(crate) fn sources(&self) -> &[Context] {
        match &self.role {
            Role::Any(sources) | Role::All(sources) => sources,
            Role::WithoutCancel => &[],
            _ => std::slice::from_ref(&self.lineage),
        }
    }

    pub(crate) fn is_merge(&self) -> bool {
        matches!(self.role, Role::Any(_) | Role::All(_))
    }

    /// Whether its end is by definition that of its lineage, so that nobody need wait on it itself.
    pub(crate) fn is_transparent(&self) -> bool {
        matches!(self.role, Role::Value(..) | Role::Name(_))
    }

    /// Why it has ended, if it has; consults the clock.
    #[inline(never)]
    pub(crate) fn end(&self) -> Option<&Arc<End>> {
        if self.end.get().is_none() {
            let mut moment = Moment::default();
            if self.may_have_ended(&mut moment) {
                self.settle(&mut moment);
            }
        }
        self.end.get()
    }

    /// Whether it has ended; consults the clock.
    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        !self.state.is_live() && self.is_found_ended()
    }

    /// Most contexts end by a cancel only: then one look at each node above tells.
    #[cold]
    #[inline(never)]
    fn is_found_ended(&self) -> bool {
        let mut node = self;
        loop {
            match node.state.get() {
                Known::Ended => return true,
                Known::Live => return false,
                Known::Linked => node.announce(),
                Known::Timed | Known::Unlinked => {}
            }
            if !node.ends_by_cancel() {
                return self.end().is_some();
            }
            match node.lineage.node() {
                Some(parent) => node = parent,
                None => return false,
            }
        }
    }

    /// Whether it ends with its lineage or by being told, and by nothing else.
    fn ends_by_cancel(&self) -> bool {
        matches!(
            self.role,
            Role::Cancel(_) | Role::Completion(_) | Role::Value(..) | Role::Name(_)
        )
    }

    /// Why it has ended, as far as somebody has found out.
    pub(crate) fn stored_end(&self) -> Option<&Arc<End>> {
        self.end.get()
    }

    fn store(&self, end: Arc<End>) {
        // The first one stands (invariant 1); nothing foreign runs in here.
        self.end.get_or_init(|| end);
        self.state.end();
    }

    /// False only if nothing above has ended; takes no memory.
    fn may_have_ended(&self, moment: &mut Moment) -> bool {
        let mut node = self;
        loop {
            if node.end.get().is_some() {
                return true;
            }
            match &node.role {
                Role::Deadline(deadline) if deadline.passed(moment).is_some() => return true,
                Role::Any(_) | Role::All(_) => return true,
                Role::WithoutCancel => return false,
                _ => {}
            }
            match node.lineage.node() {
                Some(parent) => node = parent,
                None => return false,
            }
        }
    }

    /// Stores the ends of this node and of all that it depends on, sources first.
    pub(crate) fn settle(&self, moment: &mut Moment) {
        let mut merges_seen = HashSet::new();
        let mut stack = vec![(self, false)];
        while let Some((node, sources_are_settled)) = stack.pop() {
            if node.end.get().is_some() {
                continue;
            }
            if sources_are_settled {
                if let Some(end) = node.work_out(moment) {
                    node.store(end);
                }
                continue;
            }
            // Every way to a node twice leads through a merge: a chain is walked once.
            if node.is_merge() && !merges_seen.insert(std::ptr::from_ref(node)) {
                continue;
            }
            stack.push((node, true));
            let sources = node.sources().iter().filter_map(Context::node);
            stack.extend(sources.map(|source| (source, false)));
        }
    }

    /// Its end, from the stored ends of its sources.
    fn work_out(&self, moment: &mut Moment) -> Option<Arc<End>> {
        let inherited = self.inherited();
        if let Role::Deadline(deadline) = &self.role
            && let Some(at) = deadline.passed(moment)
            && inherited.is_none_or(|end| deadline.is_before(at, end))
        {
            return Some(deadline.end(at));
        }
        inherited.cloned()
    }

    /// The end it takes over from its sources, if they have what it takes.
    fn inherited(&self) -> Option<&Arc<End>> {
        let mut ends = self.sources().iter().map(|source| source.node()?.end.get());
        match &self.role {
            Role::All(_) => ends
                .collect::<Option<Vec<_>>>()?
                .into_iter()
                .max_by_key(|end| end.order()),
            Role::Any(_) => ends.flatten().min_by_key(|end| end.order()),
            _ => ends.next()?,
        }
    }

    /// Ends it, unless it has ended: the earlier end stands. Then wakes whoever waits.
    pub(crate) fn cancel(self: &Arc<Self>, cause: Option<Cause>, origin: Origin) {
        if self.end().is_none() {
            self.store(End::new(Kind::Cancelled, cause, origin, When::now()));
        }
        self.finish();
    }

    /// Gives up what it points to; `merged` takes the sources of a merge.
    fn take_parents(&mut self, merged: &mut Vec<Context>) -> Context {
        self.unlink_before_drop();
        if let Role::Any(sources) | Role::All(sources) = &mut self.role {
            merged.extend(std::mem::take(sources));
        }
        std::mem::replace(&mut self.lineage, Context::background())
    }
}

impl Drop for Node {
    /// Drops a long chain by a loop (invariant 4): each node that loses its last handle here gives
    /// up its parents before it is dropped itself.
    fn drop(&mut self) {
        let mut merged = Vec::new();
        let mut panicked = Ok(());
        let mut next = Some(self.take_parents(&mut merged));
        while let Some(context) = next {
            let Some(mut parent) = context.into_arc().and_then(Arc::into_inner) else {
                next = merged.pop();
                continue;
            };
            next = Some(parent.take_parents(&mut merged));
            // A value whose `Drop` panics must not keep the rest of the chain in memory.
            panicked = panicked.and(catch_unwind(AssertUnwindSafe(|| drop(parent))));
        }
        if let Err(payload) = panicked
            && !std::thread::panicking()
        {
            resume_unwind(payload);
        }
    }
}
