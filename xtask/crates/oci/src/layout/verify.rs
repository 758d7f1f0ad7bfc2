//! Blobs whose bytes are checked against their names.

use std::{
    fs::File,
    io::{self, Read},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use blob::{Digest, Hasher, hash_reader};
use camino::Utf8PathBuf;

use super::Layout;
use crate::error::{Error, Result};

/// A reader that fails at its end when the bytes were not the expected ones.
///
/// What was read before the end is not yet to be trusted.
pub struct Verified<R> {
    inner: R,
    path: Utf8PathBuf,
    expected: (Digest, u64),
    hasher: Option<Hasher>,
}

impl<R: Read> Verified<R> {
    /// Wraps `inner`, whose bytes should be `size` bytes of `digest`; `path` is what an error calls it.
    pub fn new(inner: R, path: Utf8PathBuf, digest: Digest, size: u64) -> Self {
        Self { inner, path, expected: (digest, size), hasher: Some(Hasher::new()) }
    }
}

impl<R: Read> Read for Verified<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if count > 0 {
            if let Some(hasher) = &mut self.hasher {
                hasher.update(&buffer[..count]);
            }
        } else if !buffer.is_empty()
            && let Some(found) = self.hasher.take().map(Hasher::finish)
            && found != self.expected
        {
            return Err(io::Error::other(Error::damaged(&self.path, self.expected, found)));
        }
        Ok(count)
    }
}

/// A blob that is not what its name says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The digest that is the blob's name.
    pub expected: Digest,
    /// The digest of its bytes.
    pub found: Digest,
    /// The file.
    pub path: Utf8PathBuf,
}

impl Layout {
    /// Reads every blob of the layout, `jobs` at once, and names those whose bytes do not have the digest of their name.
    ///
    /// # Errors
    /// The folder or a blob cannot be read, or a file there has no digest for a name.
    pub fn verify(&self, jobs: usize) -> Result<Vec<Fault>> {
        let folder = self.root().join("blobs/sha256");
        let mut blobs = Vec::new();
        for entry in folder.read_dir_utf8().map_err(Error::io("reading", &folder))? {
            let entry = entry.map_err(Error::io("reading", &folder))?;
            let digest: Digest = entry
                .file_name()
                .parse()
                .map_err(|_| Error::layout(entry.path(), "is no blob: its name is no sha256 digest; remove it"))?;
            blobs.push((digest, entry.path().to_owned()));
        }
        let (next, faults) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let work = || -> Result<()> {
            while let Some((expected, path)) = blobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let (found, _) = File::open(path).and_then(hash_reader).map_err(Error::io("reading", path))?;
                if found != *expected {
                    let fault = Fault { expected: *expected, found, path: path.clone() };
                    faults.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(fault);
                }
            }
            Ok(())
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(work)).collect();
            workers
                .into_iter()
                .try_for_each(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })?;
        let mut faults = faults.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        faults.sort();
        Ok(faults)
    }
}
