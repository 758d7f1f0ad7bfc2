//! Removing folders whose modes forbid it, and locking folders.

use std::{
    fs::{self, File, Permissions},
    io::{self, ErrorKind},
    os::unix::fs::PermissionsExt,
};

use camino::Utf8Path;
use rustix::fs::{FlockOperation, flock};

/// Removes `path` and all below it, also what lies in folders that their owner may not enter or change (the work folder
/// of an overlay has mode 000). What is not there is no error.
///
/// # Errors
/// Something in it belongs to somebody else.
pub fn remove(path: &Utf8Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            open_up(path)?;
            fs::remove_dir_all(path)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Lets the owner into `folder` and every folder below it.
fn open_up(folder: &Utf8Path) -> io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    for entry in folder.read_dir_utf8()? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(entry.path())?;
        }
    }
    Ok(())
}

/// Waits for the lock of an open file or folder. It is held until the file is dropped.
pub(crate) fn lock(file: File) -> io::Result<File> {
    flock(&file, FlockOperation::LockExclusive)?;
    Ok(file)
}

/// Takes the lock of the folder `path` if nobody holds it.
pub(crate) fn try_lock(path: &Utf8Path) -> io::Result<Option<File>> {
    let file = File::open(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
