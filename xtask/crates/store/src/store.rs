//! The folders of the store, and what may be found and put there. Opens no socket.
//!
//! ```text
//! <root>/artifacts/<aa>/<64 hex>   verified artifacts, mode 0444; <aa> are the first two digits
//! <root>/pending/<64 hex>.part     what came so far of an artifact; trusted by nobody before it is hashed again
//! <root>/by-check/<algorithm>/<hex> the SHA-256 of the artifact that has this published checksum
//! <root>/quarantine/<64 hex>       what lay under a digest that it does not have
//! <root>/locks/<name>.lock         locks between processes
//! <root>/in-use                    locked by everybody who has joined the store: see [`Store::join`]
//! ```

use std::{
    fs::{self, File},
    io::{self, Read, Write as _},
    os::unix::fs::PermissionsExt as _,
    sync::atomic::{AtomicBool, Ordering},
};

use blob::{Digest, InUse, Join, Pending};
use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::Access;

use crate::{check::Check, error::StoreError};

/// The mode of an artifact: nobody has a reason to write to it.
const ARTIFACT_MODE: u32 = 0o444;
/// The lock of all who use the store.
const IN_USE: &str = "in-use";

/// A folder of artifacts, named by their SHA-256.
#[derive(Debug)]
pub struct Store {
    root: Utf8PathBuf,
    /// A place among its users, or the store alone.
    _in_use: Option<InUse>,
}

impl Store {
    /// The store in `root`, which is made if it is missing. A folder that cannot be written to serves what it has.
    ///
    /// For a folder that nobody else removes things from, as one inside of a store that this process has joined.
    ///
    /// # Errors
    /// The folder does not exist and cannot be made.
    pub fn open(root: impl Into<Utf8PathBuf>) -> Result<Self, StoreError> {
        let store = Self { root: root.into(), _in_use: None };
        if !store.root.is_dir() {
            store.make_folder(&store.root)?;
        }
        Ok(store)
    }

