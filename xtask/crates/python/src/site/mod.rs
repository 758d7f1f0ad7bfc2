//! Lays wheels out as a site directory: which files stand where, with which bytes, and nothing is unpacked.
//!
//! What `pip install --no-compile` does with the same wheels, as a function: the same paths and bytes, but for the
//! interpreter's path and the form of generated scripts, `INSTALLER`, and `RECORD`, which is sorted. There is no bytecode,
//! and no clock, host name or environment takes part.
//!
//! Source: PyPA's [binary distribution format](https://packaging.python.org/en/latest/specifications/binary-distribution-format/)
//! and [recording installed projects](https://packaging.python.org/en/latest/specifications/recording-installed-packages/).
//! Nothing here writes to disk; that is the business of whoever makes a layer of the list.

mod merge;
mod place;
mod plan;
mod record;
mod scripts;

use std::fmt;

use blob::Digest;
use camino::Utf8PathBuf;

use crate::{
    name::PackageName,
    wheel::{Archive, ArchiveError},
};

/// Where things are installed, and for which interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The folder that holds packages, relative to the prefix.
    pub site: Utf8PathBuf,
    /// The folder of scripts, relative to the prefix.
    pub scripts: Utf8PathBuf,
    /// The folder of C headers, relative to the prefix; each project has its own in it.
    pub headers: Utf8PathBuf,
    /// The interpreter's absolute path, for the first line of scripts.
    pub interpreter: String,
    /// The interpreter's version: major and minor.
    pub python: (u64, u64),
}

impl Layout {
    /// Debian's layout for what is installed beside the packages of the system, below the prefix `/usr/local`.
    pub fn debian_local(python: (u64, u64)) -> Self {
        let (major, minor) = python;
        Self {
            site: format!("lib/python{major}.{minor}/dist-packages").into(),
            scripts: "bin".into(),
            headers: format!("include/python{major}.{minor}").into(),
            interpreter: "/usr/bin/python3".to_owned(),
            python,
        }
    }
}

/// A wheel to lay out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wheel {
    /// Its file name on the index.
    pub filename: String,
    /// Where its bytes lie.
    pub path: Utf8PathBuf,
    /// Whether it was asked for by name, and not as a dependency (`REQUESTED`).
    pub requested: bool,
}

/// A file of the laid out set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteFile {
    /// Its path relative to the prefix, such as `lib/python3.11/dist-packages/numpy/__init__.py` or `bin/f2py`.
    pub path: Utf8PathBuf,
    /// Whether it may be executed: mode 0755, else 0644.
    pub executable: bool,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest. For [`Content::Zip`] this is the word of the wheel's `RECORD` where that has one of the right size;
    /// whoever copies the bytes sees whether it is true.
    pub digest: Digest,
    /// Where its bytes are.
    pub content: Content,
}

/// The bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// An entry of a wheel, stored or deflated.
    Zip {
        /// Where the wheel lies.
        wheel: Utf8PathBuf,
        /// The entry's name.
        entry: String,
    },
    /// Bytes that were made or changed here.
    Bytes(Vec<u8>),
}

/// Two wheels, by file name, that cannot be installed beside each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// Both bring one path with different bytes, or one a file where the other has a folder.
    #[error("{path}: {} and {}", wheels[0], wheels[1])]
    Path {
        /// The path, relative to the prefix.
        path: Utf8PathBuf,
        /// The wheels.
        wheels: [String; 2],
    },
    /// Both are of one project.
    #[error("the project {project}: {} and {}", wheels[0], wheels[1])]
    Project {
        /// The project.
        project: PackageName,
        /// The wheels.
        wheels: [String; 2],
    },
}

/// A set of wheels that cannot be laid out.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// A wheel cannot be read, or is unsound.
    #[error(transparent)]
    Wheel(#[from] ArchiveError),
    /// Wheels overwrite each other's files. pip lets the last one win.
    #[error("wheels of one set overwrite each other; leave one of each two out:{}", Lines(.0))]
    Conflicts(Vec<Conflict>),
}

struct Lines<'a>(&'a [Conflict]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        for conflict in self.0.iter().take(SHOWN) {
            write!(f, "\n  {conflict}")?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

/// The files of `wheels`, sorted by the bytes of their paths, for a prefix in which those of `below` already stand.
///
/// A file that a wheel of `below` has with the same bytes (an empty `__init__.py` of a shared namespace) is left out.
///
/// # Errors
/// A wheel cannot be read, is unsound or would write outside of the prefix; two wheels want one path with different
/// bytes, or one a file where the other has a folder; two wheels are of one project. All conflicts are reported at once.
pub fn lay_out(wheels: &[Wheel], below: &[Wheel], layout: &Layout) -> Result<Vec<SiteFile>, SiteError> {
    let plan = |wheel: &Wheel| {
        let mut archive = Archive::open(&wheel.filename, &wheel.path)?;
        plan::plan(&mut archive, wheel, layout)
    };
    let below = below.iter().map(plan).collect::<Result<Vec<_>, _>>()?;
    let wheels = wheels.iter().map(plan).collect::<Result<Vec<_>, _>>()?;
    merge::merge(wheels, below)
}
