//! What can go wrong, with what was expected and what was found.

use std::io;

use blob::Digest;
use camino::Utf8PathBuf;

/// A run or an unpack that did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file operation of the host failed.
    #[error("{action} {path}")]
    Io {
        /// What was being done, as "reading".
        action: &'static str,
        /// To which file or folder.
        path: Utf8PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The bytes of a layer are not those that its name promises. Nothing of it was kept.
    #[error("unpacking the layer {path}: expected {expected}, found {found}")]
    Corrupt {
        /// The tar file.
        path: Utf8PathBuf,
        /// The diff_id of the layer.
        expected: Digest,
        /// The digest of the bytes that were read.
        found: Digest,
    },
    /// An entry of a layer cannot be unpacked. Nothing of the layer was kept.
    #[error("unpacking the layer {path}: entry `{entry}`: {problem}")]
    Entry {
        /// The tar file.
        path: Utf8PathBuf,
        /// The name of the entry, as it stands in the archive.
        entry: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A layer that should have been unpacked before is not in the folder of layers.
    #[error("layer {diff_id} is not unpacked in {folder}; unpack it first")]
    Missing {
        /// The diff_id of the layer.
        diff_id: Digest,
        /// The folder that was looked in.
        folder: Utf8PathBuf,
    },
    /// A user or group that the image does not know.
    #[error("the image has no {kind} `{name}` in {file}; use one that it has, or a number")]
    NoSuchName {
        /// "user" or "group".
        kind: &'static str,
        /// The name asked for.
        name: String,
        /// The file of the image that was read.
        file: &'static str,
    },
    /// Something in a [`Spec`](crate::Spec) that no run can satisfy.
    #[error("{0}")]
    Spec(String),
    /// The box could not be set up; the command was not started.
    #[error("setting up the sandbox: {0}")]
    Setup(String),
    /// This machine cannot run a sandbox.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
}

impl Error {
    /// For `map_err` on file operations.
    pub(crate) fn io(action: &'static str, path: impl Into<Utf8PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

/// Why this machine cannot run a sandbox: one sentence with the cause, one with the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this machine cannot run a sandbox: {cause}; {remedy}")]
pub struct Unsupported {
    /// What is missing or forbidden.
    pub cause: String,
    /// What to do about it.
    pub remedy: String,
}
