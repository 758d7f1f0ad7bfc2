//! Folders that are kept between builds, for `--mount=type=cache`.
//!
//! ```text
//! <caches>/<name>-<n>          the folder; `n` is above 0 only where a private cache is in use already
//! <caches>/<name>-<n>.lock     held while a command has it
//! <caches>/<name>-<n>.making   being filled; it gets its name by a rename
//! ```
//! The name says who may share it: id, owner, mode, and what it is filled with at first.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    os::unix::fs::DirBuilderExt,
    thread,
    time::Duration,
};

use blob::Digest;
use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{FlockOperation, flock};

use crate::{
    dockerfile::Sharing,
    error::{Error, Result},
};

/// How often a locked cache is asked for.
const POLL: Duration = Duration::from_millis(50);

/// A cache that a command may use as long as this lives.
pub(super) struct Cache {
    pub(super) path: Utf8PathBuf,
    _lock: File,
}

/// Waits for a cache and makes it with `fill` if it is missing. `None` if it was cancelled meanwhile.
pub(super) fn open(
    caches: &Utf8Path,
    name: &Digest,
    sharing: Sharing,
    cancelled: &dyn Fn() -> bool,
    fill: impl FnOnce(&Utf8Path) -> Result<()>,
) -> Result<Option<Cache>> {
    // Nobody else may reach in: a cache may hold set-id programs.
    DirBuilder::new().recursive(true).mode(0o700).create(caches).map_err(Error::io("making the folder", caches))?;
    let mut number = 0;
    let (path, lock) = loop {
        let path = caches.join(format!("{}-{number}", name.hex()));
        let lock = lock_file(&path)?;
        // A shared cache waits only for one that somebody has locked, or that is being made.
        let wanted = match sharing {
            Sharing::Shared if path.exists() => FlockOperation::NonBlockingLockShared,
            _ => FlockOperation::NonBlockingLockExclusive,
        };
        match flock(&lock, wanted) {
            Ok(()) => break (path, lock),
            Err(rustix::io::Errno::WOULDBLOCK) if cancelled() => return Ok(None),
            Err(rustix::io::Errno::WOULDBLOCK) if sharing == Sharing::Private => number += 1,
            Err(rustix::io::Errno::WOULDBLOCK) => thread::sleep(POLL),
            Err(error) => return Err(Error::io("locking", path)(error.into())),
        }
    };
    if !path.exists() {
        let making = caches.join(format!("{}-{number}.making", name.hex()));
        if making.exists() {
            fs::remove_dir_all(&making).map_err(Error::io("removing", &making))?;
        }
        fill(&making)?;
        fs::rename(&making, &path).map_err(Error::io("naming", &path))?;
    }
    if sharing == Sharing::Shared {
        flock(&lock, FlockOperation::LockShared).map_err(|error| Error::io("locking", &path)(error.into()))?;
    }
    Ok(Some(Cache { path, _lock: lock }))
}

fn lock_file(path: &Utf8Path) -> Result<File> {
    let path = Utf8PathBuf::from(format!("{path}.lock"));
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).open(&path).map_err(Error::io("making", path))
}
