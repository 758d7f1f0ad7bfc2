//! What a file of a tree is, and the identity of all of them.

use std::{
    fs::{self, File, Metadata},
    io::Read,
    os::unix::fs::MetadataExt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use blob::{Digest, Hasher};
use camino::Utf8Path;

use crate::{Error, listing};

/// What the counted files of a tree are, taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The digest over path, kind, size and content of each file, in the order of their paths.
    pub digest: Digest,
    /// The number of files and links.
    pub files: u64,
    /// The bytes of all files.
    pub bytes: u64,
}

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Absent = 0,
    Folder = 1,
    File = 2,
    Executable = 3,
    Link = 4,
    /// A socket, a pipe or a device.
    Special = 5,
}

impl Kind {
    fn of(mode: u32) -> Self {
        match rustix::fs::FileType::from_raw_mode(mode) {
            rustix::fs::FileType::Symlink => Self::Link,
            rustix::fs::FileType::Directory => Self::Folder,
            rustix::fs::FileType::RegularFile if mode & 0o100 != 0 => Self::Executable,
            rustix::fs::FileType::RegularFile => Self::File,
            _ => Self::Special,
        }
    }
}

fn nanoseconds(seconds: i64, rest: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

/// What tells that a file was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) kind: Kind,
    pub(crate) size: u64,
    /// Nanoseconds since 1970.
    pub(crate) modified: i64,
    /// Nanoseconds since 1970 of the last change of anything about it, which no program can set.
    pub(crate) changed: i64,
    pub(crate) inode: u64,
}

impl Stat {
    /// Of a path at which nothing is.
    pub(crate) const ABSENT: Self = Self { kind: Kind::Absent, size: 0, modified: 0, changed: 0, inode: 0 };

    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            kind: Kind::of(metadata.mode()),
            size: metadata.size(),
            modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
        }
    }

    pub(crate) fn of_raw(stat: &rustix::fs::Stat) -> Self {
        Self {
            kind: Kind::of(stat.st_mode),
            size: stat.st_size as u64,
            modified: nanoseconds(stat.st_mtime, stat.st_mtime_nsec as i64),
            changed: nanoseconds(stat.st_ctime, stat.st_ctime_nsec as i64),
            inode: stat.st_ino,
        }
    }

    /// What stands at `path`, where nothing or something that cannot be looked at is [`Stat::ABSENT`].
    pub(crate) fn at(path: &str) -> Self {
        fs::symlink_metadata(path).map_or(Self::ABSENT, |metadata| Self::of(&metadata))
    }

    /// As [`Stat::at`], of what a link leads to.
    pub(crate) fn behind(path: &str) -> Self {
        fs::metadata(path).map_or(Self::ABSENT, |metadata| Self::of(&metadata))
    }
}

/// A file or a link that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) path: String,
    pub(crate) stat: Stat,
    /// Of the content, or of the target of a link.
    pub(crate) digest: Digest,
}

impl Identity {
    /// Of entries that are sorted by path.
    pub(crate) fn of(entries: &[Entry]) -> Self {
        let mut hasher = Hasher::new();
        hasher.update(b"spark source tree 1\n");
        let mut bytes = 0;
        for entry in entries {
            let kind = match entry.stat.kind {
                Kind::Executable => 'x',
                Kind::Link => 'l',
                _ => 'f',
            };
            let Stat { size, .. } = entry.stat;
            // A path holds no zero byte, so no two lists give the same text.
            hasher.update(format!("{}\0{kind} {size} {}\n", entry.path, entry.digest).as_bytes());
            if entry.stat.kind != Kind::Link {
                bytes += size;
            }
        }
        Self { digest: hasher.finish().0, files: entries.len() as u64, bytes }
    }
}

/// Reads the files at `paths`, on all processors. Those that are gone are left out; the order stays.
pub(crate) fn read_all(root: &Utf8Path, paths: &[&str]) -> Result<Vec<Entry>, Error> {
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::with_capacity(paths.len()));
    let work = || {
        let mut own = Vec::new();
        let mut buffer = vec![0; 256 * 1024];
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = paths.get(at) else { break };
            let entry = read(root, path, &mut buffer);
            let failed = entry.is_err();
            own.push((at, entry));
            if failed {
                next.store(paths.len(), Ordering::Relaxed);
            }
        }
        found.lock().unwrap_or_else(PoisonError::into_inner).append(&mut own);
    };
    thread::scope(|scope| {
        for _ in 1..thread::available_parallelism().map_or(1, usize::from).min(paths.len() / 16 + 1) {
            scope.spawn(work);
        }
        work();
    });
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().filter_map(|(_, entry)| entry.transpose()).collect()
}

/// Reads one file: what it is and what it holds belong together, or it is an error. None if nothing is there.
fn read(root: &Utf8Path, below: &str, buffer: &mut [u8]) -> Result<Option<Entry>, Error> {
    const ATTEMPTS: usize = 3;
    let path = root.join(below);
    for _ in 0..ATTEMPTS {
        let before = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("reading", &path)(error)),
        };
        if let Some(kind) = listing::special(before.file_type()) {
            return Err(Error::Special { path, kind });
        }
        if before.is_dir() {
            return Err(Error::Changed { path });
        }
        let content = if before.is_symlink() {
            let target = path.read_link_utf8().map_err(Error::io("reading the link", &path))?;
            Some((Digest::of(target.as_str().as_bytes()), target.as_str().len() as u64))
        } else {
            let mut hasher = Hasher::new();
            read_file(&path, &before, buffer, |bytes| {
                hasher.update(bytes);
                Ok(())
            })?
            .then(|| hasher.finish())
        };
        let stat = Stat::of(&before);
        match content {
            Some((digest, size)) if size == stat.size => {
                return Ok(Some(Entry { path: below.to_owned(), stat, digest }));
            }
            _ => {}
        }
    }
    Err(Error::Changed { path })
}

/// Hands the bytes of a file to `take`. False if it is not, or no longer, the file that `before` describes.
pub(crate) fn read_file(
    path: &Utf8Path,
    before: &Metadata,
    buffer: &mut [u8],
    mut take: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<bool, Error> {
    let mut file = File::open(path).map_err(Error::io("reading", path))?;
    loop {
        match file.read(buffer).map_err(Error::io("reading", path))? {
            0 => break,
            n => take(&buffer[..n])?,
        }
    }
    let after = file.metadata().map_err(Error::io("reading", path))?;
    Ok(Stat::of(&after) == Stat::of(before))
}
