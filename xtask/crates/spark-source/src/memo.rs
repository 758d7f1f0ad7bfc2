//! What was true of a tree when it was last read, so that only what changed is read again.
//!
//! A file counts as unchanged if its size, both times and its inode are as they were, and it was left alone for some
//! time when the memo was made. The second is git's rule against files that are "racily clean": a file that is written
//! twice within one tick of the file system's clock has the same times before and after.

use std::{
    ffi::CStr,
    fs,
    os::fd::{AsFd as _, BorrowedFd},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use blob::Digest;
use camino::Utf8Path;
use rustix::fs::{AtFlags, Mode, OFlags};

use self::format::{Folder, View};
use crate::{
    Error, Identity,
    identity::{self, Entry, Stat},
    listing::{self, Listing},
};

mod format;

/// How long before the memo was begun a file must have been left alone, in nanoseconds. It covers clocks with a step of
/// up to two seconds, which FAT and some network file systems have.
const SETTLED: i64 = 2_000_000_000;

/// Up to so many files of a folder are looked up from the root of the tree; opening the folder costs as much as some ten
/// of them.
const FEW: usize = 12;

/// A path and what stood there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    path: String,
    stat: Stat,
}

/// What is remembered of a tree.
#[derive(Debug, PartialEq, Eq)]
struct Memo {
    /// The tree, and the environment in which git was asked.
    of: String,
    /// Nanoseconds since 1970 at which its making began.
    begun: i64,
    identity: Identity,
    folders: Vec<Seen>,
    watched: Vec<Seen>,
    files: Vec<Entry>,
}

/// The identity of the tree at `root`, with what the memo at `path` knows, which is brought up to date.
pub(crate) fn identity(root: &Utf8Path, path: &Utf8Path, now: SystemTime) -> Result<Identity, Error> {
    let of = format!("{root}\n{}", listing::environment());
    // Whatever changes from here on is read again the next time.
    let begun = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let begun = i64::try_from(begun.as_nanos()).unwrap_or(i64::MAX);
    let bytes = fs::read(path).unwrap_or_default();
    let known = View::of(&bytes).filter(|view| view.of == of);
    let known = match known {
        Some(view) if view.holds(root) => return Ok(view.identity),
        known => known.and_then(|view| view.to_memo()).unwrap_or_else(Memo::of_nothing),
    };
    let memo = known.brought_up_to_date(root, of, begun)?;
    blob::write(path, &memo.to_bytes()).map_err(Error::io("writing", path))?;
    Ok(memo.identity)
}

impl Memo {
    fn of_nothing() -> Self {
        let identity = Identity { digest: Digest::of(b""), files: 0, bytes: 0 };
        Self { of: String::new(), begun: 0, identity, folders: vec![], watched: vec![], files: vec![] }
    }

    fn brought_up_to_date(mut self, root: &Utf8Path, of: String, begun: i64) -> Result<Self, Error> {
        let paths = if self.lists(root) {
            self.files.iter().map(|entry| entry.path.clone()).collect()
        } else {
            let Listing { files, folders, watched } = listing::list(root)?;
            let folders = folders.into_iter().map(|path| Seen { stat: Stat::at(root.join(&path).as_str()), path });
            self.folders = folders.collect();
            let watched = watched.into_iter().map(|path| Seen { stat: Stat::behind(path.as_str()), path: path.into() });
            self.watched = watched.collect();
            files
        };
        let files = self.entries(root, &paths)?;
        Ok(Self { of, begun, identity: Identity::of(&files), files, ..self })
    }

