//! What a command changed: from the upper folder of an overlay to a planned layer.
//!
//! Overlayfs leaves more than what changed (every folder on the way, every file that was opened for writing), and says in
//! its own ways what is gone. A layer says it in OCI's: `.wh.name`, `.wh..wh..opq`. What looks as it did is left out,
//! unless something that changed needs it: a folder what is in it, a file its second name.

mod record;
mod upper;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fs::File,
    os::unix::fs::{FileTypeExt, MetadataExt},
    sync::Arc,
};

use blob::{Digest, hash_reader};
use camino::Utf8Path;

use crate::{
    error::{Error, Result},
    layer::{
        entry::Xattrs,
        plan::{Plan, Planned},
        tree::{Body, FileBody, Node, Tree},
    },
    path::{join, name, parent},
    source::{Content, Source},
};

use record::Records;
use upper::{Found, What};

/// Whose the files in the upper folder are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owners {
    /// The owners that they have on the disk.
    Real,
    /// One user was mapped. What is new belongs to him; what was there belongs to whom its layer says.
    All {
        /// The user.
        uid: u32,
        /// His group.
        gid: u32,
    },
}

/// What a command changed.
pub(crate) struct Changes {
    pub(crate) plan: Plan,
    /// Paths whose owner or set-id bits the command may have wanted to change and could not, since it did not see them.
    pub(crate) kept: Vec<String>,
}

impl Changes {
    /// Reads the upper folder of a command that ran on `below`.
    ///
    /// # Errors
    /// Something in it cannot be in an image; the inner error says what.
    pub(crate) fn read(upper: &Utf8Path, below: &Tree, owners: Owners, epoch: i64) -> Result<Result<Self, String>> {
        let found = match upper::walk(upper, owners != Owners::Real)? {
            Ok(found) => found,
            Err(refused) => return Ok(Err(refused)),
        };
        let mut reading = Reading { below, owners, epoch, bodies: HashMap::new(), nodes: BTreeMap::new() };
        for (path, found) in &found {
            if let Err(refused) = reading.body(path, found)? {
                return Ok(Err(refused));
            }
        }
        Ok(Ok(reading.finish(&found)))
    }
}

struct Reading<'r> {
    below: &'r Tree,
    owners: Owners,
    epoch: i64,
    /// By inode: what has several names is read once.
    bodies: HashMap<u64, Body>,
    nodes: BTreeMap<String, Body>,
}

