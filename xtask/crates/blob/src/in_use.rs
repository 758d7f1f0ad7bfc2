//! A folder that many use side by side, and that one may want alone to remove things from it.
//!
//! Whoever uses it holds a shared `flock` on a file in it, and whoever wants it alone an exclusive one. The kernel ends a
//! lock with its holder, however that ends. The file itself is never removed.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use camino::Utf8Path;
use rustix::{
    fs::{FlockOperation, OFlags, flock, major, minor},
    io::Errno,
};

/// How long a lock is waited for in silence.
const SILENCE: Duration = Duration::from_millis(300);
/// How often a lock that somebody else holds is looked at.
const POLL: Duration = Duration::from_millis(20);

/// A place among the users of a folder, or the folder alone. It ends when this is dropped.
#[derive(Debug)]
pub struct InUse {
    // Closing the file ends the lock.
    _file: File,
}

/// How to join the users of a folder.
#[derive(Clone, Copy)]
pub struct Join<'a> {
    /// Whether the lock's file is made if it is missing.
    pub make: bool,
    /// What only somebody who is alone may do; it is done at once if nobody else is there.
    pub when_alone: Option<&'a dyn Fn()>,
    /// Whether to wait no longer.
    pub cancelled: &'a dyn Fn() -> bool,
    /// Is told once, after a moment, who has the folder alone.
    pub on_wait: &'a dyn Fn(&str),
}

impl InUse {
    /// Joins the users of the folder whose lock is the file at `path`. Waits for whoever has it alone.
    ///
    /// Nothing, where there is no such file and none can be made, or where the file system knows no locks: a folder that
    /// can only be read must still be readable.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`] if it was cancelled; or there is something else at `path`.
    pub fn join(path: &Utf8Path, how: Join<'_>) -> io::Result<Option<Self>> {
        let Some(file) = open(path, how.make)? else { return Ok(None) };
        if let Some(clean) = how.when_alone
            && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
        {
            clean();
        }
        let begun = Instant::now();
        let mut said = false;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockShared) {
                Ok(()) => return Ok(Some(Self { _file: file })),
                Err(Errno::WOULDBLOCK) => {}
                Err(_) => return Ok(None),
            }
            if (how.cancelled)() {
                return Err(ErrorKind::Interrupted.into());
            }
            if !said && begun.elapsed() >= SILENCE {
                said = true;
                (how.on_wait)(&holder(&file));
            }
            thread::sleep(POLL);
        }
    }

    /// The folder alone, or who uses it.
    ///
    /// # Errors
    /// The file cannot be made, or the file system knows no locks: then nobody can be sure to be alone.
    pub fn alone(path: &Utf8Path) -> io::Result<Result<Self, String>> {
        let Some(file) = open(path, true)? else { return Err(ErrorKind::PermissionDenied.into()) };
        // Whoever joins may be alone for a moment.
        let begun = Instant::now();
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Ok(Self { _file: file })),
                Err(Errno::WOULDBLOCK) if begun.elapsed() < SILENCE => thread::sleep(POLL),
                Err(Errno::WOULDBLOCK) => return Ok(Err(holder(&file))),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Opens the lock's file, never by way of a link. Reading is enough for a lock where it cannot be written to.
