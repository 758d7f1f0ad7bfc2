//! Reads the whole store and names what is not what it says. Changes nothing.

use std::{
    fmt, fs,
    fs::File,
    io::{self, Read as _},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use blob::{Digest, Hasher};
use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    error::StoreError,
    progress::{Outcome, Progress},
    store::Store,
};

/// The id under which [`Store::verify_all`] tells its progress: one for the whole store.
pub const VERIFY_ID: &str = "store";

/// A file of the store that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The file.
    pub path: Utf8PathBuf,
    /// What is wrong with it.
    pub kind: FaultKind,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// It has other bytes than its name says. [`Store::remove`] makes room for the right ones.
    Corrupted {
        /// The digest in its name.
        expected: Digest,
        /// The digest of its bytes.
        found: Digest,
        /// Its size in bytes.
        size: u64,
    },
    /// It is shorter than the file of that digest is. [`Store::remove`] makes room for the right one.
    Truncated {
        /// The digest in its name.
        expected: Digest,
        /// The size it should have; unknown if nobody said, and the file is empty.
        expected_size: Option<u64>,
        /// Its size in bytes.
        size: u64,
    },
    /// It cannot be read.
    Unreadable {
        /// The digest in its name.
        expected: Digest,
        /// Why not.
        reason: String,
    },
    /// It has no business here: a name that no artifact has, or a place that is not its own.
    Foreign,
    /// What an ended process left of an artifact. The next fetch of that artifact goes on from here.
    Pending {
        /// Its size in bytes.
        size: u64,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path)?;
        match &self.kind {
            FaultKind::Corrupted { expected, found, size } => {
                write!(f, "corrupted: expected {expected}, found {found} ({size} bytes)")
            }
            FaultKind::Truncated { expected_size: Some(expected), size, .. } => {
                write!(f, "truncated: expected {expected} bytes, found {size}")
            }
            FaultKind::Truncated { size, .. } => write!(f, "truncated: {size} bytes"),
            FaultKind::Unreadable { reason, .. } => write!(f, "unreadable: {reason}"),
            FaultKind::Foreign => f.write_str("no artifact of the store"),
            FaultKind::Pending { size } => write!(f, "left over from an interrupted fetch ({size} bytes)"),
        }
    }
}

impl Fault {
    /// The artifact to fetch again, if this is a bad one.
    pub fn digest(&self) -> Option<Digest> {
        match &self.kind {
            FaultKind::Corrupted { expected, .. }
            | FaultKind::Truncated { expected, .. }
            | FaultKind::Unreadable { expected, .. } => Some(*expected),
            FaultKind::Foreign | FaultKind::Pending { .. } => None,
        }
    }
}

impl Store {
    /// Hashes every artifact, and looks for what an ended process left: all faults, by path. `size_of` tells the sizes
    /// that are known; without it a truncated file counts as corrupted. Stops early, with what was found so far, when
    /// `cancel` is set.
    ///
    /// # Errors
    /// A folder of the store cannot be listed.
    pub fn verify_all(
        &self,
        size_of: &(dyn Fn(&Digest) -> Option<u64> + Sync),
        cancel: &AtomicBool,
        progress: &dyn Progress,
    ) -> Result<Vec<Fault>, StoreError> {
        let mut faults = Vec::new();
        let mut artifacts = Vec::new();
        let mut total = 0;
        for (path, size) in self.files_below("artifacts")? {
            match path.file_name().and_then(|name| name.parse().ok()).filter(|digest| self.path_of(digest) == path) {
                Some(digest) => {
                    total += size;
                    artifacts.push((path, digest));
                }
                None => faults.push(Fault { path, kind: FaultKind::Foreign }),
            }
        }
        for (path, size) in self.files_below("pending")? {
            let name = path.file_name().unwrap_or_default();
            let artifact = name.split('.').next().unwrap_or_default();
            if name.ends_with(".part") && self.is_locked(artifact) || name.ends_with(".etag") {
                continue;
            }
            faults.push(Fault { path, kind: FaultKind::Pending { size } });
        }
        progress.started(VERIFY_ID, Some(total));
        let found = Mutex::new(faults);
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(|| {
                    while let Some((path, digest)) = artifacts.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if cancel.load(Ordering::Relaxed) {
                            return;
                        }
                        if let Some(kind) = examine(path, digest, size_of(digest), progress) {
                            let fault = Fault { path: path.clone(), kind };
                            found.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
                        }
                    }
                });
            }
        });
        progress.finished(VERIFY_ID, Outcome::Done { size: total });
        let mut faults = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        faults.sort();
        Ok(faults)
    }

    /// All files below a folder of the store, with their sizes.
    fn files_below(&self, folder: &str) -> Result<Vec<(Utf8PathBuf, u64)>, StoreError> {
        let mut files = Vec::new();
        let mut folders = vec![self.root().join(folder)];
        while let Some(folder) = folders.pop() {
            match list(&folder, &mut folders, &mut files) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(self.io("listing", &folder, error));
                }
                _ => {}
            }
        }
        files.sort();
        Ok(files)
    }
}

fn list(folder: &Utf8Path, folders: &mut Vec<Utf8PathBuf>, files: &mut Vec<(Utf8PathBuf, u64)>) -> io::Result<()> {
    for entry in folder.read_dir_utf8()? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.into_path());
        } else {
            let size = fs::symlink_metadata(entry.path())?.len();
            files.push((entry.into_path(), size));
        }
    }
    Ok(())
}

fn examine(path: &Utf8Path, expected: &Digest, known: Option<u64>, progress: &dyn Progress) -> Option<FaultKind> {
    let (found, size) = match hash(path, progress) {
        Ok(hashed) => hashed,
        Err(error) => return Some(FaultKind::Unreadable { expected: *expected, reason: error.to_string() }),
    };
    if found == *expected {
        return None;
    }
    if size == 0 || known.is_some_and(|known| size < known) {
        return Some(FaultKind::Truncated { expected: *expected, expected_size: known, size });
    }
    Some(FaultKind::Corrupted { expected: *expected, found, size })
}

fn hash(path: &Utf8Path, progress: &dyn Progress) -> io::Result<(Digest, u64)> {
    let mut file = File::open(path)?;
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            read => {
                hasher.update(&buffer[..read]);
                progress.advanced(VERIFY_ID, read as u64);
            }
        }
    }
}