impl Reading<'_> {
    /// Finds out what an entry is.
    fn body(&mut self, path: &str, found: &Found) -> Result<Result<(), String>> {
        if found.what == What::Whiteout {
            return Ok(Ok(()));
        }
        let (meta, at) = (&found.meta, &found.at);
        if let Some(body) = self.bodies.get(&meta.ino()).filter(|_| meta.nlink() > 1) {
            self.nodes.insert(path.to_owned(), body.clone());
            return Ok(Ok(()));
        }
        let kind = meta.file_type();
        let body = if kind.is_dir() {
            Body::Dir
        } else if kind.is_file() {
            let (digest, size) = File::open(at).and_then(hash_reader).map_err(Error::io("reading", at))?;
            Body::File(FileBody { size, digest, content: Content::Source(Source::Path(at.clone())) })
        } else if kind.is_symlink() {
            let target = std::fs::read_link(at).map_err(Error::io("reading", at))?;
            match target.into_os_string().into_string() {
                Ok(target) => Body::Symlink { target },
                Err(other) => {
                    let text = other.to_string_lossy().into_owned();
                    return Ok(Err(format!("it made the link `/{path}` to `{text}`, which is not UTF-8; rename it")));
                }
            }
        } else if kind.is_fifo() {
            Body::Fifo
        } else {
            let kind = if kind.is_block_device() { "block" } else { "character" };
            return Ok(Err(format!("it made the {kind} device `/{path}`, which no image here may hold; remove it")));
        };
        if meta.nlink() > 1 && !kind.is_dir() {
            self.bodies.insert(meta.ino(), body.clone());
        }
        self.nodes.insert(path.to_owned(), body);
        Ok(Ok(()))
    }

    fn finish(self, found: &BTreeMap<String, Found>) -> Changes {
        let records = Records::new(self.below, found, &self.nodes);
        let mut groups: HashMap<u64, Arc<Node>> = HashMap::new();
        let mut nodes: BTreeMap<&str, Arc<Node>> = BTreeMap::new();
        let mut kept = Vec::new();
        // What a name of a file was is known by the name that was there, which need not be the first.
        let known_first = |(path, found): &(&String, &Found)| (self.lower(path, found).is_none(), (*path).clone());
        let mut order: Vec<_> = found.iter().collect();
        order.sort_by_cached_key(known_first);
        for (path, entry) in order {
            let Some(body) = self.nodes.get(path) else { continue };
            let several = entry.meta.nlink() > 1 && !entry.meta.is_dir();
            if let Some(node) = groups.get(&entry.meta.ino()).filter(|_| several) {
                nodes.insert(path, node.clone());
                continue;
            }
            let node = Arc::new(self.node(path, entry, body, &records, &nodes));
            if several {
                groups.insert(entry.meta.ino(), node.clone());
            }
            nodes.insert(path, node);
        }
        let mut needed = BTreeSet::new();
        let mut changed_groups = HashSet::new();
        for (path, node) in &nodes {
            let entry = &found[*path];
            let lower = self.lower(path, entry);
            let same = lower.is_some_and(|lower| looks_same(lower, node, &entry.meta)) && !entry.opaque;
            if !same {
                need(path, &mut needed);
                changed_groups.insert(Arc::as_ptr(node));
            } else if let (Owners::All { uid, gid }, false) = (self.owners, node.is_dir())
                && ((node.uid, node.gid) != (uid, gid) || node.mode & 0o6000 != 0)
            {
                kept.push((*path).to_owned());
            }
        }
        // A file that got a second name is in the layer under both.
        for (path, node) in &nodes {
            if !node.is_dir() && changed_groups.contains(&Arc::as_ptr(node)) {
                need(path, &mut needed);
            }
        }
        let mut entries = self.whiteouts(found, &mut needed);
        let mut first: HashMap<*const Node, String> = HashMap::new();
        for path in &needed {
            let Some(node) = nodes.get(path.as_str()) else { continue };
            let link = first.get(&Arc::as_ptr(node)).filter(|_| matches!(node.body, Body::File(_))).cloned();
            first.entry(Arc::as_ptr(node)).or_insert_with(|| path.clone());
            entries.push(Planned { path: path.clone(), node: node.clone(), link });
        }
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Changes { plan: Plan::of(entries), kept }
    }

    /// What lay at a path before the command ran, unless it is certainly something else that lies there now.
    fn lower(&self, path: &str, found: &Found) -> Option<&Arc<Node>> {
        if found.hidden { None } else { self.below.node(path) }
    }

    /// The whiteouts of the layer. Folders that they lie in become needed.
    fn whiteouts(&self, found: &BTreeMap<String, Found>, needed: &mut BTreeSet<String>) -> Vec<Planned> {
        let body = FileBody { size: 0, digest: Digest::of(b""), content: Content::Source(Source::Bytes([].into())) };
        let node = Node { body: Body::File(body), mode: 0, ..Node::dir(self.epoch) };
        let mut entries = Vec::new();
        for (path, entry) in found {
            let marker = match entry.what {
                // Of what a mount needed and no layer has, overlayfs may say that it is gone.
                What::Whiteout if self.lower(path, entry).is_some() => {
                    join(parent(path), &format!(".wh.{}", name(path)))
                }
                What::Entry if entry.opaque && !entry.hidden && self.below.below(path).next().is_some() => {
                    join(path, ".wh..wh..opq")
                }
                _ => continue,
            };
            need(parent(&marker), needed);
            entries.push(Planned { path: marker, node: Arc::new(node.clone()), link: None });
        }
        entries
    }

    fn node(
        &self,
        path: &str,
        found: &Found,
        body: &Body,
        records: &Records<'_>,
        done: &BTreeMap<&str, Arc<Node>>,
    ) -> Node {
        let meta = &found.meta;
        let mut node = Node {
            body: body.clone(),
            mode: meta.mode() & 0o7777,
            uid: meta.uid(),
            gid: meta.gid(),
            mtime: meta.mtime().clamp(0, self.epoch.max(0)),
            xattrs: found.xattrs.clone(),
        };
        let record = self.lower(path, found).filter(|lower| records.is_same_file(found, lower, body));
        let record = record.or_else(|| records.moved(found, body));
        if let Owners::All { uid, gid } = self.owners {
            (node.uid, node.gid) = (uid, gid);
            match record {
                Some(record) => {
                    (node.uid, node.gid) = (record.uid, record.gid);
                    // Unpacked for an ordinary user it lacked bits, and folders were open to him.
                    let open = if node.is_dir() { 0o700 } else { 0 };
                    if node.mode == record.mode & 0o1777 | open {
                        node.mode = record.mode;
                    }
                }
                // The folder had no set-gid bit on the disk that would have done this.
                None => {
                    let folder = parent(path);
                    let folder = done.get(folder).or_else(|| self.below.node(folder));
                    if let Some(folder) = folder.filter(|folder| folder.mode & 0o2000 != 0) {
                        node.gid = folder.gid;
                        node.mode |= if node.is_dir() { 0o2000 } else { 0 };
                    }
                }
            }
        }
        if let Some(record) = record {
            keep_xattrs(&mut node, record);
        }
        if matches!(node.body, Body::Symlink { .. }) {
            node.mode = 0o777;
        }
        node
    }
}

