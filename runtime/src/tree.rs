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
//! 5. `role` never changes; `lineage` and merged sources are taken by `Drop` only.
//! 6. A cancel without a cause leaves a mark in the place of `end`, which says where it was, and then notes
//!    when, with the cancellers. Who asks for the end makes it of those: mostly nobody does. Who finds
//!    the mark before the note takes the present moment: the cancel is still under way. An end that is made stays.

use std::any::Any;
use std::collections::HashSet;
use std::panic::Location;
use std::sync::Arc;

use crate::cancelled::{Cause, End, Kind};
use crate::canceller::Cancellers;
use crate::completion::Completion;
use crate::context::Context;
use crate::deadline::{Deadline, Moment};
#[cfg(feature = "tower")]
use crate::named::Named;
use crate::origin::Origin;
use crate::raw::{Found, Mark, OnceArc, OnceBox, Upward};
use crate::state::{Known, State, Unlisted};
use crate::sync;
use crate::tick::Tick;
use crate::timeline::When;
use crate::value::Value;
use crate::waiters::Lists;

/// What a node adds to what it was derived from.
pub(crate) enum Role {
    Cancel(Cancellers),
    #[cfg(feature = "tower")]
    NamedCancel(Box<Named>),
    Deadline(Deadline),
    /// Owned here, so that the future is dropped with the node.
    Completion(Arc<Completion>),
    Value(Value),
    Name(&'static str),
    OwnName(Box<str>),
    WithoutCancel,
    Any(Box<[Context]>),
    All(Box<[Context]>),
}

/// What is looked at most comes first, so that it lies on one cache line with the counts. Aligned, so that a
/// state finds room in one word with an address.
#[repr(C, align(16))]
pub(crate) struct Node {
    /// Its state; and what it was derived from: for values, names and the text.
    pub(crate) up: Upward,
    /// Set once (invariant 1), maybe by a mark before (invariant 6).
    end: OnceArc<End, Location<'static>>,
    /// Who waits, since the first one has; see `waiters` for its lock order, and for the number before.
    pub(crate) links: OnceBox<Lists>,
    pub(crate) role: Role,
}

// With its two counts it takes 80 bytes at most.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Node>() <= 64 || sync::IS_MODELLED);

impl Node {
    /// Makes one; `unlisted` is what [`unlisted`](Self::unlisted) will give.
    #[inline]
    pub(crate) fn new(lineage: Context, role: Role, unlisted: Unlisted) -> Arc<Self> {
        Arc::new(Self {
            up: Upward::new(unlisted as u8, lineage),
            end: OnceArc::new(),
            links: OnceBox::new(),
            role,
        })
    }

    /// What it is while nobody lists it.
    pub(crate) fn unlisted(&self) -> Unlisted {
        match &self.role {
            Role::Deadline(_) => Unlisted::Other,
            Role::WithoutCancel => Unlisted::Alone,
            Role::Any(sources) | Role::All(sources) => Unlisted::of_merge(sources),
            _ => Unlisted::below(self.lineage()),
        }
    }

    /// Ends a node that was just made, whose deadline had passed at `now`.
    pub(crate) fn end_at_birth(&self, now: Tick) {
        self.adopt_present_end();
        if let Role::Deadline(deadline) = &self.role
            && self.stored_end().is_none()
        {
            self.store(deadline.end(now));
        }
    }

    /// Of several sources ended already, the first in the list counts; and what ended before a
    /// deadline was set, although that was set in the past.
    pub(crate) fn adopt_present_end(&self) {
        let mut sources = self.sources().iter().filter_map(Context::node);
        if let Some(ended) = sources.find(|source| source.end().is_some()) {
            self.adopt(ended);
        }
    }

    /// Takes over the end of a source, if that has one.
    fn adopt(&self, source: &Self) {
        if let Some(end) = source.end.get_arc() {
            self.store(end);
        }
    }

    #[inline]
    pub(crate) fn state(&self) -> &State {
        self.up.state()
    }

    #[inline]
    pub(crate) fn lineage(&self) -> &Context {
        self.up.lineage()
    }

    /// The contexts whose end is this node's, too.
    pub(crate) fn sources(&self) -> &[Context] {
        match &self.role {
            Role::Any(sources) | Role::All(sources) => sources,
            Role::WithoutCancel => &[],
            _ => std::slice::from_ref(self.lineage()),
        }
    }

    /// Who may cancel it, if anybody may.
    #[inline]
    pub(crate) fn cancellers(&self) -> Option<&Cancellers> {
        match &self.role {
            Role::Cancel(cancellers) => Some(cancellers),
            #[cfg(feature = "tower")]
            Role::NamedCancel(named) => Some(&named.cancellers),
            _ => None,
        }
    }

    /// The value that it adds, if that is one of type `T`.
    #[inline]
    pub(crate) fn own_value<T: Any>(&self) -> Option<&T> {
        match &self.role {
            Role::Value(value) => value.get(),
            _ => None,
        }
    }

    pub(crate) fn is_merge(&self) -> bool {
        matches!(self.role, Role::Any(_) | Role::All(_))
    }

    /// Whether its end is by definition that of its lineage, so that nobody need wait on it itself.
    pub(crate) fn is_transparent(&self) -> bool {
        matches!(self.role, Role::Value(_) | Role::Name(_) | Role::OwnName(_))
    }

    /// Why it has ended, if it has; consults the clock.
    #[inline(never)]
    pub(crate) fn end(&self) -> Option<&End> {
        if self.stored_end().is_none() {
            let mut moment = Moment::default();
            if self.may_have_ended(&mut moment, |_| {}) {
                self.settle(&mut moment);
            }
        }
        self.stored_end()
    }

