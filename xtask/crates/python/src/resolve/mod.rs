//! Resolves requirements to a closure of wheels.
//!
//! The solver is PubGrub's: it finds a set if there is one, and else knows why there is none. Only wheels count: nothing
//! is built from source. What a lock held before stays as it was as long as it satisfies the requirements; the rest takes
//! the newest version, and pre-releases only where a requirement names one or a project has nothing else.
//!
//! Sets come in layers: a set that is resolved upon another (`below`) gets that other's versions and no others, and
//! gives back only what it adds. A package of the layer below is never upgraded; where that would be needed, there is no
//! solution.
//!
//! The network is the caller's, behind [`Index`]. Requests for what is sure to be needed are made from several threads.

mod cache;
mod explain;
mod fetch;
mod project;
mod provider;
mod ranges;

use std::collections::{BTreeMap, BTreeSet};

use blob::Digest;
use pep440_rs::Version;

use crate::{
    name::PackageName,
    requirement::Requirement,
    simple::IndexFile,
    wheel::{Tags, Target},
};

/// What went wrong in an [`Index`].
pub type IndexError = Box<dyn std::error::Error + Send + Sync>;

/// Where projects are found: one or more simple indexes, and the way to them.
pub trait Index: Sync {
    /// The files on a project's page ([`parse_page`](crate::simple::parse_page)); `None` where no index has the project.
    ///
    /// # Errors
    /// The page cannot be had or read.
    fn project_page(&self, name: &PackageName) -> Result<Option<Vec<IndexFile>>, IndexError>;

    /// The bytes of a wheel's `METADATA`: from [`metadata_url`](IndexFile::metadata_url) where the page offers it, else
    /// out of the wheel itself ([`read_metadata`](crate::wheel::read_metadata), by ranges with a
    /// [`RangeReader`](crate::range::RangeReader) or whole).
    ///
    /// # Errors
    /// Neither can be had.
    fn metadata(&self, file: &IndexFile) -> Result<Vec<u8>, IndexError>;

    /// The digest and the size of a wheel of the solution whose page lacks one of them. `file` says what is known.
    ///
    /// # Errors
    /// The wheel cannot be had.
    fn identify(&self, file: &IndexFile) -> Result<(Digest, u64), IndexError>;
}

/// A wheel of a resolved set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The project.
    pub name: PackageName,
    /// Its version.
    pub version: Version,
    /// The wheel's file name.
    pub filename: String,
    /// Its digest.
    pub sha256: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Whether a requirement names it; else it is there because another package needs it.
    pub requested: bool,
}

/// What is to be resolved.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The requirements. Those whose marker does not hold for the target are left out.
    pub requirements: &'a [Requirement],
    /// The interpreter and the system.
    pub target: &'a Target,
    /// What the last lock held of this set: its versions and files stay where they satisfy the requirements.
    pub previous: &'a [Pin],
    /// Those of `previous` that may move to the newest version.
    pub update: &'a BTreeSet<PackageName>,
    /// The set below this one, complete: its versions stay as they are.
    pub below: &'a [Pin],
}

/// A request without an answer.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The index did not answer.
    #[error("{what}")]
    Index {
        /// What was being done to what.
        what: String,
        /// Why it failed.
        source: IndexError,
    },
    /// A file does not have the digest that the index promised, or that the last lock held.
    #[error("{what} has changed: expected {expected}, found {found}")]
    Changed {
        /// The file.
        what: String,
        /// Its digest as it was promised or locked.
        expected: Digest,
        /// The digest as it is.
        found: Digest,
    },
    /// No set of versions satisfies all requirements.
    #[error("no set of versions satisfies the requirements; change one that these facts are about:{}", explain::lines(.0))]
    Conflict(Vec<String>),
}

/// The releases of a project, as a target sees them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Releases {
    /// Versions with a wheel that fits, neither yanked nor, unless there are no others, pre-releases; the newest last.
    pub usable: Vec<Version>,
    /// The others, with what is missing or wrong: it has no wheel, needs another Python, was yanked.
    pub unusable: BTreeMap<Version, String>,
}

/// The releases of a project; nothing where no index has it.
///
/// # Errors
/// The index does not answer.
pub fn releases(index: &dyn Index, name: &PackageName, target: &Target) -> Result<Option<Releases>, ResolveError> {
    let what = || format!("reading the index page of {name}");
    let files = index.project_page(name).map_err(|source| ResolveError::Index { what: what(), source })?;
    Ok(files.map(|files| project::Project::new(name, files, target, &Tags::of(target)).releases()))
}

/// Resolves `request`: the wheels that the requirements need and `below` does not have, sorted by name.
///
/// # Errors
/// The index fails, a file has changed under its name, or there is no solution: then the error lists the facts that
/// exclude each other.
pub fn resolve(index: &dyn Index, request: &Request<'_>) -> Result<Vec<Pin>, ResolveError> {
    let provider = provider::Provider::new(index, request);
    let solution = match pubgrub::resolve(&provider, provider::Package::Root, Version::new([0])) {
        Ok(solution) => solution,
        Err(pubgrub::PubGrubError::NoSolution(tree)) => {
            return Err(ResolveError::Conflict(explain::facts(&tree, &provider)));
        }
        Err(
            pubgrub::PubGrubError::ErrorRetrievingDependencies { source, .. }
            | pubgrub::PubGrubError::ErrorChoosingVersion { source, .. }
            | pubgrub::PubGrubError::ErrorInShouldCancel(source),
        ) => return Err(source),
    };
    let requested: BTreeSet<&PackageName> = provider.requirements().map(|requirement| &requirement.name).collect();
    let mut chosen = BTreeMap::new();
    for (package, version) in solution {
        if let provider::Package::Project(name) = package
            && provider.below(&name).is_none()
            && let Some(file) = provider.wheel(&name, &version)?
        {
            chosen.insert(name, (version, file));
        }
    }
    let files: Vec<&IndexFile> = chosen.values().map(|(_, file)| file).collect();
    let identities = fetch::parallel(&files, |file| identity(index, file))?;
    let mut pins = Vec::new();
    for ((name, (version, file)), (sha256, size)) in chosen.into_iter().zip(identities) {
        if let Some(held) = request.previous.iter().find(|pin| pin.filename == file.filename) {
            check(&file.filename, held.sha256, sha256)?;
        }
        let requested = requested.contains(&name);
        pins.push(Pin { name, version, filename: file.filename, sha256, size, requested });
    }
    Ok(pins)
}

fn identity(index: &dyn Index, file: &IndexFile) -> Result<(Digest, u64), ResolveError> {
    if let (Some(sha256), Some(size)) = (file.sha256, file.size) {
        return Ok((sha256, size));
    }
    let what = || format!("finding the digest and the size of {}", file.filename);
    let (sha256, size) = index.identify(file).map_err(|source| ResolveError::Index { what: what(), source })?;
    check(&file.filename, file.sha256.unwrap_or(sha256), sha256)?;
    Ok((sha256, size))
}

fn check(what: &str, expected: Digest, found: Digest) -> Result<(), ResolveError> {
    if expected == found {
        return Ok(());
    }
    Err(ResolveError::Changed { what: what.to_owned(), expected, found })
}