fn open(path: &Utf8Path, make: bool) -> io::Result<Option<File>> {
    let flags = OFlags::NOFOLLOW.bits() as i32;
    let writing = OpenOptions::new().read(true).write(true).create(make).custom_flags(flags).open(path);
    let refused = |error: &io::Error| {
        matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem | ErrorKind::NotFound)
    };
    let opened = match writing {
        Err(error) if refused(&error) => OpenOptions::new().read(true).custom_flags(flags).open(path),
        opened => opened,
    };
    match opened {
        Ok(file) => Ok(Some(file)),
        Err(error) if refused(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Who holds a lock on this file, as far as the kernel tells: <https://man7.org/linux/man-pages/man5/proc_locks.5.html>.
fn holder(file: &File) -> String {
    let unknown = || "another cargo xtask".to_owned();
    let (Ok(meta), Ok(locks)) = (file.metadata(), fs::read_to_string("/proc/locks")) else { return unknown() };
    let of_file = format!("{:02x}:{:02x}:{}", major(meta.dev()), minor(meta.dev()), meta.ino());
    let pid = locks.lines().find_map(|line| holds(line, &of_file));
    match pid {
        Some(pid) => named(pid, Path::new("/proc")),
        None => unknown(),
    }
}

/// The process that holds the lock of this line, if it is one on this file.
fn holds(line: &str, of_file: &str) -> Option<u32> {
    let words: Vec<&str> = line.split_whitespace().collect();
    // `->` stands before those that wait.
    match words[..] {
        [_, "FLOCK", _, _, pid, file, ..] if file == of_file => pid.parse().ok().filter(|pid| *pid != 0),
        _ => None,
    }
}

/// A process with its program and command. What follows them may hold a password.
fn named(pid: u32, proc: &Path) -> String {
    let line = fs::read(proc.join(pid.to_string()).join("cmdline")).unwrap_or_default();
    let mut words = line.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let program = words.next().unwrap_or_default();
    let program = program.rsplit('/').next().unwrap_or_default();
    let command = words.next().filter(|word| !word.is_empty() && !word.starts_with('-'));
    match (program, command) {
        ("", _) => format!("process {pid}"),
        (program, None) => format!("process {pid} ({program})"),
        (program, Some(command)) => format!("process {pid} ({program} {command})"),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::RefCell,
        os::unix::fs::symlink,
        sync::atomic::{AtomicBool, Ordering},
    };

    use camino::Utf8PathBuf;

    use super::*;

    fn path() -> (tempfile::TempDir, Utf8PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::try_from(dir.path().join("in-use")).unwrap();
        (dir, path)
    }

    const QUIET: Join<'_> = Join { make: true, when_alone: None, cancelled: &|| true, on_wait: &|_| {} };

    #[test]
    fn many_use_it_and_one_has_it_alone() {
        let (_dir, path) = path();
        let alone = Cell::default();
        let first = InUse::join(&path, Join { when_alone: Some(&|| alone.set()), ..QUIET }).unwrap();
        assert!(first.is_some() && alone.take());
        let second = InUse::join(&path, Join { when_alone: Some(&|| alone.set()), ..QUIET }).unwrap();
        assert!(second.is_some() && !alone.take());
        let busy = InUse::alone(&path).unwrap().unwrap_err();
        assert!(
            busy.starts_with(&format!("process {} (", std::process::id())) || busy == "another cargo xtask",
            "{busy}"
        );
        drop((first, second));
        let alone = InUse::alone(&path).unwrap().unwrap();
        assert!(InUse::alone(&path).unwrap().is_err());
        assert_eq!(InUse::join(&path, QUIET).unwrap_err().kind(), ErrorKind::Interrupted);
        drop(alone);
        assert!(InUse::join(&path, QUIET).unwrap().is_some());
    }

    #[derive(Default)]
    struct Cell(AtomicBool);

    impl Cell {
        fn set(&self) {
            self.0.store(true, Ordering::Relaxed);
        }

        fn take(&self) -> bool {
            self.0.swap(false, Ordering::Relaxed)
        }
    }

    #[test]
    fn who_joins_waits_and_is_told_for_whom() {
        let (_dir, path) = path();
        let alone = RefCell::new(Some(InUse::alone(&path).unwrap().unwrap()));
        let told = RefCell::new(Vec::new());
        let on_wait = |holder: &str| {
            told.borrow_mut().push(holder.to_owned());
            alone.borrow_mut().take();
        };
        let joined = InUse::join(&path, Join { cancelled: &|| false, on_wait: &on_wait, ..QUIET }).unwrap();
        assert!(joined.is_some());
        assert_eq!(told.borrow().len(), 1);
    }

    #[test]
    fn what_cannot_be_locked_can_be_read_and_nobody_has_it_alone() {
        let (_dir, path) = path();
        assert!(InUse::join(&path, Join { make: false, ..QUIET }).unwrap().is_none());
        assert!(!path.exists());
        let missing = path.join("in-use");
        fs::write(&path, "").unwrap();
        assert!(InUse::join(&missing, QUIET).is_err());
        fs::remove_file(&path).unwrap();
        assert!(InUse::join(&missing, QUIET).unwrap().is_none());
        InUse::alone(&missing).unwrap_err();
        symlink("elsewhere", &path).unwrap();
        InUse::join(&path, QUIET).unwrap_err();
        assert!(!path.with_file_name("elsewhere").exists());
    }

    #[test]
    fn a_holder_is_named_without_its_secrets() {
        let line = "7: FLOCK  ADVISORY  READ  4711 fe:00:123 0 EOF";
        assert_eq!(holds(line, "fe:00:123"), Some(4711));
        for (line, file) in [
            (line, "fe:00:12"),
            ("7: -> FLOCK  ADVISORY  WRITE 4711 fe:00:123 0 EOF", "fe:00:123"),
            ("7: POSIX  ADVISORY  WRITE 4711 fe:00:123 0 EOF", "fe:00:123"),
            ("7: FLOCK  ADVISORY  READ  0 fe:00:123 0 EOF", "fe:00:123"),
            ("", "fe:00:123"),
        ] {
            assert_eq!(holds(line, file), None, "{line}");
        }
        let dir = tempfile::tempdir().unwrap();
        let name = |cmdline: &str| {
            fs::create_dir_all(dir.path().join("1")).unwrap();
            fs::write(dir.path().join("1/cmdline"), cmdline).unwrap();
            named(1, dir.path())
        };
        assert_eq!(
            name("/a/target/debug/xtask\0build-layers\0--registry\0maven=https://u:p@h\0"),
            "process 1 (xtask build-layers)"
        );
        assert_eq!(name("xtask\0--registry=maven=https://u:p@h\0gc\0"), "process 1 (xtask)");
        assert_eq!(name(""), "process 1");
    }
}
