//! What can be wrong with the packages, the recipe and the certificates.

use std::{collections::BTreeSet, io};

use super::CertificateError;
use crate::deb::DebError;

/// A root file system that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum RootfsError {
    /// A package cannot be read.
    #[error(transparent)]
    Deb(#[from] DebError),
    /// The tar cannot be written.
    #[error("writing the root file system")]
    Write(#[source] io::Error),
    /// A package lacks a field that every package has.
    #[error("expected a field `{field}` in the control file of {package}, found none")]
    Field {
        /// File or name of the package.
        package: String,
        /// The field.
        field: &'static str,
    },
    /// Two packages of one name.
    #[error("expected one package `{0}`, found two: a root file system holds one version and architecture of each")]
    Twice(String),
    /// Packages for more than one machine.
    #[error("expected packages of one architecture, found {}", .0.iter().cloned().collect::<Vec<_>>().join(", "))]
    Architectures(BTreeSet<String>),
    /// A package holds a path that leads out of the root or is none.
    #[error("the package {package} holds the path `{path}`, which names nothing within the root")]
    Path {
        /// Name of the package.
        package: String,
        /// The path as it stands there.
        path: String,
    },
    /// A package holds a device or a pipe.
    #[error("the package {package} holds `{path}` of the tar type `{kind}`: expected a file, a directory or a link")]
    Kind {
        /// Name of the package.
        package: String,
        /// The path as it stands there.
        path: String,
        /// The tar type.
        kind: char,
    },
    /// Two parts want one path.
    #[error("`/{path}` comes from {first} and from {second}: leave one out, or name the path in the recipe")]
    Occupied {
        /// The path, relative to the root.
        path: String,
        /// Who had it first.
        first: String,
        /// Who wanted it then.
        second: String,
    },
    /// A hard link to a file that is not there.
    #[error("{by} holds `/{path}` as a hard link to `/{target}`, which was left out or does not come before it")]
    HardLink {
        /// The link.
        path: String,
        /// What it leads to.
        target: String,
        /// The package.
        by: String,
    },
    /// The recipe does not fit the packages. All that is wrong, one line each.
    #[error("the recipe does not fit the packages:\n  {}", .0.join("\n  "))]
    Recipe(Vec<String>),
    /// A certificate cannot be read.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}
