//! What can go wrong with a folder and the jars in it.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use zip::result::ZipError;

/// A file that cannot be read or written, or a jar that is none.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder.
    #[error("{doing} {path}")]
    Io {
        /// `reading`, `writing`.
        doing: &'static str,
        /// The file or folder.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A jar that is no zip file, or is damaged.
    #[error("reading {what} of the jar {path}")]
    Jar {
        /// The jar.
        path: Utf8PathBuf,
        /// The entry, or what else was being read.
        what: String,
        /// Why.
        source: ZipError,
    },
    /// A name that is no UTF-8.
    #[error("expected names in UTF-8 below {folder}, found {name}")]
    Name {
        /// The folder it lies in.
        folder: Utf8PathBuf,
        /// The name, as far as it can be shown.
        name: String,
    },
    /// A time that no zip file can hold.
    #[error("expected a time from 1980 to 2107, found {epoch} s after 1970")]
    Time {
        /// Seconds since 1970.
        epoch: u64,
    },
}

impl Error {
    pub(crate) fn reading(path: &Utf8Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing: "reading", path: path.to_owned(), source }
    }

    pub(crate) fn writing(path: &Utf8Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing: "writing", path: path.to_owned(), source }
    }
}
