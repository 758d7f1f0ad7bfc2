//! Locks between processes (and threads): `flock` on a file of the lock's name.
//!
//! The kernel lets go of a lock when its holder dies, however it dies; the file that it leaves is used again.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::MetadataExt as _,
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::{fs::FlockOperation, io::Errno};

use crate::{error::StoreError, retry, store::Store};

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub struct Guard {
    path: Utf8PathBuf,
    // Closing the file ends the lock.
    _file: File,
}

/// A lock that somebody holds, or that somebody has left: a file that nobody holds does no harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockSeen {
    /// Its name.
    pub name: String,
    /// The process that took it last, where it said so: on this machine, or on another one that shares the folder.
    pub process: Option<u32>,
    /// Whether somebody holds it now.
    pub held: bool,
}

/// How long a lock is waited for in silence.
const SILENCE: Duration = Duration::from_millis(300);
/// How often a lock that somebody else holds is looked at.
const POLL: Duration = Duration::from_millis(20);

impl Store {
    /// Takes the lock `name`, and waits for whoever holds it. After a moment `on_wait` is told, once, who that is.
    ///
    /// # Errors
    /// The store cannot be written to, or `cancel` was set while this waited.
    pub fn lock(&self, name: &str, cancel: &AtomicBool, on_wait: &dyn Fn(&str)) -> Result<Guard, StoreError> {
        let path = self.lock_path(name);
        self.make_folder(&self.root().join("locks"))?;
        let began = Instant::now();
        let mut said = false;
        loop {
            if let Some(guard) = try_lock(&path).map_err(|error| self.io("locking", &path, error))? {
                return Ok(guard);
            }
            if !said && began.elapsed() >= SILENCE {
                said = true;
                on_wait(&holder(&path));
            }
            if !retry::wait(POLL, cancel) {
                return Err(StoreError::Interrupted { name: name.to_owned(), holder: holder(&path) });
            }
        }
    }

    /// The locks of the store, sorted by name. Takes none of them.
    pub fn locks(&self) -> Vec<LockSeen> {
        let entries = self.root().join("locks").read_dir_utf8().into_iter().flatten().flatten();
        let mut seen: Vec<LockSeen> = entries
            .filter_map(|entry| {
                let name = entry.file_name().strip_suffix(".lock")?.to_owned();
                let process = fs::read_to_string(entry.path()).ok().and_then(|pid| pid.trim().parse().ok());
                Some(LockSeen { held: self.is_locked(&name), name, process })
            })
            .collect();
        seen.sort_by(|one, other| one.name.cmp(&other.name));
        seen
    }

    /// Whether somebody holds the lock `name` now.
    pub(crate) fn is_locked(&self, name: &str) -> bool {
        let Ok(file) = File::open(self.lock_path(name)) else { return false };
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK)
    }

    /// The file of the lock `name`. Names that differ only in what no file name should have share a lock.
    fn lock_path(&self, name: &str) -> Utf8PathBuf {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._-:".contains(c) { c } else { '_' };
        let name: String = name.chars().map(plain).collect();
        self.root().join("locks").join(format!("{name}.lock"))
    }
}

fn try_lock(path: &Utf8Path) -> io::Result<Option<Guard>> {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    }
    // The last holder removes the file while it still holds it: then this lock is one on nothing.
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) if (named.dev(), named.ino()) == (ours.dev(), ours.ino()) => {}
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{}", std::process::id())?;
    Ok(Some(Guard { path: path.to_owned(), _file: file }))
}

fn holder(path: &Utf8Path) -> String {
    let mut pid = String::new();
    let read = File::open(path).and_then(|mut file| file.read_to_string(&mut pid));
    match read {
        Ok(_) if !pid.is_empty() => format!("process {pid}"),
        _ => "another process".to_owned(),
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // A file that stays does no harm.
        let _ = fs::remove_file(&self.path);
    }
}
