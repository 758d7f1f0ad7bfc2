//! Generated entries, sorted by path, until they are written behind those of the packages.

use std::{collections::BTreeMap, io::Write};

use super::{
    RootfsError, layout,
    writer::{Meta, Writer},
};

/// The name under which generated paths appear in errors.
const MADE: &str = "what the maintainer scripts would have made";

#[derive(Debug)]
enum Node {
    File(Meta, Vec<u8>),
    Link(String),
}

/// Entries by path, relative to the root.
#[derive(Debug, Default)]
pub(super) struct Tree(BTreeMap<String, Node>);

impl Tree {
    /// Adds a file; a path that is none or is taken is added to `faults`.
    pub(super) fn file(&mut self, path: &str, meta: Meta, bytes: impl Into<Vec<u8>>, faults: &mut Vec<String>) {
        self.insert(path, Node::File(meta, bytes.into()), faults);
    }

    /// Adds a symbolic link; a path that is none or is taken is added to `faults`.
    pub(super) fn link(&mut self, path: &str, target: &str, faults: &mut Vec<String>) {
        self.insert(path, Node::Link(target.to_owned()), faults);
    }

    /// Whether something lies at `path`.
    pub(super) fn contains(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// The text of a file.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        match self.0.get(path)? {
            Node::File(_, bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// Writes all entries.
    pub(super) fn write<W: Write>(self, writer: &mut Writer<W>) -> Result<(), RootfsError> {
        for (path, node) in self.0 {
            match node {
                Node::File(meta, bytes) => {
                    writer.file(&path, meta, bytes.len() as u64, &mut bytes.as_slice(), MADE)?;
                }
                Node::Link(target) => writer.link(&path, &target, MADE)?,
            }
        }
        Ok(())
    }

    fn insert(&mut self, path: &str, node: Node, faults: &mut Vec<String>) {
        let Some(place) = layout::relative(path).map(layout::placed) else {
            return faults.push(format!("`{path}` is no path within the root"));
        };
        if self.0.insert(place, node).is_some() {
            faults.push(format!("`{path}` is made twice"));
        }
    }
}
