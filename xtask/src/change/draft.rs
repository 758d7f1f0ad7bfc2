//! The second tree in which a change is prepared.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, ErrorKind, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
};

use anyhow::{Context as _, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{FlockOperation, flock};

use super::{Change, Changes, Content, journal};
use crate::workspace::Workspace;

/// Folders that are no part of what people write.
const LEFT_OUT: [&str; 2] = [".git", "target"];

/// The files of a checkout, to be changed at will. One at a time for each checkout; dropped, it is gone.
pub(crate) struct Draft {
    /// Where the draft, its journal and its lock lie.
    folder: Utf8PathBuf,
    original: Utf8PathBuf,
    files: BTreeSet<Utf8PathBuf>,
    // Closing the file ends the lock.
    _lock: File,
}

impl Draft {
    /// A draft of the checkout. What an earlier run was cut off in is completed before; `what` is the name of the change.
    ///
    /// # Errors
    /// Another draft of this checkout is open; a file cannot be read; an earlier run cannot be completed.
    pub(crate) fn of(workspace: &Workspace) -> Result<(Self, Option<String>)> {
        let folder = workspace.draft();
        fs::create_dir_all(&folder).with_context(|| format!("making {folder}"))?;
        let lock = File::create(folder.join("lock")).with_context(|| format!("making {folder}/lock"))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            bail!(
                "another command changes the files of this checkout: {folder} is locked\nrun this again when it has ended"
            );
        }
        let mut draft = Self { folder, original: workspace.root.clone(), files: BTreeSet::new(), _lock: lock };
        let completed = journal::complete(&draft.folder, &draft.original)?;
        draft.clear()?;
        draft.take(Utf8Path::new(""))?;
        Ok((draft, completed))
    }

    /// Where the draft's files lie.
    pub(crate) fn root(&self) -> Utf8PathBuf {
        self.folder.join("tree")
    }

    fn clear(&self) -> Result<()> {
        match fs::remove_dir_all(self.root()) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("removing {}", self.root()))
            }
            _ => Ok(()),
        }
    }

    /// Takes a folder of the checkout into the draft: by links, since whatever writes here gives files a new name.
    fn take(&mut self, relative: &Utf8Path) -> Result<()> {
        let (from, to) = (self.original.join(relative), self.root().join(relative));
        fs::create_dir_all(&to).with_context(|| format!("making {to}"))?;
        for entry in from.read_dir_utf8().with_context(|| format!("reading {from}"))? {
            let entry = entry.with_context(|| format!("reading {from}"))?;
            let (path, kind) = (relative.join(entry.file_name()), entry.file_type()?);
            let target = self.root().join(&path);
            let making = || format!("making {target}");
            if kind.is_dir() {
                let kept = !LEFT_OUT.contains(&entry.file_name()) && !entry.path().join("CACHEDIR.TAG").exists();
                if kept && *entry.path() != self.folder {
                    self.take(&path)?;
                }
            } else if kind.is_symlink() {
                symlink(entry.path().read_link_utf8().with_context(making)?, &target).with_context(making)?;
            } else if kind.is_file() {
                // Another file system, or a file of somebody else's.
                if fs::hard_link(entry.path(), &target).is_err() {
                    fs::copy(entry.path(), &target).with_context(making)?;
                }
                self.files.insert(path);
            }
        }
        Ok(())
    }

    /// The text of a file, if there is one.
    ///
    /// # Errors
    /// It cannot be read, or is not UTF-8.
    pub(crate) fn read(&self, path: &Utf8Path) -> Result<Option<String>> {
        let Some(content) = content(&self.root().join(path))? else { return Ok(None) };
        String::from_utf8(content.bytes).map(Some).with_context(|| format!("{path} is not UTF-8: save it as UTF-8"))
    }

    /// Gives a file a new content.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write(&self, path: &Utf8Path, content: &Content) -> Result<()> {
        write(&self.root().join(path), content).with_context(|| format!("writing {path}"))
    }

    /// Gives a file a new text; it stays executable if it was.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write_text(&self, path: &Utf8Path, text: &str) -> Result<()> {
        let executable = content(&self.root().join(path))?.is_some_and(|content| content.executable);
        self.write(path, &Content { bytes: text.into(), executable })
    }

    /// The files at or below `path` with their content, by path. A link among them is an error: what it means elsewhere
    /// nobody knows.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(crate) fn files(&self, path: &Utf8Path) -> Result<Vec<(Utf8PathBuf, Content)>> {
        let mut found = Vec::new();
        let mut open = vec![path.to_owned()];
        while let Some(path) = open.pop() {
            let full = self.root().join(&path);
            let Ok(metadata) = full.symlink_metadata() else { continue };
            if metadata.is_dir() {
                let entries = full.read_dir_utf8().with_context(|| format!("reading {path}"))?;
                for entry in entries {
                    open.push(path.join(entry.with_context(|| format!("reading {path}"))?.file_name()));
                }
            } else if let (true, Some(content)) = (metadata.is_file(), content(&full)?) {
                found.push((path, content));
            } else {
                bail!(
                    "{path} is a link, and links are not copied from one version to another\nput a file in its place"
                );
            }
        }
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(found)
    }

    /// Removes a file.
    ///
    /// # Errors
    /// It cannot be removed.
    pub(crate) fn remove(&self, path: &Utf8Path) -> Result<()> {
        fs::remove_file(self.root().join(path)).with_context(|| format!("removing {path}"))
    }

    /// What differs from the checkout.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(crate) fn changes(&self) -> Result<Changes> {
        let mut paths = self.files.clone();
        let mut open = vec![Utf8PathBuf::new()];
        while let Some(folder) = open.pop() {
            for entry in self.root().join(&folder).read_dir_utf8().with_context(|| format!("reading {folder}"))? {
                let entry = entry.with_context(|| format!("reading {folder}"))?;
                let path = folder.join(entry.file_name());
                match entry.file_type()? {
                    kind if kind.is_dir() => open.push(path),
                    kind if kind.is_file() => drop(paths.insert(path)),
                    _ => {}
                }
            }
        }
        let mut changes = Changes::default();
        for path in paths {
            let (old, new) = (self.original.join(&path), self.root().join(&path));
            let same = |old: fs::Metadata, new: fs::Metadata| (old.dev(), old.ino()) == (new.dev(), new.ino());
            if let (Ok(old), Ok(new)) = (old.metadata(), new.metadata())
                && same(old, new)
            {
                continue;
            }
            let change = Change { before: content(&old)?, after: content(&new)? };
            if change.before != change.after {
                changes.0.insert(path, change);
            }
        }
        Ok(changes)
    }

    /// Writes the change into the checkout. An error leaves it as it was; whoever is killed on the way has it completed by
    /// the next draft.
    ///
    /// # Errors
    /// A file was changed meanwhile, or cannot be written.
    pub(crate) fn apply(&self, what: &str, changes: &Changes) -> Result<()> {
        journal::apply(&self.folder, &self.original, what, changes)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Unless it is needed to complete what was begun.
        if !journal::is_open(&self.folder) {
            drop(self.clear());
        }
    }
}

/// A file, if there is one.
pub(crate) fn content(path: &Utf8Path) -> Result<Option<Content>> {
    let reading = || format!("reading {path}");
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(error).with_context(reading),
    };
    let executable = path.metadata().with_context(reading)?.permissions().mode() & 0o100 != 0;
    Ok(Some(Content { bytes, executable }))
}

/// Whether an error says that there is no such file; below a file there is none.
pub(super) fn is_absent(error: &io::Error) -> bool {
    [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind())
}

/// Writes a file whole, under its name or not at all.
pub(super) fn write(path: &Utf8Path, content: &Content) -> Result<()> {
    let folder = path.parent().context("a file without a folder")?;
    let mut pending = blob::Pending::new_in(folder)?;
    pending.write_all(&content.bytes)?;
    pending.commit(path, if content.executable { 0o755 } else { 0o644 })?;
    Ok(())
}
