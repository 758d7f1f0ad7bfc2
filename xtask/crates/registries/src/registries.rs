//! The outcome of a discovery.

use std::{collections::BTreeMap, fmt, fs, io};

use camino::Utf8PathBuf;

use crate::{
    endpoint::{DebianEndpoint, Endpoint},
    kind::Kind,
};

/// The registries of a machine, by kind; each list in the order in which its members are to be asked.
#[derive(Debug, Clone, Default)]
pub struct Registries {
    /// Maven repositories.
    pub maven: Vec<Endpoint>,
    /// Simple indexes of Python packages.
    pub pypi: Vec<Endpoint>,
    /// Debian archives.
    pub debian: Vec<DebianEndpoint>,
    /// Certificates of authorities that the configuration adds: to be trusted in downloads, and put into images.
    pub extra_ca: Vec<ExtraCa>,
    /// The places looked at, in order. A place after one that settled its kind was not looked at.
    pub looked_at: Vec<Looked>,
    /// What the user should know: files that cannot be read, settings that are not honoured.
    pub warnings: Vec<String>,
    /// Kinds whose registry was stated by the user in a way that cannot be understood, with the problem. No other
    /// place is asked for these: packages must not come from elsewhere because of a typing error.
    pub(crate) broken: BTreeMap<Kind, String>,
}

/// A file of certificates (PEM).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraCa {
    /// The file. It was not opened.
    pub path: Utf8PathBuf,
    /// Who named it, for people.
    pub found_in: String,
}

/// The file of an authority that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("reading the CA {path} named by {found_in}")]
pub struct UnreadableCa {
    path: Utf8PathBuf,
    found_in: String,
    source: io::Error,
}

impl ExtraCa {
    /// Reads its certificates: the file, with what stands in it.
    ///
    /// # Errors
    /// It is not there, or may not be read.
    pub fn read(&self) -> Result<(Utf8PathBuf, Vec<u8>), UnreadableCa> {
        let Self { path, found_in } = self;
        match fs::read(path) {
            Ok(pem) => Ok((path.clone(), pem)),
            Err(source) => Err(UnreadableCa { path: path.clone(), found_in: found_in.clone(), source }),
        }
    }
}

/// A place that was looked at for registries of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// What was looked for.
    pub kind: Kind,
    /// A variable, a file, a flag.
    pub place: String,
    /// What it said.
    pub found: String,
}

/// Kinds of registries that are needed and not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Missing {
    /// Each kind that is missing, sorted.
    pub kinds: Vec<MissingKind>,
}

/// A kind of registry that is needed and not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingKind {
    /// The kind.
    pub kind: Kind,
    /// The places that were looked at for it.
    pub looked_at: Vec<Looked>,
    /// What is wrong with the place that should have said it; none if no place said anything.
    pub problem: Option<String>,
}

impl Registries {
    /// Makes sure that at least one registry of each of these kinds is known.
    ///
    /// # Errors
    /// One error for all kinds that are missing. Its text lists what was looked at and ends with the line to paste.
    pub fn require(&self, kinds: &[Kind]) -> Result<(), Missing> {
        let is_missing = |kind: &Kind| match kind {
            Kind::Maven => self.maven.is_empty(),
            Kind::Pypi => self.pypi.is_empty(),
            Kind::Debian => self.debian.is_empty(),
        };
        let missing: Vec<_> = Kind::ALL
            .into_iter()
            .filter(|kind| kinds.contains(kind) && is_missing(kind))
            .map(|kind| MissingKind {
                kind,
                looked_at: self.looked_at.iter().filter(|looked| looked.kind == kind).cloned().collect(),
                problem: self.broken.get(&kind).cloned(),
            })
            .collect();
        if missing.is_empty() { Ok(()) } else { Err(Missing { kinds: missing }) }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.kinds.iter().map(|missing| missing.kind.name()).collect();
        writeln!(f, "no package registry is known for {}", names.join(", "))?;
        for missing in &self.kinds {
            match &missing.problem {
                Some(problem) => writeln!(f, "  {}: {problem}", missing.kind)?,
                None => {
                    writeln!(f, "  {}: looked at", missing.kind)?;
                    for looked in &missing.looked_at {
                        writeln!(f, "    {}: {}", looked.place, looked.found)?;
                    }
                }
            }
        }
        let settings: Vec<_> = names.iter().map(|name| format!("{name}=URL")).collect();
        let verb =
            if self.kinds.iter().all(|missing| missing.problem.is_some()) { "correct it, or set" } else { "set" };
        write!(f, "{verb} SPARK_IMAGES_REGISTRIES='{}'", settings.join(" "))
    }
}
