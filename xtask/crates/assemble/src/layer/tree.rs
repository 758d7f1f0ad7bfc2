//! The files of an image, without their bytes: what a container of it would see.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    sync::Arc,
};

use blob::Digest;

use super::entry::{Entry, Kind, Xattrs};
use crate::{
    archive::Archive,
    error::{Error, Result},
    path::{is_whiteout, join, name, parent},
    source::{Content, Promise, Reader},
};

/// How many symbolic links are followed on the way to one file; Linux itself follows 40.
const MAX_LINKS: usize = 255;

/// The entries of a file system below its root, by path (`usr/bin/java`), sorted.
///
/// The root itself is not among them. Two paths that share one `Arc` are hard links to one file.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    nodes: BTreeMap<String, Arc<Node>>,
}

/// One file, directory, link or device.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it is.
    pub body: Body,
    /// The lower twelve bits: permissions, setuid, setgid, sticky.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// When it was changed, in seconds since 1970.
    pub mtime: i64,
    /// Extended attributes, `security.capability` for instance.
    pub xattrs: Xattrs,
}

/// What a node is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Body {
    /// A directory.
    Dir,
    /// A regular file.
    File(FileBody),
    /// A symbolic link to a path that need not exist.
    Symlink {
        /// The path, as it is written in the link.
        target: String,
    },
    /// A named pipe.
    Fifo,
    /// A device.
    Device {
        /// Whether it is a block device; else it is a character device.
        block: bool,
        /// The device's major number.
        major: u32,
        /// The device's minor number.
        minor: u32,
    },
}

/// A regular file.
#[derive(Debug, Clone)]
pub struct FileBody {
    /// In bytes.
    pub size: u64,
    /// The digest of its bytes.
    pub digest: Digest,
    pub(crate) content: Content,
}

impl Body {
    /// What an entry of an archive is. A hard link is another name of something else: then its target is the error.
    pub(crate) fn of(kind: Kind, archive: &Arc<Archive>) -> Result<Self, String> {
        Ok(match kind {
            Kind::Dir => Self::Dir,
            Kind::File { size, digest, offset } => {
                let content = Content::Member { archive: archive.clone(), offset };
                Self::File(FileBody { size, digest, content })
            }
            Kind::Symlink { target } => Self::Symlink { target },
            Kind::Fifo => Self::Fifo,
            Kind::Device { block, major, minor } => Self::Device { block, major, minor },
            Kind::Hardlink { target } => return Err(target),
        })
    }
}

impl FileBody {
    /// The bytes of the file, compared with its digest.
    ///
    /// # Errors
    /// It is larger than `limit`, cannot be read, or has other bytes than it should.
    pub fn bytes(&self, limit: u64) -> Result<Vec<u8>> {
        let name = self.content.to_string();
        if self.size > limit {
            let reason = io::Error::other(format!("expected at most {limit} bytes, found {}", self.size));
            return Err(Error::io("reading", name)(reason));
        }
        let mut bytes = Vec::new();
        Reader::default().read(&name, &self.content, self.promise(), &mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn promise(&self) -> Promise {
        Promise { digest: self.digest, size: self.size }
    }
}

impl Node {
    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        matches!(self.body, Body::Dir)
    }

    /// A directory with mode 0755 that belongs to root.
    pub(crate) fn dir(mtime: i64) -> Self {
        Self { body: Body::Dir, mode: 0o755, uid: 0, gid: 0, mtime, xattrs: Xattrs::default() }
    }
}

/// Why a path cannot be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unresolved {
    /// Too many symbolic links, most likely a circle of them.
    Loop,
    /// It leads above the root.
    Escape,
}

/// What `..` at the root means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtRoot {
    /// The root itself, as everywhere in Unix.
    Stay,
    /// A fault: a context's root is not the root of anything.
    Refuse,
}

impl Tree {
    /// What lies at `path`, which is written without a slash at its beginning; links are not followed.
    pub fn get(&self, path: &str) -> Option<&Node> {
        self.nodes.get(path).map(|node| &**node)
    }

    /// What lies at the end of `path` when all symbolic links are followed, seen from the root of the tree.
    /// The path may begin with a slash.
    pub fn follow(&self, path: &str) -> Option<&Node> {
        let path = self.resolve(path, true, AtRoot::Stay).ok()?;
        self.get(&path)
    }

