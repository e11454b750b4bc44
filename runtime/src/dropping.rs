//! Dropping nodes.
//!
//! Invariant: depth costs no thread stack (invariant 4 of [`crate::tree`]): a node that loses its last handle
//! here gives up its parents before it is dropped itself.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use crate::context::Context;
use crate::tree::{Node, Role};

impl Node {
    /// Gives up what it was derived from, before it is dropped.
    #[inline]
    fn take_lineage(&mut self) -> Context {
        self.unlink_before_drop();
        self.up.take()
    }

    /// Gives up the sources of a merge.
    #[inline]
    fn take_merged(&mut self) -> Vec<Context> {
        match &mut self.role {
            Role::Any(sources) | Role::All(sources) => std::mem::take(sources).into_vec(),
            _ => Vec::new(),
        }
    }
}

impl Drop for Node {
    /// Mostly what it was derived from has other handles: then nothing else is to be done.
    #[inline]
    fn drop(&mut self) {
        let lineage = self.take_lineage();
        let merged = self.take_merged();
        let last = lineage.into_arc().and_then(Arc::into_inner);
        if last.is_some() || !merged.is_empty() {
            drop_chain(last, merged);
        }
    }
}

/// Drops a long chain by a loop.
#[cold]
#[inline(never)]
fn drop_chain(mut last: Option<Node>, mut merged: Vec<Context>) {
    let mut panicked = Ok(());
    loop {
        let Some(mut node) = last else {
            let Some(context) = merged.pop() else {
                break;
            };
            last = context.into_arc().and_then(Arc::into_inner);
            continue;
        };
        let lineage = node.take_lineage();
        merged.append(&mut node.take_merged());
        last = lineage.into_arc().and_then(Arc::into_inner);
        // A value whose `Drop` panics must not keep the rest of the chain in memory.
        panicked = panicked.and(catch_unwind(AssertUnwindSafe(|| drop(node))));
    }
    if let Err(payload) = panicked
        && !std::thread::panicking()
    {
        resume_unwind(payload);
    }
}
