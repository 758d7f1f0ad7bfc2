//! A folder of a run in the machine's temporary folder. It is locked as long as the run lasts; one without a lock was left by
//! a run that was killed, and goes with the next.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{FlockOperation, flock};

const PREFIX: &str = "spark-images-smoke-";

/// A folder that everybody may read, removed when it is dropped.
pub(super) struct Temporary {
    path: Utf8PathBuf,
    _lock: File,
}

impl Temporary {
    /// A new folder below `parent`, and nothing there any more of runs of this user that were killed.
    pub(super) fn new(parent: &Path) -> io::Result<Self> {
        remove_abandoned(parent)?;
        loop {
            let mode = fs::Permissions::from_mode(0o755);
            let made = tempfile::Builder::new().prefix(PREFIX).permissions(mode).tempdir_in(parent)?;
            let lock = File::open(made.path())?;
            flock(&lock, FlockOperation::LockExclusive)?;
            // Between its making and its locking, another run may take it for abandoned and remove it.
            if fs::metadata(made.path()).is_ok_and(|now| lock.metadata().is_ok_and(|then| now.ino() == then.ino())) {
                let path = Utf8PathBuf::try_from(made.keep()).map_err(|error| error.into_io_error())?;
                return Ok(Self { path, _lock: lock });
            }
        }
    }

    pub(super) fn path(&self) -> &Utf8Path {
        &self.path
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What cannot be removed is removed by a later run.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Removes what killed runs of this user left. Another run may be doing the same.
fn remove_abandoned(parent: &Path) -> io::Result<()> {
    let user = rustix::process::geteuid().as_raw();
    for entry in parent.read_dir()?.flatten() {
        let own = entry.metadata().is_ok_and(|meta| meta.is_dir() && meta.uid() == user);
        if own && entry.file_name().to_string_lossy().starts_with(PREFIX) {
            let Ok(folder) = File::open(entry.path()) else { continue };
            if flock(&folder, FlockOperation::NonBlockingLockExclusive).is_ok() {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_run_left_goes_and_what_is_in_use_stays() {
        let parent = tempfile::tempdir().unwrap();
        let left = parent.path().join(format!("{PREFIX}left"));
        fs::create_dir_all(left.join("jobs")).unwrap();
        fs::create_dir(parent.path().join("other")).unwrap();
        let one = Temporary::new(parent.path()).unwrap();
        assert!(!left.exists());
        let other = Temporary::new(parent.path()).unwrap();
        assert!(one.path().is_dir() && other.path().is_dir());
        assert_eq!(fs::metadata(one.path()).unwrap().permissions().mode() & 0o777, 0o755);
        drop((one, other));
        let names: Vec<_> = parent.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["other"]);
    }
}
