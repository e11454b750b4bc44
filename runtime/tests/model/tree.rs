//! The contexts as the contract has them: every end is worked out in the step in which it happens, whoever
//! looks.

use std::collections::{BTreeMap, BTreeSet};

use crate::transition::{Derivation, Id, Key, Merge, Time};
use crate::why::{Began, Why};

pub(crate) const BACKGROUND: Id = 0;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct End {
    /// When it happened, and the number of the event, for what happened at one time.
    at: (Time, usize),
    /// More than one if the contract does not say which: it has no order for what happens at the instant
    /// of a deadline to contexts that are not derived from each other.
    pub(crate) whys: BTreeSet<Why>,
    /// A clock brought it, and not a call that told everybody: the time by which they are told.
    pub(crate) told_by: Option<Time>,
}

impl End {
    fn is_dated(&self) -> bool {
        self.whys.iter().any(|why| why.began == Began::Deadline)
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Role {
    /// `background`, and what was derived by `without_cancel`.
    Endless,
    Plain,
    Cancel {
        holders: usize,
        is_detached: bool,
    },
    Deadline {
        at: Time,
        why: Why,
        has_mover: bool,
    },
    Future {
        is_open: bool,
    },
    Merge(Merge),
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) role: Role,
    /// Whose end is its own.
    pub(crate) sources: Vec<Id>,
    /// Where values and names come from.
    lineage: Option<Id>,
    value: Option<Key>,
    is_name: bool,
    pub(crate) end: Option<End>,
    /// Whether somebody has the context.
    pub(crate) is_held: bool,
}

/// One tick of tokio's timer.
const TICK: Time = 1_000_000;

#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) nodes: BTreeMap<Id, Node>,
    pub(crate) now: Time,
    events: usize,
}

impl Tree {
    pub(crate) fn new() -> Self {
        let mut tree = Self {
            nodes: BTreeMap::new(),
            now: 0,
            events: 0,
        };
        tree.add(BACKGROUND, Role::Endless, vec![], None);
        tree
    }

    pub(crate) fn node(&self, id: Id) -> &Node {
        &self.nodes[&id]
    }

    pub(crate) fn node_mut(&mut self, id: Id) -> &mut Node {
        self.nodes.get_mut(&id).expect("it was derived")
    }

    pub(crate) fn end_of(&self, id: Id) -> Option<&End> {
        self.node(id).end.as_ref()
    }

    fn add(&mut self, id: Id, role: Role, sources: Vec<Id>, lineage: Option<Id>) {
        let node = Node {
            role,
            sources,
            lineage,
            value: None,
            is_name: false,
            end: None,
            is_held: true,
        };
        self.nodes.insert(id, node);
        self.node_mut(id).end = self.inherited(id);
        self.pass_deadlines(None);
    }

    pub(crate) fn derive(&mut self, id: Id, from: Id, how: &Derivation) {
        let deadline = |at, has_cause: bool, has_mover| Role::Deadline {
            at,
            why: Why::new(Began::Deadline, has_cause.then(|| deadline_cause(id))),
            has_mover,
        };
        let role = match how {
            Derivation::Cancel => Role::Cancel {
                holders: 1,
                is_detached: false,
            },
            Derivation::Deadline { at, has_cause } => deadline(*at, *has_cause, false),
            Derivation::Timeout {
                after: Some(after),
                has_cause,
            } => {
                let after = Time::try_from(after.as_nanos()).expect("it is short");
                deadline(self.now + after, *has_cause, false)
            }
            Derivation::Movable { at } => deadline(*at, false, true),
            Derivation::Future { .. } => Role::Future { is_open: true },
            Derivation::WithoutCancel => Role::Endless,
            Derivation::Timeout { after: None, .. } | Derivation::Value(_) | Derivation::Name => {
                Role::Plain
            }
        };
        let sources = match how {
            Derivation::WithoutCancel => vec![],
            _ => vec![from],
        };
        self.add(id, role, sources, Some(from));
        let node = self.node_mut(id);
        match how {
            Derivation::Value(key) => node.value = Some(*key),
            Derivation::Name => node.is_name = true,
            Derivation::Future { is_ready: true } => self.complete(id),
            _ => {}
        }
    }

