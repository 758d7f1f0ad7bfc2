//! The kinds of package registries.

use std::{fmt, str::FromStr};

/// A kind of package registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A Maven repository: jars by group, artifact and version.
    Maven,
    /// A simple index of Python packages (PEP 503, PEP 691).
    Pypi,
    /// An archive of Debian packages: suites below `dists/`, files below `pool/`.
    Debian,
}

/// A word that names no kind of registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no kind of registry: expected maven, pypi or debian")]
pub struct ParseKindError(String);

impl Kind {
    /// All kinds, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Maven, Self::Pypi, Self::Debian];

    /// The word for this kind on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Maven => "maven",
            Self::Pypi => "pypi",
            Self::Debian => "debian",
        }
    }

    /// The environment variable that lists the registries of this kind.
    pub fn variable(self) -> &'static str {
        match self {
            Self::Maven => "SPARK_IMAGES_MAVEN",
            Self::Pypi => "SPARK_IMAGES_PYPI",
            Self::Debian => "SPARK_IMAGES_DEBIAN",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Kind {
    type Err = ParseKindError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| ParseKindError(text.to_owned()))
    }
}
