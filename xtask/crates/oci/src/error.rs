//! What can go wrong, with what was expected and what was found.

use std::io;

use blob::Digest;
use camino::{Utf8Path, Utf8PathBuf};

/// The result of what this crate does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a layout could not be read or written.
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
    /// A blob whose bytes are not those that its name says.
    #[error("blob {path} is damaged: expected {expected}, found {found}; remove it and build again")]
    Damaged {
        /// The blob's file.
        path: Utf8PathBuf,
        /// The size and digest in its descriptor.
        expected: String,
        /// The size and digest of its bytes.
        found: String,
    },
    /// Somebody uses the layout who must not be disturbed.
    #[error("{by} is at work with the layout {path}")]
    InUse {
        /// The layout's folder.
        path: Utf8PathBuf,
        /// Who that is.
        by: String,
    },
    /// A folder or document that is no OCI image layout, or not one that is understood here.
    #[error("{path} {reason}")]
    Layout {
        /// The folder or document.
        path: Utf8PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    /// An operating system's refusal, for `map_err`.
    pub(crate) fn io(doing: &'static str, path: impl AsRef<Utf8Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_owned();
        // A verifying reader reports a damaged blob through `io::Error`, since that is all a reader can report. It is
        // unpacked here, so that callers see the typed error whichever way the bytes were read.
        move |source| match source.downcast::<Self>() {
            Ok(error) => error,
            Err(source) => Self::Io { doing, path, source },
        }
    }

    /// A fault of the layout at `path`: `reason` goes on where the path ends.
    pub fn layout(path: impl AsRef<Utf8Path>, reason: impl Into<String>) -> Self {
        Self::Layout { path: path.as_ref().to_owned(), reason: reason.into() }
    }

    /// A damaged blob.
    pub(crate) fn damaged(path: &Utf8Path, expected: (Digest, u64), found: (Digest, u64)) -> Self {
        let sized = |(digest, size): (Digest, u64)| format!("{size} bytes of {digest}");
        Self::Damaged { path: path.to_owned(), expected: sized(expected), found: sized(found) }
    }
}
