//! Takes away what was found, and nothing that has taken its place since.
//!
//! Every name is looked at in its open folder right before it is removed. What is not the file that was shown stops the
//! run. What is already gone is no error: another run, or this one before it was killed, took it away.

use std::{
    ffi::OsStr,
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use rustix::{
    fs::{AtFlags, unlinkat},
    io::Errno,
};

use super::{
    shown,
    tree::{Entry, Found, Identity, Search, Tree, names, open_folder},
};

/// What was done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Removed {
    /// Files and links.
    pub(crate) files: usize,
    /// Whether everything is gone: a run that is told to stop leaves the rest to the next one.
    pub(crate) complete: bool,
}

/// Removes what was found and then the folders that are empty. Asks `stop` before each file.
///
/// # Errors
/// Something is not what was shown, or cannot be removed. What came before it is gone.
pub(crate) fn remove(tree: &Tree, search: &Search, stop: &dyn Fn() -> bool) -> Result<Removed> {
    let mut run = Run { stop, files: 0, stopped: false };
    for found in &search.found {
        run.found(tree, found)?;
    }
    for path in search.emptied.iter().filter(|_| !run.stopped) {
        emptied(tree, path)?;
    }
    Ok(Removed { files: run.files, complete: !run.stopped })
}

struct Run<'s> {
    stop: &'s dyn Fn() -> bool,
    files: usize,
    stopped: bool,
}

impl Run<'_> {
    fn found(&mut self, tree: &Tree, found: &Found) -> Result<()> {
        let mut folder = tree.folder(Path::new("")).context("opening the checkout")?;
        let mut path = PathBuf::new();
        let names: Vec<&OsStr> = found.path.iter().collect();
        let Some((last, above)) = names.split_last() else { return Ok(()) };
        for (name, shown_as) in above.iter().zip(&found.above) {
            path.push(name);
            let Some(()) = same(folder.as_fd(), name, shown_as, &path)? else { return Ok(()) };
            folder = open_folder(folder.as_fd(), name).with_context(|| changed(&path))?;
        }
        self.entry(folder.as_fd(), last, &found.entry, &found.path)
    }

    fn entry(&mut self, folder: BorrowedFd<'_>, name: &OsStr, entry: &Entry, path: &Path) -> Result<()> {
        self.stopped = self.stopped || (self.stop)();
        if self.stopped {
            return Ok(());
        }
        let Some(()) = same(folder, name, &entry.identity, path)? else { return Ok(()) };
        if !entry.identity.kind.is_dir() {
            take(folder, name, AtFlags::empty(), path)?;
            self.files += 1;
            return Ok(());
        }
        let below = open_folder(folder, name).with_context(|| changed(path))?;
        // Opened by its name once more: it must be the one that was looked at.
        let Some(()) = same(below.as_fd(), OsStr::new("."), &entry.identity, path)? else { return Ok(()) };
        let there = names(below.as_fd()).with_context(|| format!("reading {}", shown(path)))?;
        if let Some(new) = there.iter().find(|name| !entry.children.contains_key(*name)) {
            bail!(
                "{} was not there when it was shown: it was left, and so was all that follows",
                shown(&path.join(new))
            );
        }
        for (name, entry) in &entry.children {
            self.entry(below.as_fd(), name, entry, &path.join(name))?;
        }
        if self.stopped { Ok(()) } else { take(folder, name, AtFlags::REMOVEDIR, path) }
    }
}

/// A folder in which nothing should be left. If something is, somebody has put it there, and the folder stays.
fn emptied(tree: &Tree, path: &Path) -> Result<()> {
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let folder = match tree.folder(above) {
        Ok(folder) => folder,
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("opening {}", shown(above))),
    };
    match unlinkat(&folder, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT | Errno::NOTDIR | Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("removing the empty folder {}", shown(path))),
    }
}

/// Compares what bears this name now with what was shown. Nothing, if it is gone.
fn same(folder: BorrowedFd<'_>, name: &OsStr, expected: &Identity, path: &Path) -> Result<Option<()>> {
    match Identity::at(folder, name) {
        Ok(found) if found == *expected => Ok(Some(())),
        Ok(_) => bail!(changed(path)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("looking at {}", shown(path))),
    }
}

fn changed(path: &Path) -> String {
    format!("{} is not what was shown: it was left, and so was all that follows", shown(path))
}

fn take(folder: BorrowedFd<'_>, name: &OsStr, flags: AtFlags, path: &Path) -> Result<()> {
    match unlinkat(folder, name, flags) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("removing {}", shown(path))),
    }
}