    pub(crate) fn merge(&mut self, id: Id, sources: &[Id], kind: Merge) {
        let ended = sources.iter().find_map(|source| self.end_of(*source));
        let first_ended = ended.cloned();
        let lineage = sources.first().copied();
        self.add(id, Role::Merge(kind), sources.to_vec(), lineage);
        if kind == Merge::Any {
            // Of several ended already, the first in the list counts.
            self.node_mut(id).end = first_ended;
        }
    }

    /// The end that a context takes over from its sources.
    fn inherited(&self, id: Id) -> Option<End> {
        let node = self.node(id);
        let ends = node.sources.iter().map(|source| self.end_of(*source));
        let chosen = match node.role {
            Role::Merge(Merge::All) => {
                let ends = ends.collect::<Option<Vec<_>>>()?;
                ends.iter().map(|end| end.at).max()?
            }
            _ => ends.flatten().map(|end| end.at).min()?,
        };
        let ends = node.sources.iter().filter_map(|it| self.end_of(*it));
        let mut end = ends.clone().find(|end| end.at == chosen)?.clone();
        let others = ends.filter(|other| other.at.0 == chosen.0);
        let others = others.filter(|other| other.is_dated() || end.is_dated());
        end.whys = others
            .flat_map(|other| other.whys.clone())
            .chain(end.whys.clone())
            .collect();
        Some(end)
    }

    fn spread(&mut self) {
        let ids: Vec<_> = self.nodes.keys().copied().collect();
        for id in ids {
            if self.node(id).end.is_none() {
                self.node_mut(id).end = self.inherited(id);
            }
        }
    }

    /// A call that ends a context, and tells everybody, unless it has ended.
    pub(crate) fn end(&mut self, id: Id, why: &Why) {
        self.events += 1;
        let at = (self.now, self.events);
        self.set_end(id, at, why.clone(), None);
        // Of a merge, the other sources may have ended at this very instant.
        let below = self.below(id);
        let from = self.top_down(|node, from| {
            let is_merge = matches!(node.role, Role::Merge(_));
            let is_source = |it: &Id| is_merge && (*it == id || below[it]);
            node.sources.iter().any(|it| from[it] || is_source(it))
        });
        self.blur_order(&from, why);
    }

    fn set_end(&mut self, id: Id, at: (Time, usize), why: Why, told_by: Option<Time>) {
        let node = self.node_mut(id);
        if node.end.is_none() {
            node.end = Some(End {
                at,
                whys: [why].into(),
                told_by,
            });
            self.spread();
        }
    }

    /// Ends what has a deadline that is not after now. It is one event: of what is above and below, the
    /// former is the cause, being the first to be listed.
    fn pass_deadlines(&mut self, told_by: Option<Time>) {
        self.events += 1;
        let event = (self.now, self.events);
        let due = self.nodes.iter().filter_map(|(id, node)| match &node.role {
            Role::Deadline { at, why, .. } if *at <= self.now => Some((*id, why.clone())),
            _ => None,
        });
        let due: Vec<_> = due.collect();
        for (id, why) in due {
            self.set_end(id, event, why, told_by);
        }
    }

    pub(crate) fn advance(&mut self, by: Time) {
        let end = self.now + by;
        while let Some(next) = self.next_deadline().filter(|next| *next <= end) {
            self.now = next;
            self.pass_deadlines(Some(next + TICK));
        }
        self.now = end;
    }

