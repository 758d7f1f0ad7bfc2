//! A root file system from `.deb` files and a recipe, as one deterministic tar.
//!
//! The packages' files come first, package by package in the order of their names, then what their maintainer scripts
//! would have made: accounts, alternatives, certificate stores, the cache of the dynamic linker and dpkg's database.
//! Owners and modes are the packages' own, times are all the same. Nothing is written to disk, memory is bounded
//! however large a package is, and no script is run.

mod accounts;
mod alternatives;
mod build;
mod certificates;
mod database;
mod error;
mod layout;
mod linker;
mod package;
mod recipe;
mod stream;
mod tree;
mod writer;
mod x509;

use std::io::Write;

use crate::deb::Deb;
use build::Build;
use writer::Writer;

pub use certificates::{Authority, CertificateError, keystore};
pub use error::RootfsError;
pub use recipe::{Alternative, Directory, Diversion, File, Group, Link, Mode, Recipe, Slave, User};

/// What a root file system is made of.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The packages. Their order does not matter.
    pub debs: &'a [Deb],
    /// All else.
    pub recipe: &'a Recipe,
    /// Certificate authorities that are trusted beside those of the package `ca-certificates`.
    pub authorities: &'a [Authority],
    /// Modification time of every entry, in seconds since 1970.
    pub epoch: u64,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The architecture of the packages.
    pub architecture: String,
    /// Name and version of each package, sorted.
    pub packages: Vec<(String, String)>,
    /// Entries in the tar.
    pub entries: usize,
}

/// Writes the root file system as a tar to `out`. The same inputs give the same bytes.
///
/// # Errors
/// See [`RootfsError`]. What was written to `out` is then worthless.
pub fn write(inputs: &Inputs<'_>, out: impl Write) -> Result<Summary, RootfsError> {
    let (mut packages, debs) = package::read_all(inputs.debs)?;
    let architecture = package::architecture(&packages)?;
    let recipe = inputs.recipe.for_architecture(&architecture);
    let mut build = Build::begin(&recipe, &architecture, Writer::new(out, inputs.epoch))?;
    stream::for_each(&debs, |index, entries| build.package(&mut packages[index], entries))?;
    let entries = build.finish(&packages, inputs)?;
    let packages = packages.into_iter().map(|package| (package.name, package.version)).collect();
    Ok(Summary { architecture, packages, entries })
}
