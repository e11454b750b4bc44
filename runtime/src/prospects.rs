//! What may still end a node: the earliest deadline that counts, and whether anything is left that could.
//!
//! Both follow from those of its sources, all the way up. Chains are walked by loops, merges with an
//! explicit stack (invariant 4 of [`crate::tree`]).

use std::collections::HashMap;

use crate::context::Context;
use crate::deadline::Deadline;
use crate::tick::Tick;
use crate::tree::{Node, Role};

impl Node {
    /// The earliest deadline above and here, of those that count.
    pub(crate) fn deadline(&self) -> Option<(Tick, &Deadline)> {
        let mut earliest: Option<(Tick, &Deadline)> = None;
        let mut node = self;
        loop {
            match &node.role {
                // Of equal deadlines the parent's counts.
                Role::Deadline(deadline) => earliest = earlier(Some(deadline.dated()), earliest),
                Role::Any(_) | Role::All(_) => {
                    let merged = node.fold_sources(None, Self::combine_deadlines);
                    return earlier(merged, earliest);
                }
                _ => {}
            }
            match node.sources().first().and_then(Context::node) {
                Some(parent) => node = parent,
                None => return earliest,
            }
        }
    }

    fn combine_deadlines<'a>(
        &'a self,
        sources: &[Option<(Tick, &'a Deadline)>],
    ) -> Option<(Tick, &'a Deadline)> {
        match &self.role {
            // Only if all of them end at a known time does the last one.
            Role::All(_) => {
                let all = sources.iter().copied().collect::<Option<Vec<_>>>()?;
                all.into_iter().max_by_key(|(at, _)| *at)
            }
            role => {
                // Of equal deadlines the first one counts, and that of a source before one's own.
                let first = sources.iter().copied().flatten().min_by_key(|(at, _)| *at);
                match role {
                    Role::Deadline(deadline) => earlier(first, Some(deadline.dated())),
                    _ => first,
                }
            }
        }
    }

    /// Whether it has ended, or anything is left that could end it.
    pub(crate) fn can_end(&self) -> bool {
        let mut node = self;
        loop {
            if node.can_end_by_itself() {
                return true;
            }
            if node.is_merge() {
                return node.fold_sources(false, Self::combine_can_end);
            }
            match node.sources().first().and_then(Context::node) {
                Some(parent) => node = parent,
                None => return false,
            }
        }
    }

    /// Whether it can end although one of its sources cannot.
    pub(crate) fn can_end_without_source(&self) -> bool {
        if self.is_merge() {
            self.can_end()
        } else {
            self.can_end_by_itself()
        }
    }

    fn can_end_by_itself(&self) -> bool {
        self.stored_end().is_some()
            || match &self.role {
                Role::Cancel(cancellers) => cancellers.may_end_it(),
                #[cfg(feature = "tower")]
                Role::NamedCancel(named) => named.cancellers.may_end_it(),
                Role::Deadline(_) => true,
                Role::Completion(source) => source.is_open(),
                _ => false,
            }
    }

    fn combine_can_end(&self, sources: &[bool]) -> bool {
        self.can_end_by_itself()
            || match &self.role {
                Role::All(_) => !sources.is_empty() && sources.iter().all(|can| *can),
                _ => sources.iter().any(|can| *can),
            }
    }

    /// Works out a property of a node from that of its sources, all the way up, without recursion;
    /// `root` is that of `background`.
    fn fold_sources<'a, T: Copy>(&'a self, root: T, combine: impl Fn(&'a Self, &[T]) -> T) -> T {
        let mut known: HashMap<*const Self, T> = HashMap::new();
        let mut stack = vec![self];
        while let Some(&node) = stack.last() {
            let before = stack.len();
            let sources = node.sources().iter();
            let mut values = Vec::with_capacity(node.sources().len());
            for source in sources {
                match source.node() {
                    None => values.push(root),
                    Some(source) => match known.get(&std::ptr::from_ref(source)) {
                        Some(value) => values.push(*value),
                        None => stack.push(source),
                    },
                }
            }
            if stack.len() == before {
                known.insert(std::ptr::from_ref(node), combine(node, &values));
                stack.pop();
            }
        }
        known
            .get(&std::ptr::from_ref(self))
            .copied()
            .unwrap_or(root)
    }
}

fn earlier<'a>(
    first: Option<(Tick, &'a Deadline)>,
    second: Option<(Tick, &'a Deadline)>,
) -> Option<(Tick, &'a Deadline)> {
    match (first, second) {
        (Some(first), Some(second)) => Some(if second.0 < first.0 { second } else { first }),
        (first, second) => first.or(second),
    }
}
