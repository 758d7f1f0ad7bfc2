//! The folder of one RUN: what its mounts are made of, and what it changes.
//!
//! It is locked while the RUN lasts. One that nobody has locked was left by a process that was killed; the next RUN removes
//! it, so that nothing half-made is ever looked at.

use std::{
    fs::{self, File, Permissions},
    io::{self, ErrorKind},
    os::unix::fs::{MetadataExt, PermissionsExt},
};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{FlockOperation, flock};

use crate::{
    error::{Error, Result},
    layout::Layout,
};

/// A locked folder that is removed at the end.
pub(crate) struct Scratch {
    path: Utf8PathBuf,
    _lock: File,
}

impl Scratch {
    /// A new folder in the file system of the layout, which nobody else may enter. Abandoned ones are removed.
    pub(crate) fn new(layout: &Layout) -> Result<Self> {
        let runs = layout.private()?.join("runs");
        fs::create_dir_all(&runs).map_err(Error::io("making the folder", &runs))?;
        remove_abandoned(&runs).map_err(Error::io("cleaning", &runs))?;
        loop {
            let made = tempfile::Builder::new().prefix("run-").tempdir_in(&runs).map_err(Error::io("making", &runs))?;
            let path = Utf8PathBuf::try_from(made.keep()).map_err(|error| error.into_io_error());
            let path = path.map_err(Error::io("making a folder in", &runs))?;
            // Between its making and its locking another process may take it for abandoned.
            let Ok(Some(lock)) = try_lock(&path) else { continue };
            if fs::metadata(&path).is_ok_and(|now| lock.metadata().is_ok_and(|then| now.ino() == then.ino())) {
                return Ok(Self { path, _lock: lock });
            }
        }
    }

    /// A new folder in it.
    pub(crate) fn folder(&self, name: &str) -> Result<Utf8PathBuf> {
        let path = self.path.join(name);
        fs::create_dir_all(&path).map_err(Error::io("making the folder", &path))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is removed as abandoned by a later RUN.
        let _ = remove(&self.path);
    }
}

fn remove_abandoned(runs: &Utf8Path) -> io::Result<()> {
    for entry in runs.read_dir_utf8()? {
        let path = entry?.into_path();
        // Another process may be removing it as well.
        if let Ok(Some(_lock)) = try_lock(&path) {
            remove(&path)?;
        }
    }
    Ok(())
}

fn try_lock(path: &Utf8Path) -> io::Result<Option<File>> {
    let file = File::open(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Removes a folder, also where its modes forbid it: a command may have left any.
fn remove(path: &Utf8Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            open_up(path.as_std_path())?;
            fs::remove_dir_all(path)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn open_up(folder: &std::path::Path) -> io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    for entry in folder.read_dir()? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}
