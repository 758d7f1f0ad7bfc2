//! What was true of a tree when it was last read, so that only what changed is read again.
//!
//! A file counts as unchanged if its size, both times and its inode are as they were, and it was left alone for some
//! time when the memo was made. The second is git's rule against files that are "racily clean": a file that is written
//! twice within one tick of the file system's clock has the same times before and after.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use blob::Digest;
use camino::Utf8Path;

use crate::{
    Error, Identity,
    identity::{self, Entry, Stat},
    listing::{self, Listing},
};

mod format;

/// How long before the memo was begun a file must have been left alone, in nanoseconds. It covers clocks with a step of
/// up to two seconds, which FAT and some network file systems have.
const SETTLED: i64 = 2_000_000_000;

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
pub(crate) fn identity(root: &Utf8Path, path: &Utf8Path) -> Result<Identity, Error> {
    let of = format!("{root}\n{}", listing::environment());
    // Whatever changes from here on is read again the next time.
    let begun = now();
    let known = fs::read(path).ok().and_then(|bytes| Memo::from_bytes(&bytes)).filter(|memo| memo.of == of);
    let known = match known {
        Some(memo) if memo.holds(root) => return Ok(memo.identity),
        Some(memo) => memo,
        None => Memo::of_nothing(),
    };
    let memo = known.brought_up_to_date(root, of, begun)?;
    blob::write(path, &memo.to_bytes()).map_err(Error::io("writing", path))?;
    Ok(memo.identity)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
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

    /// Whether what was there is still there, and had been for some time when it was seen.
    fn is_settled(&self, was: &Stat, is: Stat) -> bool {
        *was == is && was.modified.max(was.changed) < self.begun.saturating_sub(SETTLED)
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

    /// Whether all of it is still right. This is the way of every build with nothing to do: no allocation per file, and
    /// several processors, for the time goes into the kernel's looking up of paths.
    fn holds(&self, root: &Utf8Path) -> bool {
        let holds = AtomicBool::new(true);
        let check = |seen: &mut dyn Iterator<Item = (&str, &Stat)>| {
            let mut path = format!("{root}/");
            let base = path.len();
            for (below, stat) in seen {
                path.truncate(base);
                path.push_str(below);
                if !holds.load(Ordering::Relaxed) || !self.is_settled(stat, Stat::at(&path)) {
                    holds.store(false, Ordering::Relaxed);
                    return;
                }
            }
        };
        let workers = thread::available_parallelism().map_or(1, usize::from).min(4);
        thread::scope(|scope| {
            for files in self.files.chunks(self.files.len().div_ceil(workers).max(1)) {
                let check = &check;
                scope.spawn(move || check(&mut files.iter().map(|file| (file.path.as_str(), &file.stat))));
            }
            check(&mut self.folders.iter().map(|folder| (folder.path.as_str(), &folder.stat)));
        });
        holds.into_inner() && self.watched.iter().all(|seen| self.is_settled(&seen.stat, Stat::behind(&seen.path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Kind;

    fn memo() -> Memo {
        let stat = Stat { kind: Kind::Executable, size: 3, modified: -1, changed: i64::MAX, inode: u64::MAX };
        let seen = |path: &str| Seen { path: path.to_owned(), stat };
        let identity = Identity { digest: Digest::of(b"x"), files: 1, bytes: 3 };
        let files = vec![Entry { path: "é/f".into(), stat, digest: Digest::of(b"abc") }];
        Memo {
            of: "a\nb".into(),
            begun: 7,
            identity,
            folders: vec![seen("")],
            watched: vec![seen("/x"), seen("/y")],
            files,
        }
    }

    #[test]
    fn a_memo_is_read_as_it_was_written_or_not_at_all() {
        let bytes = memo().to_bytes();
        assert_eq!(Memo::from_bytes(&bytes), Some(memo()));
        for end in 0..bytes.len() {
            assert_eq!(Memo::from_bytes(&bytes[..end]), None);
            let mut damaged = bytes.clone();
            damaged[end] ^= 1;
            assert_eq!(Memo::from_bytes(&damaged), None);
        }
    }
}
