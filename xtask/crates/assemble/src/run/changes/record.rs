//! Which file of the layers below something in the upper folder was, where one mapped user leaves no owners to tell.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use blob::Digest;

use super::upper::{Found, What};
use crate::layer::tree::{Body, Node, Tree};

/// What is known of the layers below.
pub(super) struct Records<'r> {
    /// Files with several names: overlayfs does not say of their copies that they are copies.
    linked: HashSet<*const Node>,
    /// Files that are gone from their places, by size and digest.
    gone: HashMap<(u64, Digest), &'r Arc<Node>>,
}

impl<'r> Records<'r> {
    pub(super) fn new(below: &'r Tree, found: &BTreeMap<String, Found>, now: &BTreeMap<String, Body>) -> Self {
        let mut names: HashMap<*const Node, usize> = HashMap::new();
        for (_, node) in below.iter() {
            if matches!(node.body, Body::File(_)) {
                *names.entry(std::ptr::from_ref(node)).or_default() += 1;
            }
        }
        let linked = names.into_iter().filter(|(_, count)| *count > 1).map(|(node, _)| node).collect();
        let mut gone = HashMap::new();
        for (path, entry) in found {
            let Some(node) = below.node(path) else { continue };
            let Body::File(then) = &node.body else { continue };
            let replaced = !matches!(now.get(path), Some(Body::File(now)) if now.digest == then.digest);
            if entry.what == What::Whiteout || replaced {
                gone.insert((then.size, then.digest), node);
            }
        }
        Self { linked, gone }
    }

    /// Whether what lies at a path now is what lay there, perhaps changed, rather than something new.
    pub(super) fn is_same_file(&self, found: &Found, lower: &Arc<Node>, body: &Body) -> bool {
        match (&lower.body, body) {
            (Body::Dir, Body::Dir) => !found.opaque,
            (Body::File(then), Body::File(now)) => {
                if self.linked.contains(&Arc::as_ptr(lower)) {
                    return true;
                }
                // A file that was moved here is a copy, too: of the one that is gone elsewhere.
                let moved = then.digest != now.digest && self.gone.contains_key(&(now.size, now.digest));
                found.copied && !moved
            }
            // These cannot carry the mark of a copy.
            (Body::Symlink { target: then }, Body::Symlink { target: now }) => then == now,
            (Body::Fifo, Body::Fifo) => true,
            _ => false,
        }
    }

    /// The file that this was before it was moved.
    pub(super) fn moved(&self, found: &Found, body: &Body) -> Option<&'r Arc<Node>> {
        match body {
            Body::File(file) if found.copied => self.gone.get(&(file.size, file.digest)).copied(),
            _ => None,
        }
    }
}
