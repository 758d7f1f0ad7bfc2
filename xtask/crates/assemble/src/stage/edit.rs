//! Changing a tree, and keeping account of what the change's layer must hold.

use std::{collections::BTreeSet, sync::Arc};

use super::{Refused, owner::Owner};
use crate::{
    layer::tree::{Node, Tree},
    path::{is_whiteout, parent},
};

/// A change of a tree by one instruction.
pub(super) struct Edit<'t> {
    pub(super) tree: &'t mut Tree,
    pub(super) epoch: i64,
    touched: BTreeSet<String>,
}

impl<'t> Edit<'t> {
    pub(super) fn new(tree: &'t mut Tree, epoch: i64) -> Self {
        Self { tree, epoch, touched: BTreeSet::new() }
    }

    /// Puts a node at a path whose folder exists. What was there is replaced.
    pub(super) fn put(&mut self, path: &str, node: Arc<Node>) -> Result<(), Refused> {
        if is_whiteout(path) {
            return Err(format!("`/{path}` cannot be in a layer: there a name with `.wh.` means a missing file"));
        }
        self.tree.insert(path.to_owned(), node);
        self.touch(path);
        Ok(())
    }

    /// Puts another node in the place of one: at `path`, and under all names that this change has given it.
    pub(super) fn replace(&mut self, path: &str, old: &Arc<Node>, new: &Arc<Node>) -> Result<(), Refused> {
        let is_old = |name: &&String| self.tree.node(name).is_some_and(|node| Arc::ptr_eq(node, old));
        let names: Vec<String> = self.touched.iter().filter(is_old).cloned().collect();
        self.put(path, new.clone())?;
        names.iter().try_for_each(|name| self.put(name, new.clone()))
    }

    /// Makes a folder and those above it, as far as they are missing.
    ///
    /// A folder in one with the setgid bit gets the bit, and without an owner the group too, as in any file system.
    pub(super) fn make_dirs(&mut self, path: &str, owner: Option<Owner>, mode: u32) -> Result<(), Refused> {
        let ends = path.match_indices('/').map(|(index, _)| index).chain((!path.is_empty()).then_some(path.len()));
        for end in ends {
            let part = &path[..end];
            match self.tree.get(part) {
                Some(node) if node.is_dir() => {}
                Some(_) => return Err(format!("`/{part}` is no folder, so that nothing can be put into it")),
                None => {
                    let above = self.tree.get(parent(part)).map_or((0, 0), |node| (node.mode & 0o2000, node.gid));
                    let inherited = Owner { uid: 0, gid: if above.0 == 0 { 0 } else { above.1 } };
                    let Owner { uid, gid } = owner.unwrap_or(inherited);
                    let mode = mode & 0o777 | above.0;
                    self.put(part, Arc::new(Node { uid, gid, mode, ..Node::dir(self.epoch) }))?;
                }
            }
        }
        Ok(())
    }

    /// The paths that the layer holds: all that was put somewhere, and the folders above with what they are like.
    ///
    /// The folders are there because not every engine unpacks a layer on top of those below it: one that unpacks it by
    /// itself would make them up, and what it makes up would hide the mode and owner that they have.
    pub(super) fn finish(self) -> BTreeSet<String> {
        self.touched
    }

    fn touch(&mut self, path: &str) {
        let mut path = path;
        while !path.is_empty() && self.touched.insert(path.to_owned()) {
            path = parent(path);
        }
    }
}