    pub(crate) fn end_arc(&self) -> Option<Arc<End>> {
        self.end()?;
        self.end.get_arc()
    }

    /// Whether it has ended; consults the clock.
    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        if self.state().is_live() {
            false
        } else if self.state().is_plain() {
            self.is_plain_found_ended()
        } else {
            self.is_found_ended()
        }
    }

    /// Mostly nothing above has ended, and most nodes are plain: then one look at each tells.
    #[inline(never)]
    fn is_plain_found_ended(&self) -> bool {
        !self.first_not_plain().state().is_live() && self.is_found_ended()
    }

    #[cold]
    #[inline(never)]
    fn is_found_ended(&self) -> bool {
        self.may_have_ended(&mut Moment::default(), Self::announce) && self.end().is_some()
    }

    /// The nearest one, from here on up, that may end otherwise than by a cancel, or knows more.
    #[inline]
    fn first_not_plain(&self) -> &Self {
        Upward::first_to_stay(self)
    }

    /// Why it has ended, as far as somebody has found out.
    pub(crate) fn stored_end(&self) -> Option<&End> {
        let end = match self.end.look() {
            Found::Nothing => return None,
            Found::Mark(mark) => self.end_of(&mark)?,
            Found::Value(end) => end,
        };
        // Whoever has stored it may not have come to the next step yet.
        if self.state().get() != Known::Ended {
            self.state().end();
        }
        Some(end)
    }

    /// The end that its mark stands for, made now (invariant 6).
    #[cold]
    #[inline(never)]
    fn end_of(&self, mark: &Mark<Location<'static>>) -> Option<&End> {
        if let Some(cancellers) = self.cancellers() {
            let origin = Origin::of_mark(mark);
            let made = match cancellers.stamped() {
                Some(stamp) => End::of_stamp(origin, stamp),
                None => End::new(Kind::Cancelled, None, origin, When::now()),
            };
            // Of two who have made it, the first one's counts.
            drop(self.end.set_marked(mark, made));
        }
        self.end.get()
    }

    /// Whether no end was stored. Then whoever stores one later finds the lists that were made before.
    pub(crate) fn is_before_end(&self) -> bool {
        self.end.is_before_set()
    }

    fn store(&self, end: Arc<End>) {
        // The first one stands (invariant 1).
        let late = self.end.set(end);
        self.state().end();
        drop(late);
    }

    /// False only if nothing above has ended; takes no memory. `meet` is told of linked nodes.
    #[inline]
    fn may_have_ended(&self, moment: &mut Moment, meet: impl Fn(&Self)) -> bool {
        let mut node = self;
        loop {
            node = node.first_not_plain();
            match node.state().get() {
                // Stored before it is told: somebody may link this node, and find nothing ended, before the
                // end comes to it.
                Known::Ended => return true,
                Known::Live | Known::Alone => return false,
                Known::Linked => meet(node),
                Known::Timed | Known::Unlinked => {}
            }
            match &node.role {
                Role::Deadline(deadline) if deadline.passed(moment).is_some() => return true,
                Role::Any(_) | Role::All(_) => return true,
                Role::WithoutCancel => return false,
                _ => {}
            }
            match node.lineage().node() {
                Some(parent) => node = parent,
                None => return false,
            }
        }
    }

    /// Stores the ends of this node and of all that it depends on, sources first.
    pub(crate) fn settle(&self, moment: &mut Moment) {
        if self.stored_end().is_some() || self.is_settled_by_source(moment) {
            return;
        }
        let mut merges_seen = HashSet::new();
        let mut stack = vec![(self, false)];
        while let Some((node, sources_are_settled)) = stack.pop() {
            if node.stored_end().is_some() {
                continue;
            }
            if sources_are_settled {
                node.work_out(moment);
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

    /// Whether its one source has ended, as is known, and so this node, which is stored. Mostly that is so.
    fn is_settled_by_source(&self, moment: &mut Moment) -> bool {
        let source = self.lineage().node().filter(|_| !self.is_merge());
        let is_settled = source.is_some_and(|source| source.stored_end().is_some());
        if is_settled {
            self.work_out(moment);
        }
        is_settled
    }

    /// Stores its end, if the stored ends of its sources, or its deadline, make it end.
    fn work_out(&self, moment: &mut Moment) {
        let inherited = self.inherited();
        if let Role::Deadline(deadline) = &self.role
            && let Some(at) = deadline.passed(moment)
            && inherited.is_none_or(|(_, end)| deadline.is_before(at, end))
        {
            self.store(deadline.end(at));
        } else if let Some((source, _)) = inherited {
            self.adopt(source);
        }
    }

    /// The source whose end it takes over, if they have what it takes.
    fn inherited(&self) -> Option<(&Self, &End)> {
        let ends = self.sources().iter().map(|source| {
            let source = source.node()?;
            Some((source, source.stored_end()?))
        });
        match &self.role {
            Role::All(_) => ends
                .collect::<Option<Vec<_>>>()?
                .into_iter()
                .max_by_key(|(_, end)| end.order()),
            _ => ends.flatten().min_by_key(|(_, end)| end.order()),
        }
    }

    /// Ends it, unless it has ended: the earlier end stands. Then wakes whoever waits.
    pub(crate) fn cancel(self: &Arc<Self>, cause: Option<Cause>, origin: Origin) {
        if self.end().is_none() {
            let when = When::now();
            match (cause, origin.mark(), self.cancellers()) {
                (None, Some(mark), Some(cancellers)) if when.elsewhere.is_empty() => {
                    if self.end.set_mark(&mark) {
                        cancellers.stamp(when.at, End::next_number());
                    }
                    self.state().end();
                }
                (cause, ..) => self.store(End::new(Kind::Cancelled, cause, origin, when)),
            }
        }
        self.finish();
    }
}