    /// As [`Store::open`], and nobody has the store alone until this is dropped. Whoever has it alone now is waited for;
    /// after a moment `on_wait` is told, once, who that is. A store that cannot be written to and has no lock is opened
    /// without one.
    ///
    /// # Errors
    /// As for [`Store::open`]; it cannot be locked; or `cancel` was set while this waited.
    pub fn join(root: impl Into<Utf8PathBuf>, cancel: &AtomicBool, on_wait: &dyn Fn(&str)) -> Result<Self, StoreError> {
        let store = Self::open(root)?;
        let path = store.in_use_path();
        let cancelled = || cancel.load(Ordering::Relaxed);
        let how = Join { make: true, when_alone: None, cancelled: &cancelled, on_wait };
        let in_use = InUse::join(&path, how).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => {
                StoreError::Interrupted { name: IN_USE.to_owned(), holder: "another process".to_owned() }
            }
            _ => store.io("locking", &path, error),
        })?;
        Ok(Self { _in_use: in_use, ..store })
    }

    /// As [`Store::open`], and nobody joins the store until this is dropped.
    ///
    /// # Errors
    /// As for [`Store::open`]; [`StoreError::InUse`] if somebody uses it; or it cannot be locked.
    pub fn alone(root: impl Into<Utf8PathBuf>) -> Result<Self, StoreError> {
        let store = Self::open(root)?;
        let path = store.in_use_path();
        match InUse::alone(&path).map_err(|error| store.io("locking", &path, error))? {
            Ok(in_use) => Ok(Self { _in_use: Some(in_use), ..store }),
            Err(by) => Err(StoreError::InUse { root: store.root, by }),
        }
    }

    fn in_use_path(&self) -> Utf8PathBuf {
        self.root.join(IN_USE)
    }

    /// The store's folder.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// Whether nothing can be added.
    pub fn is_read_only(&self) -> bool {
        rustix::fs::access(self.root.as_std_path(), Access::WRITE_OK).is_err()
    }

    /// Where the artifact of this digest lies, or would lie.
    pub fn path_of(&self, digest: &Digest) -> Utf8PathBuf {
        let hex = digest.hex();
        self.root.join("artifacts").join(&hex[..2]).join(hex)
    }

    /// The artifact's path if it is there and, when `size` is given, has that many bytes. It was verified when it was
    /// put there; its bytes are not read now.
    pub fn get(&self, digest: &Digest, size: Option<u64>) -> Option<Utf8PathBuf> {
        let path = self.path_of(digest);
        let found = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
        size.is_none_or(|size| size == found.len()).then_some(path)
    }

    /// Copies what `reader` gives into the store: its digest and size. `what` names it in messages.
    ///
    /// # Errors
    /// It does not have the `expected` digest (then it is not stored), or reading or writing failed.
    pub fn import(
        &self,
        mut reader: impl Read,
        what: &str,
        expected: Option<Digest>,
    ) -> Result<(Digest, u64), StoreError> {
        let folder = self.pending();
        self.make_folder(&folder)?;
        let mut pending = Pending::new_in(&folder).map_err(|error| self.io("writing in", &folder, error))?;
        let mut buffer = vec![0; 256 * 1024];
        loop {
            let read = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(StoreError::Io { doing: "importing", path: what.into(), error }),
            };
            pending.write_all(&buffer[..read]).map_err(|error| self.io("writing in", &folder, error))?;
        }
        let (found, size) = pending.written();
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            return Err(StoreError::WrongImport { what: what.to_owned(), expected, found, size });
        }
        if self.get(&found, Some(size)).is_none() {
            let path = self.path_of(&found);
            pending.commit(&path, ARTIFACT_MODE).map_err(|error| self.io("writing", &path, error))?;
        }
        Ok((found, size))
    }

    /// Copies the file at `path` into the store; see [`Store::import`].
    ///
    /// # Errors
    /// As for [`Store::import`], or the file cannot be opened.
    pub fn import_file(&self, path: &Utf8Path, expected: Option<Digest>) -> Result<(Digest, u64), StoreError> {
        let file =
            File::open(path).map_err(|error| StoreError::Io { doing: "importing", path: path.to_owned(), error })?;
        self.import(file, path.as_str(), expected)
    }

    /// Takes away what lies under `digest`, so that it can be fetched again. It is kept in the quarantine, whose path
    /// is returned; nothing if there was none.
    ///
    /// # Errors
    /// It cannot be moved.
    pub fn remove(&self, digest: &Digest) -> Result<Option<Utf8PathBuf>, StoreError> {
        let path = self.path_of(digest);
        if fs::symlink_metadata(&path).is_err() {
            return Ok(None);
        }
        let quarantine = self.root.join("quarantine");
        self.make_folder(&quarantine)?;
        let target = quarantine.join(digest.hex());
        fs::rename(&path, &target).map_err(|error| self.io("quarantining", &path, error))?;
        Ok(Some(target))
    }

    /// The digest of the artifact that was seen to have this published checksum, if one lies here.
    pub(crate) fn known_by(&self, check: &Check) -> Option<Digest> {
        let text = fs::read_to_string(self.by_check(check)).ok()?;
        let digest = text.trim().parse().ok()?;
        self.get(&digest, None)?;
        Some(digest)
    }

    /// Notes that the artifact `digest` has this published checksum.
    pub(crate) fn note(&self, check: &Check, digest: &Digest) -> Result<(), StoreError> {
        let path = self.by_check(check);
        blob::write(&path, format!("{digest}\n").as_bytes()).map_err(|error| self.io("writing", &path, error))?;
        Ok(())
    }

    /// Gives the finished file at `partial`, whose bytes have this digest, its final name.
    pub(crate) fn adopt(&self, partial: &Utf8Path, file: &File, digest: &Digest) -> Result<Utf8PathBuf, StoreError> {
        let path = self.path_of(digest);
        let folder = path.parent().unwrap_or(&self.root);
        self.make_folder(folder)?;
        file.set_permissions(fs::Permissions::from_mode(ARTIFACT_MODE))
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(partial, &path))
            // A rename is durable only when the folder that holds the name is synced.
            .and_then(|()| File::open(folder)?.sync_all())
            .map_err(|error| self.io("writing", &path, error))?;
        Ok(path)
    }

    /// The folder of partial files.
    pub(crate) fn pending(&self) -> Utf8PathBuf {
        self.root.join("pending")
    }

    /// Whether `bytes` more fit here; the error says how many would.
    pub(crate) fn has_room_for(&self, bytes: u64) -> Result<(), StoreError> {
        let Ok(system) = rustix::fs::statvfs(self.root.as_std_path()) else { return Ok(()) };
        let available = system.f_bavail.saturating_mul(system.f_frsize);
        if bytes > available {
            return Err(StoreError::NoSpace {
                root: self.root.clone(),
                needed: Some(bytes),
                available: Some(available),
            });
        }
        Ok(())
    }

    /// Makes a folder of the store.
    pub(crate) fn make_folder(&self, folder: &Utf8Path) -> Result<(), StoreError> {
        fs::create_dir_all(folder).map_err(|error| self.io("making the folder", folder, error))
    }

    /// The error for a failed write in this store.
    pub(crate) fn io(&self, doing: &'static str, path: &Utf8Path, error: io::Error) -> StoreError {
        if error.kind() == io::ErrorKind::PermissionDenied && self.root.is_dir() && self.is_read_only() {
            return StoreError::ReadOnly { root: self.root.clone() };
        }
        StoreError::io(&self.root, doing, path, error)
    }

    fn by_check(&self, check: &Check) -> Utf8PathBuf {
        self.root.join("by-check").join(check.algorithm().to_string()).join(check.hex())
    }
}