    /// All entries, sorted by path: a directory comes before what is in it.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_str(), &**node))
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is nothing but the root.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    pub(crate) fn node(&self, path: &str) -> Option<&Arc<Node>> {
        self.nodes.get(path)
    }

    /// Whether a directory lies at `path`; the root is one.
    pub(crate) fn is_dir(&self, path: &str) -> bool {
        path.is_empty() || self.get(path).is_some_and(Node::is_dir)
    }

    /// Everything below `path`, sorted, by full path.
    pub(crate) fn below(&self, path: &str) -> impl Iterator<Item = (&String, &Arc<Node>)> {
        let (from, to) = if path.is_empty() {
            (String::new(), None)
        } else {
            // `0` is the character after `/`.
            (format!("{path}/"), Some(format!("{path}0")))
        };
        self.nodes.range(from..).take_while(move |(other, _)| to.as_ref().is_none_or(|to| *other < to))
    }

    /// Puts a node at a path. A directory at a directory's place keeps what is in it; else what was there goes.
    pub(crate) fn insert(&mut self, path: String, node: Arc<Node>) {
        if !node.is_dir() {
            self.remove_below(&path);
        }
        self.nodes.insert(path, node);
    }

    fn remove(&mut self, path: &str) {
        self.remove_below(path);
        self.nodes.remove(path);
    }

    fn remove_below(&mut self, path: &str) {
        let gone: Vec<String> = self.below(path).map(|(path, _)| path.clone()).collect();
        for path in gone {
            self.nodes.remove(&path);
        }
    }

    /// The path without symbolic links that `path` leads to. What does not exist is taken as it is written.
    ///
    /// With `last` the last part is followed as well, if it is a link.
    pub(crate) fn resolve(&self, path: &str, last: bool, at_root: AtRoot) -> Result<String, Unresolved> {
        let mut done: Vec<String> = Vec::new();
        let mut todo: Vec<String> = parts(path);
        let mut links = 0;
        while let Some(part) = todo.pop() {
            if part == ".." {
                if done.pop().is_none() && at_root == AtRoot::Refuse {
                    return Err(Unresolved::Escape);
                }
                continue;
            }
            done.push(part);
            if todo.is_empty() && !last {
                break;
            }
            if let Some(Body::Symlink { target }) = self.get(&done.join("/")).map(|node| &node.body) {
                links += 1;
                if links > MAX_LINKS {
                    return Err(Unresolved::Loop);
                }
                done.pop();
                if target.starts_with('/') {
                    done.clear();
                }
                todo.extend(parts(target));
            }
        }
        Ok(done.join("/"))
    }

    /// Applies a layer on top, as <https://github.com/opencontainers/image-spec/blob/main/layer.md> says.
    pub(crate) fn apply(&mut self, entries: Vec<Entry>, archive: &Arc<Archive>) -> Result<(), String> {
        // Whiteouts hide what lower layers hold, never what this layer brings, wherever in it they stand.
        for entry in &entries {
            let folder = parent(&entry.path);
            match name(&entry.path).strip_prefix(".wh.") {
                Some(".wh..opq") => self.remove_below(folder),
                // Other names that begin so are a union file system's own.
                Some(hidden) if !hidden.starts_with(".wh.") => self.remove(&join(folder, hidden)),
                _ => {}
            }
        }
        // Hard links name a path of the same layer; what lay there when the layer was made is what is meant.
        let mut first: HashMap<String, Arc<Node>> = HashMap::new();
        for Entry { path, kind, mode, uid, gid, mtime, xattrs } in entries {
            if path.is_empty() || is_whiteout(&path) {
                continue;
            }
            let body = match Body::of(kind, archive) {
                Ok(body) => body,
                Err(target) => {
                    let node = first.get(&target).or_else(|| self.node(&target)).cloned();
                    let node =
                        node.ok_or_else(|| format!("`{path}` is a hard link to `{target}`, which is not there"))?;
                    self.insert(path, node);
                    continue;
                }
            };
            let node = Arc::new(Node { body, mode, uid, gid, mtime, xattrs });
            first.insert(path.clone(), node.clone());
            self.insert(path, node);
        }
        Ok(())
    }
}

/// The parts of a path, last first.
fn parts(path: &str) -> Vec<String> {
    path.rsplit('/').filter(|part| !matches!(*part, "" | ".")).map(str::to_owned).collect()
}
