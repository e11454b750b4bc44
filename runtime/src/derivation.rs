//! How a node reads: its path of names, and its derivation.

use std::fmt;

use crate::tree::{Node, Role};

impl Node {
    /// The names from the root to here, joined by `/`.
    pub(crate) fn path(&self) -> String {
        let mut names = Vec::new();
        let mut next = Some(self);
        while let Some(node) = next {
            match &node.role {
                Role::Name(name) => names.push(*name),
                Role::OwnName(name) => names.push(name),
                #[cfg(feature = "tower")]
                Role::NamedCancel(both) => names.push(both.name.as_str()),
                _ => {}
            }
            next = node.lineage().node();
        }
        names.reverse();
        names.join("/")
    }
}

impl fmt::Debug for Node {
    /// The derivation, root first, as it could have been written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chain = vec![self];
        while let Some(parent) = chain[chain.len() - 1].lineage().node() {
            chain.push(parent);
        }
        write!(f, "{:?}", chain[chain.len() - 1].lineage())?;
        for node in chain.iter().rev() {
            match &node.role {
                Role::Cancel(_) => f.write_str(".with_cancel()")?,
                #[cfg(feature = "tower")]
                Role::NamedCancel(named) => {
                    write!(f, ".with_name({:?}).with_cancel()", named.name.as_str())?;
                }
                Role::Deadline(deadline) => write!(f, ".{deadline:?}")?,
                Role::Completion(source) => write!(f, ".{}(..)", source.method)?,
                Role::Value(value) => write!(f, ".with_value({})", value.type_name())?,
                Role::Name(name) => write!(f, ".with_name({name:?})")?,
                Role::OwnName(name) => write!(f, ".with_name({name:?})")?,
                Role::WithoutCancel => f.write_str(".without_cancel()")?,
                Role::Any(sources) => write!(f, ".any({} sources)", sources.len())?,
                Role::All(sources) => write!(f, ".all({} sources)", sources.len())?,
            }
            if let Some(end) = node.stored_end() {
                write!(f, " [{}]", end.kind)?;
            }
        }
        Ok(())
    }
}
