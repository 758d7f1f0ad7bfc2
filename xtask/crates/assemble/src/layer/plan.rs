//! A layer before it is written.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use blob::{Digest, Hasher};

use super::{
    entry::{Entry, Kind},
    tree::{Body, Node, Tree},
};

/// The plan's format. It is a part of every key: a layer that would be written differently has another key.
const FORMAT: &str = "layer 1";

/// Everything that decides the bytes of a layer, and where its files' bytes are.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) entries: Vec<Planned>,
    /// The digest of all that decides the bytes of the layer. Neither the parent nor the places of sources matter.
    pub(crate) key: Digest,
}

/// One entry of a planned layer.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) path: String,
    pub(crate) node: Arc<Node>,
    /// The path of the same layer that is the first name of the file.
    pub(crate) link: Option<String>,
}

impl Plan {
    /// A layer of what lies at these paths. Paths that are not in the tree (any more) are left out.
    pub(crate) fn new(tree: &Tree, paths: &BTreeSet<String>) -> Self {
        let mut first: HashMap<*const Node, String> = HashMap::new();
        let mut entries = Vec::with_capacity(paths.len());
        for path in paths {
            let Some(node) = tree.node(path).cloned() else { continue };
            let link = match node.body {
                // A node that several paths share is one file with several names.
                Body::File(_) => first.get(&Arc::as_ptr(&node)).cloned(),
                _ => None,
            };
            first.entry(Arc::as_ptr(&node)).or_insert_with(|| path.clone());
            entries.push(Planned { path: path.clone(), node, link });
        }
        Self::of(entries)
    }

    /// A layer of these entries, which are sorted.
    pub(crate) fn of(entries: Vec<Planned>) -> Self {
        let mut hasher = Hasher::new();
        hasher.update(FORMAT.as_bytes());
        for planned in &entries {
            hash(planned, &mut hasher);
        }
        let key = hasher.finish().0;
        Self { entries, key }
    }

    /// The number of bytes of all files, for deciding which layer to write first.
    pub(crate) fn weight(&self) -> u64 {
        let size = |planned: &Planned| match &planned.node.body {
            Body::File(file) if planned.link.is_none() => file.size,
            _ => 0,
        };
        self.entries.iter().map(size).sum()
    }
}

impl Planned {
    /// The entry as it is remembered; `offset` is where a file's bytes begin in the layer.
    pub(crate) fn entry(&self, offset: u64) -> Entry {
        let node = &self.node;
        let kind = match (&self.link, &node.body) {
            (Some(target), _) => Kind::Hardlink { target: target.clone() },
            (None, Body::Dir) => Kind::Dir,
            (None, Body::File(file)) => Kind::File { size: file.size, digest: file.digest, offset },
            (None, Body::Symlink { target }) => Kind::Symlink { target: target.clone() },
            (None, Body::Fifo) => Kind::Fifo,
            (None, &Body::Device { block, major, minor }) => Kind::Device { block, major, minor },
        };
        let (mode, uid, gid, mtime) = (node.mode, node.uid, node.gid, node.mtime);
        Entry { path: self.path.clone(), kind, mode, uid, gid, mtime, xattrs: node.xattrs.clone() }
    }
}

/// Feeds an entry to the key. Every text is preceded by its length, so that no two lists of entries look alike.
fn hash(planned: &Planned, hasher: &mut Hasher) {
    let mut text = |text: &[u8]| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text);
    };
    let node = &planned.node;
    text(planned.path.as_bytes());
    match (&planned.link, &node.body) {
        (Some(target), _) => {
            text(b"hardlink");
            text(target.as_bytes());
        }
        (None, Body::Dir) => text(b"dir"),
        (None, Body::File(file)) => {
            text(b"file");
            text(&file.size.to_le_bytes());
            text(file.digest.as_bytes());
        }
        (None, Body::Symlink { target }) => {
            text(b"symlink");
            text(target.as_bytes());
        }
        (None, Body::Fifo) => text(b"fifo"),
        (None, Body::Device { block, major, minor }) => {
            text(if *block { b"block" } else { b"char" });
            text(&major.to_le_bytes());
            text(&minor.to_le_bytes());
        }
    }
    for number in [node.mode, node.uid, node.gid] {
        text(&number.to_le_bytes());
    }
    text(&node.mtime.to_le_bytes());
    text(&(node.xattrs.iter().count() as u64).to_le_bytes());
    for (name, value) in node.xattrs.iter() {
        text(name.as_bytes());
        text(value);
    }
}
