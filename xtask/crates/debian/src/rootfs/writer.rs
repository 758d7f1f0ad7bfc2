//! The tar that comes out: one epoch, numeric owners, each path once, each parent before its children.

use std::{
    collections::BTreeMap,
    io::{self, BufWriter, Read, Write},
};

use super::RootfsError;

/// Permissions and owner of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) mode: u32,
    pub(super) uid: u64,
    pub(super) gid: u64,
}

impl Meta {
    /// `root:root` with this mode.
    pub(super) fn root(mode: u32) -> Self {
        Self { mode, uid: 0, gid: 0 }
    }
}

/// What lies at a path that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    File,
    Link(String),
}

/// Writes the entries and knows what was written. Paths are relative to the root: `usr/bin/env`.
pub(super) struct Writer<W: Write> {
    tar: tar::Builder<BufWriter<W>>,
    epoch: u64,
    /// Each path with its kind and the package or part that brought it.
    paths: BTreeMap<String, (Kind, String)>,
    /// Directories that were left out, in case something beneath them is not.
    skipped: BTreeMap<String, Meta>,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(out: W, epoch: u64) -> Self {
        let tar = tar::Builder::new(BufWriter::with_capacity(256 * 1024, out));
        Self { tar, epoch, paths: BTreeMap::new(), skipped: BTreeMap::new() }
    }

    /// What lies at `path`.
    pub(super) fn kind(&self, path: &str) -> Option<&Kind> {
        self.paths.get(path).map(|(kind, _)| kind)
    }

    /// Number of entries written.
    pub(super) fn len(&self) -> usize {
        self.paths.len()
    }

    /// Remembers a directory that is left out unless something lies beneath it.
    pub(super) fn skip_directory(&mut self, path: &str, meta: Meta) {
        self.skipped.entry(path.to_owned()).or_insert(meta);
    }

    /// Writes a directory; the first one to come decides on mode and owner, as with dpkg.
    pub(super) fn directory(&mut self, path: &str, meta: Meta, by: &str) -> Result<(), RootfsError> {
        match self.paths.get(path) {
            // A link to a directory stands for one: dpkg keeps it.
            Some((Kind::Directory | Kind::Link(_), _)) => return Ok(()),
            Some((Kind::File, first)) => return Err(occupied(path, first, by)),
            None => {}
        }
        self.claim(path, Kind::Directory, by)?;
        let mut header = self.header(tar::EntryType::Directory, meta, 0);
        self.tar.append_data(&mut header, format!("{path}/"), io::empty()).map_err(RootfsError::Write)
    }

    /// Writes a file of `size` bytes.
    pub(super) fn file(
        &mut self,
        path: &str,
        meta: Meta,
        size: u64,
        content: &mut dyn Read,
        by: &str,
    ) -> Result<(), RootfsError> {
        self.claim(path, Kind::File, by)?;
        let mut header = self.header(tar::EntryType::Regular, meta, size);
        self.tar.append_data(&mut header, path, content).map_err(RootfsError::Write)
    }

    /// Writes a symbolic link.
    pub(super) fn link(&mut self, path: &str, target: &str, by: &str) -> Result<(), RootfsError> {
        self.claim(path, Kind::Link(target.to_owned()), by)?;
        let mut header = self.header(tar::EntryType::Symlink, Meta::root(0o777), 0);
        self.tar.append_link(&mut header, path, target).map_err(RootfsError::Write)
    }

    /// Writes a further name of a file that was written before.
    pub(super) fn hard_link(&mut self, path: &str, target: &str, meta: Meta, by: &str) -> Result<(), RootfsError> {
        if self.kind(target) != Some(&Kind::File) {
            return Err(RootfsError::HardLink { path: path.to_owned(), target: target.to_owned(), by: by.to_owned() });
        }
        self.claim(path, Kind::File, by)?;
        let mut header = self.header(tar::EntryType::Link, meta, 0);
        self.tar.append_link(&mut header, path, target).map_err(RootfsError::Write)
    }

    /// Ends the archive. Returns the number of its entries.
    pub(super) fn finish(self) -> Result<usize, RootfsError> {
        let entries = self.len();
        let mut buffer = self.tar.into_inner().map_err(RootfsError::Write)?;
        buffer.flush().map_err(RootfsError::Write)?;
        Ok(entries)
    }

    /// Takes the path for `by`, writing the directories above it that are not there yet.
    fn claim(&mut self, path: &str, kind: Kind, by: &str) -> Result<(), RootfsError> {
        if let Some((_, first)) = self.paths.get(path) {
            return Err(occupied(path, first, by));
        }
        if let Some((parent, _)) = path.rsplit_once('/') {
            match self.paths.get(parent) {
                Some((Kind::Directory, _)) => {}
                Some((_, first)) => return Err(occupied(parent, first, by)),
                None => {
                    let meta = self.skipped.get(parent).copied().unwrap_or(Meta::root(0o755));
                    self.directory(parent, meta, by)?;
                }
            }
        }
        self.paths.insert(path.to_owned(), (kind, by.to_owned()));
        Ok(())
    }

    fn header(&self, kind: tar::EntryType, meta: Meta, size: u64) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(meta.mode);
        header.set_uid(meta.uid);
        header.set_gid(meta.gid);
        header.set_mtime(self.epoch);
        header.set_size(size);
        header
    }
}

fn occupied(path: &str, first: &str, second: &str) -> RootfsError {
    RootfsError::Occupied { path: path.to_owned(), first: first.to_owned(), second: second.to_owned() }
}
