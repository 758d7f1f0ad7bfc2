//! Files that appear whole or not at all.

use std::{
    fs::{self, File},
    io::{self, Write},
};

use camino::Utf8Path;
use tempfile::{Builder, NamedTempFile};

use crate::{Digest, Hasher};

/// A file that is being written and has no final name yet. Dropped, it is gone.
pub struct Pending {
    file: NamedTempFile,
    hasher: Hasher,
}

impl Pending {
    /// Starts a file in `folder`, which is made if it is missing. The final name must lie on the same file system.
    ///
    /// # Errors
    /// The folder or the file cannot be made.
    pub fn new_in(folder: &Utf8Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let file = Builder::new().prefix(".pending-").tempfile_in(folder)?;
        Ok(Self { file, hasher: Hasher::new() })
    }

    /// The digest and the size of what was written so far.
    pub fn written(&self) -> (Digest, u64) {
        self.hasher.clone().finish()
    }

    /// Syncs the bytes to disk and gives them their final name, replacing what stood there.
    ///
    /// # Errors
    /// The bytes cannot be synced or the file cannot be renamed; no file of that name is left half written.
    pub fn commit(mut self, path: &Utf8Path, mode: u32) -> io::Result<(Digest, u64)> {
        use std::os::unix::fs::PermissionsExt;
        self.file.flush()?;
        self.file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
        self.file.as_file().sync_all()?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        self.file.persist(path).map_err(|failed| failed.error)?;
        sync_folder_of(path)?;
        Ok(self.hasher.finish())
    }
}

impl Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Writes a small file whole: temporary name, sync, rename. Mode 0644.
///
/// # Errors
/// The file cannot be written; what stood at `path` is then still there.
pub fn write(path: &Utf8Path, bytes: &[u8]) -> io::Result<Digest> {
    let mut pending = Pending::new_in(path.parent().unwrap_or(Utf8Path::new(".")))?;
    pending.write_all(bytes)?;
    Ok(pending.commit(path, 0o644)?.0)
}

/// A rename is durable only when the folder that holds the name is synced.
fn sync_folder_of(path: &Utf8Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_str().is_empty() => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, camino::Utf8PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_path_buf().try_into().unwrap();
        (dir, path)
    }

    #[test]
    fn a_committed_file_is_whole_and_its_digest_known() {
        let (_dir, path) = folder();
        let mut pending = Pending::new_in(&path).unwrap();
        pending.write_all(b"abc").unwrap();
        let target = path.join("sub/blob");
        assert_eq!(pending.commit(&target, 0o444).unwrap(), (Digest::of(b"abc"), 3));
        assert_eq!(fs::read(target).unwrap(), b"abc");
    }

    #[test]
    fn a_dropped_file_leaves_nothing() {
        let (_dir, path) = folder();
        let mut pending = Pending::new_in(&path).unwrap();
        pending.write_all(b"abc").unwrap();
        drop(pending);
        assert_eq!(fs::read_dir(path).unwrap().count(), 0);
    }
}