    /// What the files are: from this memo where it still holds, and read where not.
    fn entries(&self, root: &Utf8Path, paths: &[String]) -> Result<Vec<Entry>, Error> {
        let is_known = |path: &str| {
            let entry = &self.files[self.files.binary_search_by(|entry| entry.path.as_str().cmp(path)).ok()?];
            self.is_settled(&entry.stat, Stat::at(root.join(path).as_str())).then_some(entry)
        };
        let (mut entries, mut unknown) = (Vec::with_capacity(paths.len()), Vec::new());
        for path in paths {
            match is_known(path) {
                Some(entry) => entries.push(entry.clone()),
                None => unknown.push(path.as_str()),
            }
        }
        entries.extend(identity::read_all(root, &unknown)?);
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    fn is_settled(&self, was: &Stat, is: Stat) -> bool {
        is_settled(self.begun, was, is)
    }

    /// Whether the list of files is still right.
    fn lists(&self, root: &Utf8Path) -> bool {
        let at = |path: &str| Stat::at(root.join(path).as_str());
        let mut ignores = self.files.iter().filter(|entry| listing::is_gitignore(&entry.path));
        !self.folders.is_empty()
            && self.watched.iter().all(|seen| self.is_settled(&seen.stat, Stat::behind(&seen.path)))
            && ignores.all(|entry| self.is_settled(&entry.stat, at(&entry.path)))
            && self.folders.iter().all(|seen| self.is_settled(&seen.stat, at(&seen.path)))
    }
}

/// Whether what was there when a memo was begun is still there, and had been for some time.
fn is_settled(begun: i64, was: &Stat, is: Stat) -> bool {
    *was == is && was.modified.max(was.changed) < begun.saturating_sub(SETTLED)
}

impl View<'_> {
    /// Whether all of it is still right. This is the way of every build with nothing to do. The time goes into the
    /// kernel's looking up of paths: a large folder is opened, then, and its files looked up in it; all on
    /// several processors.
    fn holds(&self, root: &Utf8Path) -> bool {
        let Ok(root) =
            rustix::fs::open(root.as_str(), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        else {
            return false;
        };
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(folder) = self.folders.get(next.fetch_add(1, Ordering::Relaxed)) {
                if !self.folder_holds(root.as_fd(), folder) {
                    next.store(self.folders.len(), Ordering::Relaxed);
                    return false;
                }
            }
            true
        };
        let workers = thread::available_parallelism().map_or(1, usize::from).min(4);
        let hold = thread::scope(|scope| {
            let others: Vec<_> = (1..workers).map(|_| scope.spawn(work)).collect();
            let own = work();
            others.into_iter().all(|other| other.join().is_ok_and(|holds| holds)) && own
        });
        let watched = |path: &CStr| path.to_str().map_or(Stat::ABSENT, Stat::behind);
        hold && self.watched.iter().all(|(path, was)| is_settled(self.begun, was, watched(path)))
    }

    fn folder_holds(&self, root: BorrowedFd<'_>, folder: &Folder<'_>) -> bool {
        if folder.files().nth(FEW).is_none() {
            let mut path = Vec::new();
            return self.is_settled(&folder.stat, root, folder.path)
                && folder.files().all(|(name, was, _)| {
                    path.clear();
                    path.extend_from_slice(folder.path.to_bytes());
                    path.push(b'/');
                    path.extend_from_slice(name.to_bytes());
                    self.is_settled(&was, root, &*path)
                });
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(root, folder.path, flags, Mode::empty()).is_ok_and(|opened| {
            let opened = opened.as_fd();
            self.is_settled(&folder.stat, opened, c"")
                && folder.files().all(|(name, was, _)| self.is_settled(&was, opened, name))
        })
    }

    /// Whether what was at `path` below `folder` is still there; the empty path is the folder itself.
    fn is_settled(&self, was: &Stat, folder: BorrowedFd<'_>, path: impl rustix::path::Arg) -> bool {
        rustix::fs::statat(folder, path, AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH)
            .is_ok_and(|is| is_settled(self.begun, was, Stat::of_raw(&is)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Kind;

    #[test]
    fn what_was_written_when_the_memo_was_made_is_read_again() {
        let begun = 1_000 * SETTLED;
        let at = |modified, changed| Stat { kind: Kind::File, size: 1, modified, changed, inode: 1 };
        let old = begun - SETTLED - 1;
        assert!(is_settled(begun, &at(old, old), at(old, old)));
        assert!(is_settled(begun, &Stat::ABSENT, Stat::ABSENT));
        for racy in [at(old + 1, old), at(old, old + 1), at(begun, begun), at(begun + 1, 0)] {
            assert!(!is_settled(begun, &racy, racy));
        }
        for changed in
            [at(old - 1, old), at(old, old - 1), Stat { size: 2, ..at(old, old) }, Stat { inode: 2, ..at(old, old) }]
        {
            assert!(!is_settled(begun, &at(old, old), changed));
        }
        assert!(!is_settled(begun, &at(old, old), Stat { kind: Kind::Executable, ..at(old, old) }));
    }
}
