//! What can go wrong, with what was expected and what was found.

use std::{fmt, io};

use blob::Digest;
use camino::{Utf8Path, Utf8PathBuf};

/// The result of what this crate does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be assembled, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("{doing} {path}")]
    Io {
        /// What was being done: "reading", "writing".
        doing: &'static str,
        /// To what.
        path: Utf8PathBuf,
        /// The reason the system gave.
        source: io::Error,
    },
    /// All that is wrong with a Dockerfile.
    #[error(transparent)]
    Dockerfile(#[from] Problems),
    /// A context that cannot be: a path that leaves it, or two things at one path.
    #[error("context: `{path}` {reason}")]
    Context {
        /// The path in the context.
        path: String,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// A file whose bytes are not those that were promised.
    #[error("the bytes of {file} are not what was promised: expected {expected}, found {found}")]
    Mismatch {
        /// The file, and where its bytes come from.
        file: String,
        /// The promised size and digest.
        expected: String,
        /// What was read.
        found: String,
    },
    /// A layout that cannot be read or written, or is damaged.
    #[error(transparent)]
    Layout(#[from] oci::Error),
    /// A tar or zip archive that cannot be read.
    #[error("archive {name}: {reason}")]
    Archive {
        /// The archive.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A command of a RUN that failed.
    #[error("{file}:{line}: `{command}` failed with exit code {code}{}", told(.output, .note.as_deref()))]
    Failed {
        /// The name of the Dockerfile.
        file: String,
        /// The line on which the instruction begins.
        line: usize,
        /// What was run.
        command: String,
        /// The exit code.
        code: i32,
        /// The last lines that it printed.
        output: Vec<String>,
        /// What is known of the cause.
        note: Option<String>,
    },
    /// A command of a RUN that was interrupted. Nothing of it was kept.
    #[error("{file}:{line}: `{command}` was interrupted; nothing of it was kept")]
    Interrupted {
        /// The name of the Dockerfile.
        file: String,
        /// The line on which the instruction begins.
        line: usize,
        /// What was run.
        command: String,
    },
    /// A command of a RUN that could not be run.
    #[error("{file}:{line}: `{command}` could not be run")]
    Runner {
        /// The name of the Dockerfile.
        file: String,
        /// The line on which the instruction begins.
        line: usize,
        /// What should have been run.
        command: String,
        /// Why not.
        source: crate::run::RunnerError,
    },
    /// Something is already there, and nobody said that it may be replaced.
    #[error("{path} exists already; remove it, name another one, or say that it may be replaced")]
    Exists {
        /// What is there.
        path: Utf8PathBuf,
    },
}

impl Error {
    /// An operating system's refusal, for `map_err`.
    pub(crate) fn io(doing: &'static str, path: impl AsRef<Utf8Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_owned();
        // A verifying reader reports a damaged blob through `io::Error`, since that is all a reader can report. It is
        // unpacked here, so that callers see the typed error whichever way the bytes were read.
        move |source| match source.downcast::<oci::Error>() {
            Ok(error) => Self::Layout(error),
            Err(source) => Self::Io { doing, path, source },
        }
    }
}

/// The last words of a command, and what is known of why it failed.
fn told(output: &[String], note: Option<&str>) -> String {
    let lines = output.iter().map(|line| format!("\n    {line}"));
    let note = note.map(|note| format!("\n{note}"));
    lines.chain(note).collect()
}

/// `1234 bytes of sha256:…`
pub(crate) fn sized((digest, size): (Digest, u64)) -> String {
    format!("{size} bytes of {digest}")
}

/// One thing that is wrong with a Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The line on which the instruction begins, counted from 1.
    pub line: usize,
    /// What is wrong, and what to do.
    pub message: String,
}

/// All that is wrong with a Dockerfile, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    /// The name of the file, as it was given.
    pub file: String,
    /// Never empty.
    pub problems: Vec<Problem>,
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{}:{}: {}", self.file, problem.line, problem.message)?;
        }
        Ok(())
    }
}
