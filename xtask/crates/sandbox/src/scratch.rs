//! The folder of one run: mount points, the list of layers, generated files, and the changes unless they are kept.
//!
//! It is locked while the run lasts. One without a lock belongs to a process that was killed, and is removed by the next.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{Error, tree};

/// The scratch folder of one run, removed on drop.
pub(crate) struct Scratch {
    folder: Utf8PathBuf,
    _lock: File,
}

impl Scratch {
    /// A new locked folder below `runs`.
    pub(crate) fn new(runs: &Utf8Path) -> Result<Self, Error> {
        loop {
            let made = tempfile::Builder::new().prefix("run-").tempdir_in(runs).map_err(Error::io("making", runs))?;
            let folder =
                Utf8PathBuf::try_from(made.keep()).map_err(|error| Error::io("making", runs)(error.into_io_error()))?;
            // Between its making and its locking, another process may take it for abandoned and remove it.
            let Ok(lock) = File::open(&folder).and_then(tree::lock) else { continue };
            if fs::metadata(&folder).is_ok_and(|now| lock.metadata().is_ok_and(|then| now.ino() == then.ino())) {
                return Ok(Self { folder, _lock: lock });
            }
        }
    }

    /// Removes the folders that killed processes left below `runs`.
    pub(crate) fn remove_abandoned(runs: &Utf8Path) -> io::Result<()> {
        for entry in runs.read_dir_utf8()? {
            let path = entry?.into_path();
            // Another process may be removing it as well.
            if let Ok(Some(_lock)) = tree::try_lock(&path) {
                tree::remove(&path)?;
            }
        }
        Ok(())
    }

    pub(crate) fn path(&self) -> &Utf8Path {
        &self.folder
    }

    /// Makes a folder below this one.
    pub(crate) fn folder(&self, name: &str, mode: u32) -> Result<Utf8PathBuf, Error> {
        let path = self.folder.join(name);
        make_folder(&path, mode)?;
        Ok(path)
    }

    /// Writes a file below this one. Mode 0644.
    pub(crate) fn file(&self, name: &str, text: &str) -> Result<Utf8PathBuf, Error> {
        let path = self.folder.join(name);
        fs::write(&path, text).map_err(Error::io("writing", &path))?;
        set_mode(&path, 0o644)?;
        Ok(path)
    }

    /// Whether the box was finished; if not, what its making had to say.
    pub(crate) fn is_ready(&self) -> Result<(), String> {
        if self.folder.join("ready").exists() {
            return Ok(());
        }
        Err(fs::read_to_string(self.folder.join("setup.log")).unwrap_or_default().trim().to_owned())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is removed as abandoned by a later run.
        let _ = tree::remove(&self.folder);
    }
}

pub(crate) fn make_folder(path: &Utf8Path, mode: u32) -> Result<(), Error> {
    fs::create_dir(path).map_err(Error::io("making", path))?;
    set_mode(path, mode)
}

/// Sets the mode whatever the umask was.
pub(crate) fn set_mode(path: &Utf8Path, mode: u32) -> Result<(), Error> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(Error::io("changing the mode of", path))
}
