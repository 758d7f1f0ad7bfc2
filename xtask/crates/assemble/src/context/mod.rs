//! Staged contexts: what COPY and ADD can see, as a list instead of a folder.
//!
//! The bytes of a file are read from where they lie when a layer is written; its digest is known before that. Owners are
//! root, modes are 0644 and 0755, and the time of everything is the build's epoch, so that a context says the same on
//! every machine. For other engines it can be made into a real folder.

mod ignore;
mod materialize;

use std::{
    collections::{BTreeMap, btree_map},
    sync::Arc,
};

use blob::{Digest, Hasher};

pub use ignore::Ignore;
pub use materialize::materialize;

use crate::{
    error::{Error, Result},
    layer::{
        entry::Xattrs,
        tree::{Body, FileBody, Node, Tree},
    },
    path::{is_whiteout, parent, relative},
    source::{Content, Source},
};

/// One thing in a context.
#[derive(Debug, Clone)]
pub enum Entry {
    /// A directory, mode 0755.
    Dir,
    /// A symbolic link.
    Symlink {
        /// What it says; it need not exist.
        target: String,
    },
    /// A regular file.
    File(FileEntry),
}

/// A regular file of a context.
#[derive(Debug, Clone)]
pub struct FileEntry {
    /// Mode 0755 if so, else 0644.
    pub executable: bool,
    /// In bytes.
    pub size: u64,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Where its bytes lie.
    pub source: Source,
}

impl Entry {
    /// A file whose bytes are in memory.
    pub fn bytes(executable: bool, bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        let (size, digest) = (bytes.len() as u64, Digest::of(&bytes));
        Self::File(FileEntry { executable, size, digest, source: Source::Bytes(bytes) })
    }

    /// Whether two entries would look the same in an image. Where the bytes lie does not matter.
    fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dir, Self::Dir) => true,
            (Self::Symlink { target }, Self::Symlink { target: other }) => target == other,
            (Self::File(file), Self::File(other)) => {
                (file.executable, file.size, file.digest) == (other.executable, other.size, other.digest)
            }
            _ => false,
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Dir => "a directory",
            Self::Symlink { .. } => "a link",
            Self::File(_) => "a file",
        }
    }
}

/// Files, directories and links by relative path, sorted.
#[derive(Debug, Clone, Default)]
pub struct Context {
    entries: BTreeMap<String, Entry>,
}

impl Context {
    /// An empty context.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts something at a path. The directories on the way are made.
    ///
    /// # Errors
    /// The path is absolute, leaves the context, or has something else at or above it already. The same thing twice is
    /// no error.
    pub fn insert(&mut self, path: &str, entry: Entry) -> Result<()> {
        let error = |path: &str, reason: String| Error::Context { path: path.to_owned(), reason };
        if path.starts_with('/') {
            return Err(error(path, "is absolute; name it relative to the context".to_owned()));
        }
        if path.split('/').any(|part| part == "..") {
            return Err(error(path, "leaves the context; name it without `..`".to_owned()));
        }
        let clean = relative(path).unwrap_or_default();
        if clean.is_empty() {
            return Err(error(path, "names the context itself; name something in it".to_owned()));
        }
        if clean.split('/').any(is_whiteout) {
            return Err(error(path, "begins with `.wh.`, which means a missing file in a layer; rename it".to_owned()));
        }
        let mut above = parent(&clean);
        while !above.is_empty() {
            match self.entries.get(above) {
                None => {
                    self.entries.insert(above.to_owned(), Entry::Dir);
                }
                Some(Entry::Dir) => break,
                Some(other) => {
                    return Err(error(&clean, format!("cannot be put below `{above}`, which is {}", other.word())));
                }
            }
            above = parent(above);
        }
        match self.entries.entry(clean) {
            btree_map::Entry::Vacant(place) => {
                place.insert(entry);
            }
            btree_map::Entry::Occupied(place) if place.get().same(&entry) => {}
            btree_map::Entry::Occupied(place) => {
                let reason = match (place.get(), &entry) {
                    (Entry::File(old), Entry::File(new)) => {
                        format!("is put there twice, and not the same: first {}, then {}", shape(old), shape(new))
                    }
                    (old, new) => format!("is put there twice: first as {}, then as {}", old.word(), new.word()),
                };
                return Err(error(place.key(), reason));
            }
        }
        Ok(())
    }

    /// What is at a path.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// All entries, sorted by path: a directory comes before what is in it.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// The context without what a `.dockerignore` hides. Directories in which nothing is left stay if they are not
    /// hidden themselves.
    #[must_use]
    pub fn without(&self, ignore: &Ignore) -> Self {
        let mut kept = Self::new();
        for (path, entry) in &self.entries {
            if !ignore.hides(path) {
                // What is shown again below a hidden directory brings the directory back.
                let mut above = parent(path);
                while !above.is_empty() && !kept.entries.contains_key(above) {
                    kept.entries.insert(above.to_owned(), Entry::Dir);
                    above = parent(above);
                }
                kept.entries.insert(path.clone(), entry.clone());
            }
        }
        kept
    }

    /// The digest of all that an image could see of the context: paths, kinds, modes, sizes and digests.
    pub fn digest(&self) -> Digest {
        let mut hasher = Hasher::new();
        for (path, entry) in &self.entries {
            // No path holds a zero byte, and what follows one has a fixed form.
            let line = match entry {
                Entry::Dir => format!("dir {path}\0"),
                Entry::Symlink { target } => format!("link {path}\0{target}\0"),
                Entry::File(file) => format!("file {path}\0{} {} {}\0", file.executable, file.size, file.digest),
            };
            hasher.update(line.as_bytes());
        }
        hasher.finish().0
    }

    /// The context as COPY sees it.
    pub(crate) fn tree(&self, epoch: i64) -> Tree {
        let mut tree = Tree::default();
        for (path, entry) in &self.entries {
            let (body, mode) = match entry {
                Entry::Dir => (Body::Dir, 0o755),
                Entry::Symlink { target } => (Body::Symlink { target: target.clone() }, 0o777),
                Entry::File(file) => {
                    let content = Content::Source(file.source.clone());
                    let body = Body::File(FileBody { size: file.size, digest: file.digest, content });
                    (body, mode(file.executable))
                }
            };
            let node = Node { body, mode, uid: 0, gid: 0, mtime: epoch, xattrs: Xattrs::default() };
            tree.insert(path.clone(), Arc::new(node));
        }
        tree
    }
}

fn mode(executable: bool) -> u32 {
    if executable { 0o755 } else { 0o644 }
}

fn shape(file: &FileEntry) -> String {
    format!("{} (mode {:04o})", file.digest, mode(file.executable))
}

#[cfg(test)]
mod tests;
