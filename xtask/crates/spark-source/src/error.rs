//! What can go wrong, in words that name the file and what was expected of it.

use std::io;

use blob::Digest;
use camino::{Utf8Path, Utf8PathBuf};

/// Why a source tree or archive cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder is no Spark source tree.
    #[error("expected a Spark source tree (pom.xml and dev/make-distribution.sh) in {root}, found {found}")]
    NotSpark {
        /// The folder.
        root: Utf8PathBuf,
        /// What it seems to be.
        found: String,
    },
    /// Reading or writing failed.
    #[error("{doing} {path}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: Utf8PathBuf,
        /// Why it failed.
        #[source]
        error: io::Error,
    },
    /// pom.xml is no XML. The source names line and column.
    #[error("reading {path}")]
    Xml {
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong, and where.
        #[source]
        error: roxmltree::Error,
    },
    /// pom.xml does not say what it must say.
    #[error("{path}:{line}: expected {expected}, found {found}")]
    Pom {
        /// The file.
        path: Utf8PathBuf,
        /// The line, from 1.
        line: u32,
        /// What should stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// PySpark does not say its version.
    #[error("expected `__version__ = \"...\"` in {path}, found none")]
    PySpark {
        /// The file.
        path: Utf8PathBuf,
    },
    /// The tree's py4j is not the one file that it should be.
    #[error("expected one file py4j-*-src.zip in {folder}, found {found}")]
    Py4j {
        /// The folder.
        folder: Utf8PathBuf,
        /// What lies there.
        found: String,
    },
    /// Something in the tree is neither a file, nor a folder, nor a link.
    #[error("expected files, folders and links in a source tree, found {kind} {path}")]
    Special {
        /// Where it lies.
        path: Utf8PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// A name in the tree is not UTF-8.
    #[error("expected names that are UTF-8, found {0}")]
    Name(String),
    /// A file changed again and again while it was read.
    #[error("{path} changed while it was read: expected a tree that nobody writes to")]
    Changed {
        /// The file.
        path: Utf8PathBuf,
    },
    /// A link leads out of the tree or could do so.
    #[error("expected links that stay in the source tree, found {path} -> {target}")]
    Link {
        /// The link.
        path: Utf8PathBuf,
        /// Where it points to.
        target: String,
    },
    /// The folder is a git checkout, and git does not answer.
    #[error("asking git which files of {root} count: {reason}")]
    Git {
        /// The top of the checkout.
        root: Utf8PathBuf,
        /// What git says.
        reason: String,
    },
    /// What is to be made is there already.
    #[error("expected nothing at {0}, found something")]
    Exists(Utf8PathBuf),
    /// The archive holds what no source archive holds.
    #[error("unpacking {archive}: expected {expected}, found {found}")]
    Entry {
        /// The archive.
        archive: Utf8PathBuf,
        /// What should be there.
        expected: &'static str,
        /// The entry, and what it is.
        found: String,
    },
    /// The archive is not the one that was asked for.
    #[error("reading {archive}: expected {expected}, found {found} ({size} bytes)")]
    Digest {
        /// The archive.
        archive: Utf8PathBuf,
        /// The digest that it should have.
        expected: Digest,
        /// The digest that it has.
        found: Digest,
        /// Its size in bytes.
        size: u64,
    },
    /// The caller's flag was set.
    #[error("interrupted while {doing} {path}")]
    Cancelled {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: Utf8PathBuf,
    },
}

impl Error {
    /// For [`Result::map_err`]: what was being done to what.
    pub(crate) fn io(doing: &'static str, path: &Utf8Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io { doing, path: path.to_owned(), error }
    }
}