    /// The next deadline that ends something.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let live = self.nodes.values().filter(|node| node.end.is_none());
        let deadlines = live.filter_map(|node| match node.role {
            Role::Deadline { at, .. } => Some(at),
            _ => None,
        });
        deadlines.min()
    }

    /// Moves a deadline, and returns whether that was in time.
    pub(crate) fn move_deadline(&mut self, id: Id, to: Time) -> bool {
        let node = self.node_mut(id);
        let is_live = node.end.is_none();
        if let Role::Deadline { at, why, .. } = &mut node.role
            && is_live
        {
            *at = to;
            let why = why.clone();
            self.pass_deadlines(None);
            self.blur_order_below(id, &why);
        }
        is_live
    }

    /// The deadline of a context was moved into the past: what is below may have passed at this very instant
    /// before, or else be one of several equal deadlines.
    fn blur_order_below(&mut self, id: Id, why: &Why) {
        if self.end_of(id).is_some() {
            self.blur_order(&self.below(id), why);
        }
    }

    fn below(&self, id: Id) -> BTreeMap<Id, bool> {
        self.top_down(|node, below| node.sources.iter().any(|it| *it == id || below[it]))
    }

    /// What ended by a deadline at this very instant may as well have ended for another reason, if it is one of
    /// `contexts`.
    fn blur_order(&mut self, contexts: &BTreeMap<Id, bool>, why: &Why) {
        let now = self.now;
        let nodes = self.nodes.iter_mut().filter(|(id, _)| contexts[id]);
        for end in nodes.filter_map(|(_, node)| node.end.as_mut()) {
            if end.at.0 == now && end.is_dated() {
                end.whys.insert(why.clone());
            }
        }
    }

    pub(crate) fn complete(&mut self, id: Id) {
        self.node_mut(id).role = Role::Future { is_open: false };
        self.end(id, &Why::new(Began::Completed, Some(completion_cause(id))));
    }

    /// The deadline that counts, of every context.
    pub(crate) fn deadlines(&self) -> BTreeMap<Id, Option<Time>> {
        self.top_down(|node, deadlines| {
            let mut above = node.sources.iter().map(|source| deadlines[source]);
            match node.role {
                Role::Merge(Merge::All) => above.collect::<Option<Vec<_>>>()?.into_iter().max(),
                Role::Deadline { at, .. } => above.flatten().chain([at]).min(),
                _ => above.by_ref().flatten().min(),
            }
        })
    }

    /// Works something out for every context, sources first.
    fn top_down<T>(&self, work: impl Fn(&Node, &BTreeMap<Id, T>) -> T) -> BTreeMap<Id, T> {
        let mut found = BTreeMap::new();
        for (id, node) in &self.nodes {
            let result = work(node, &found);
            found.insert(*id, result);
        }
        found
    }

    /// The way to the root by which values are found.
    fn way(&self, id: Id) -> impl Iterator<Item = (Id, &Node)> {
        let lineage = |id: &Id| self.node(*id).lineage;
        std::iter::successors(Some(id), lineage).map(|id| (id, self.node(id)))
    }

    pub(crate) fn value(&self, id: Id, key: Key) -> Option<Id> {
        let mut way = self.way(id);
        way.find(|(_, node)| node.value == Some(key))
            .map(|(id, _)| id)
    }

    pub(crate) fn path(&self, id: Id) -> String {
        let names = self.way(id).filter(|(_, node)| node.is_name);
        let mut names: Vec<_> = names.map(|(id, _)| name(id)).collect();
        names.reverse();
        names.join("/")
    }

    /// Of every context, whether it has ended or may do so.
    pub(crate) fn mortals(&self) -> BTreeMap<Id, bool> {
        self.top_down(|node, mortals| {
            let mut above = node.sources.iter().map(|source| mortals[source]);
            node.end.is_some()
                || match node.role {
                    Role::Endless => false,
                    Role::Merge(Merge::All) => !node.sources.is_empty() && above.all(|it| it),
                    Role::Cancel { holders, .. } => holders > 0 || above.any(|it| it),
                    Role::Future { is_open } => is_open || above.any(|it| it),
                    Role::Deadline { .. } => true,
                    Role::Plain | Role::Merge(Merge::Any) => above.any(|it| it),
                }
        })
    }

    /// Adds `id` and all whose end would be its own.
    pub(crate) fn add_sources(&self, id: Id, found: &mut BTreeSet<Id>) {
        if found.insert(id) {
            for source in &self.node(id).sources {
                self.add_sources(*source, found);
            }
        }
    }
}

pub(crate) fn deadline_cause(id: Id) -> String {
    format!("deadline of {id}")
}

pub(crate) fn completion_cause(id: Id) -> String {
    format!("completion of {id}")
}

pub(crate) fn name(id: Id) -> String {
    format!("name {id}")
}
