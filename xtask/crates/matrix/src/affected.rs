//! Which images a change affects, and why.

use std::collections::BTreeMap;

use crate::graph::{Graph, State};

/// What images were made of before, by platform and name.
pub type Before = BTreeMap<(String, String), State>;

/// Why an image is affected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Because {
    /// What is different about the image itself, in words.
    pub changes: Vec<String>,
    /// Places of its parents that come out anew.
    pub through: Vec<usize>,
    /// The place of a changed image that explains it; its own, where it has changes itself.
    pub root: usize,
    /// Whether it comes out anew. If not, only what proves it has changed.
    pub anew: bool,
}

/// For each image why it is affected; nothing if it is not.
///
/// An image comes out anew if its key is another than before: that are exactly the images whose own inputs changed, and all
/// that stand on one of them.
pub fn affected(graph: &Graph, before: &Before) -> Vec<Option<Because>> {
    let mut affected: Vec<Option<Because>> = Vec::with_capacity(graph.nodes().len());
    for (place, node) in graph.nodes().iter().enumerate() {
        let old = before.get(&(node.platform.clone(), node.image.clone()));
        let state = &node.state;
        let anew = old.is_none_or(|old| old.key != state.key);
        let is_anew = |parent: &usize| affected[*parent].as_ref().is_some_and(|because| because.anew);
        let through: Vec<usize> = node.parents.iter().copied().filter(is_anew).collect();
        let mut changes = match old {
            None => vec!["it is new".to_owned()],
            Some(old) => state.own.changes(&old.own).iter().map(ToString::to_string).collect(),
        };
        if anew && changes.is_empty() && through.is_empty() {
            changes.push("its inputs changed".to_owned());
        }
        let root = match (changes.is_empty(), through.first().and_then(|&parent| affected[parent].as_ref())) {
            (true, Some(because)) => because.root,
            _ => place,
        };
        if let Some(old) = old.filter(|_| !anew) {
            changes.extend(state.proof.changes(&old.proof).iter().map(ToString::to_string));
        }
        affected.push((anew || !changes.is_empty()).then_some(Because { changes, through, root, anew }));
    }
    affected
}
