//! The log of an image: what was done and what came of it, or why it failed. Each line reaches the file as it comes, so that
//! a build that is killed has said what it did, and nothing is kept in memory.

use std::{
    fmt::Display,
    fs::{self, File},
    io::{self, Write},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context as _, Result};
use camino::{Utf8Path, Utf8PathBuf};

/// A log that is being written. That it cannot be written is said at its end: until then there may be worse to say.
pub(crate) struct Log {
    path: Utf8PathBuf,
    file: Mutex<io::Result<File>>,
}

impl Log {
    /// Begins a log in place of the one that stood there.
    pub(crate) fn begin(path: Utf8PathBuf) -> Self {
        let file = Mutex::new(create(&path));
        Self { path, file }
    }

    /// Adds a line.
    pub(crate) fn line(&self, text: impl Display) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(open) = file.as_mut()
            && let Err(error) = open.write_all(format!("{text}\n").as_bytes())
        {
            *file = Err(error);
        }
    }

    /// Ends the log.
    ///
    /// # Errors
    /// A line could not be written; what came before it was.
    pub(crate) fn end(self) -> Result<()> {
        let file = self.file.into_inner().unwrap_or_else(PoisonError::into_inner);
        file.map(drop).with_context(|| format!("writing {}", self.path))
    }
}

/// The old log is removed, not emptied: whoever still writes to it or reads it keeps it.
fn create(path: &Utf8Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => File::create_new(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_in_the_file_as_soon_as_it_was_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().join("logs/build-a.log")).unwrap();
        let old = Log::begin(path.clone());
        old.line("old");
        let log = Log::begin(path.clone());
        log.line("image a");
        log.line(format_args!("| {}", "said"));
        old.line("old");
        assert_eq!(fs::read_to_string(&path).unwrap(), "image a\n| said\n");
        log.end().unwrap();
    }

    #[test]
    fn that_a_log_cannot_be_written_is_said_at_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let logs = Utf8PathBuf::from_path_buf(folder.path().join("logs")).unwrap();
        fs::write(&logs, "a file").unwrap();
        let log = Log::begin(logs.join("build-a.log"));
        log.line("image a");
        assert_eq!(log.end().unwrap_err().to_string(), format!("writing {logs}/build-a.log"));
        // A disk that fills up while something runs.
        let full = Log { path: "full".into(), file: Mutex::new(File::options().write(true).open("/dev/full")) };
        full.line("image a");
        full.line("| said");
        assert!(format!("{:#}", full.end().unwrap_err()).starts_with("writing full: No space left"));
    }
}
