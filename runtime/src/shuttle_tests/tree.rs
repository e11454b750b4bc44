//! The contexts that were made, and what the contract says of each.

use std::sync::Weak;

use crate::context::Context;
use crate::models::assert_left;
use crate::sync::{Mutex, at, now};
use crate::tree::Node;

/// With which of its sources a context ends.
#[derive(Clone, Copy)]
pub(super) enum Ends {
    WithAny,
    WithAll,
    WithNone,
}

/// A context, for as long as it is kept.
struct Grown {
    context: Option<Context>,
    node: Weak<Node>,
    sources: Vec<usize>,
    ends: Ends,
    /// When it ends by itself.
    deadline: Option<usize>,
    /// A cancel of it has returned.
    was_cancelled: bool,
}

/// Sources come before what was derived from them.
pub(super) struct Tree(Mutex<Vec<Grown>>);

impl Tree {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    pub(super) fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// The context of that number, if it is kept.
    pub(super) fn get(&self, number: usize) -> Option<Context> {
        self.0.lock().get(number)?.context.clone()
    }

    pub(super) fn add(
        &self,
        context: &Context,
        sources: &[usize],
        ends: Ends,
        deadline: Option<usize>,
    ) -> usize {
        let node = context.arc().expect("it is no root");
        let grown = Grown {
            context: Some(context.clone()),
            node: std::sync::Arc::downgrade(&node),
            sources: sources.to_vec(),
            ends,
            deadline,
            was_cancelled: false,
        };
        drop(node);
        let mut all = self.0.lock();
        all.push(grown);
        all.len() - 1
    }

    /// Keeps it no longer.
    pub(super) fn give_up(&self, number: usize) {
        let context = self.0.lock()[number].context.take();
        drop(context);
    }

    pub(super) fn note_cancelled(&self, number: usize) {
        self.0.lock()[number].was_cancelled = true;
    }

    /// Which ones have ended for sure.
    pub(super) fn ended(&self) -> Vec<bool> {
        let time = now();
        let mut ended: Vec<bool> = Vec::new();
        for grown in self.0.lock().iter() {
            let mut sources = grown.sources.iter().map(|source| ended[*source]);
            let by_source = match grown.ends {
                Ends::WithAny => sources.any(|ended| ended),
                Ends::WithAll => sources.all(|ended| ended),
                Ends::WithNone => false,
            };
            let by_time = grown.deadline.is_some_and(|deadline| at(deadline) <= time);
            ended.push(by_source || by_time || grown.was_cancelled);
        }
        ended
    }

    /// Those who have ended for sure, say so (B4).
    pub(super) fn assert_ended(&self) {
        for (number, ended) in self.ended().into_iter().enumerate() {
            if ended && let Some(context) = self.get(number) {
                assert!(
                    context.is_cancelled(),
                    "{number} has not ended: {context:?}"
                );
                assert!(context.err().is_some() && context.cause().is_some());
            }
        }
    }

    /// Nobody waits any more, and nothing is kept.
    pub(super) fn assert_left(&self) {
        let all = std::mem::take(&mut *self.0.lock());
        for grown in &all {
            grown.context.iter().for_each(assert_left);
        }
        let nodes: Vec<_> = all.iter().map(|grown| grown.node.clone()).collect();
        drop(all);
        for (number, node) in nodes.iter().enumerate() {
            assert_eq!(node.strong_count(), 0, "{number} is still there");
        }
    }
}