/// Attributes are not unpacked, so that a copy of a file lacks those it had. What the kernel takes from a file that is
/// written to, or given away, is gone in an image too.
fn keep_xattrs(node: &mut Node, record: &Node) {
    let same = match (&node.body, &record.body) {
        (Body::File(now), Body::File(then)) => {
            now.digest == then.digest && (node.uid, node.gid) == (record.uid, record.gid)
        }
        (Body::Dir, Body::Dir) => true,
        _ => false,
    };
    let mut xattrs = Xattrs::default();
    for (name, value) in record.xattrs.iter().filter(|(name, _)| same || !name.starts_with("security.")) {
        xattrs.insert(name.to_owned(), value.to_vec());
    }
    for (name, value) in node.xattrs.iter() {
        xattrs.insert(name.to_owned(), value.to_vec());
    }
    node.xattrs = xattrs;
}

/// Whether an entry is as it was.
fn looks_same(lower: &Node, node: &Node, meta: &std::fs::Metadata) -> bool {
    let same_body = match (&lower.body, &node.body) {
        (Body::Dir, Body::Dir) | (Body::Fifo, Body::Fifo) => true,
        (Body::File(then), Body::File(now)) => (then.size, then.digest) == (now.size, now.digest),
        (Body::Symlink { target: then }, Body::Symlink { target: now }) => then == now,
        _ => false,
    };
    let own = |node: &Node| (node.mode, node.uid, node.gid);
    let is_link = matches!(node.body, Body::Symlink { .. });
    same_body
        && (own(lower) == own(node) || is_link && (lower.uid, lower.gid) == (node.uid, node.gid))
        && lower.xattrs == node.xattrs
        && (lower.mtime == meta.mtime() || lower.mtime == node.mtime)
}

/// Adds a path and the folders above it.
fn need(path: &str, needed: &mut BTreeSet<String>) {
    let mut path = path;
    while !path.is_empty() && needed.insert(path.to_owned()) {
        path = parent(path);
    }
}
