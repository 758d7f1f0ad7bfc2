//! Package indexes (`Packages` files) of one or several suites, and what a name stands for in them.
//!
//! An index is cut into stanzas once; their fields are read only of the packages that somebody asks for.
//! Format: <https://wiki.debian.org/DebianRepository/Format#A.22Packages.22_Indices>.

use std::collections::HashMap;

use blob::Digest;
use memchr::memmem;

use crate::{
    control::{self, Stanza},
    relation::{self, Relation},
    version,
};

/// The indexes.
#[derive(Debug, Default)]
pub struct Index {
    suites: Vec<Suite>,
    /// The stanzas of each name, over all suites.
    names: HashMap<String, Vec<Place>>,
    /// The stanzas that provide something, and what: where it begins and ends in the text of the suite.
    providers: Vec<(Place, usize, usize)>,
}

#[derive(Debug)]
struct Suite {
    name: String,
    text: String,
}

/// A stanza: the number of its suite, and where it begins and ends there.
#[derive(Debug, Clone, Copy)]
struct Place {
    suite: usize,
    begin: usize,
    end: usize,
}

/// A package of an index.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The suite, as [`Index::add`] was told.
    pub suite: &'a str,
    /// The stanza.
    pub stanza: Stanza<'a>,
}

/// What is needed to fetch and to install a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Architecture; `all` where it is made for every one.
    pub architecture: String,
    /// The suite whose index names it.
    pub suite: String,
    /// Path of the file below the root of the archive: `pool/main/...`.
    pub filename: String,
    /// Size of the file in bytes.
    pub size: u64,
    /// SHA-256 of the file.
    pub digest: Digest,
}

/// A stanza of an index that lacks something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a valid field `{field}` of the package {package} in the index of {suite}, found {found}")]
pub struct StanzaError {
    package: String,
    field: &'static str,
    suite: String,
    found: String,
}

impl Index {
    /// An index of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the text of a `Packages` file. Of two suites with the same version of a package, the one added first wins.
    pub fn add(&mut self, suite: &str, text: String) {
        let number = self.suites.len();
        let mut provides = memmem::find_iter(text.as_bytes(), b"\nProvides:").peekable();
        let mut begin = 0;
        for end in memmem::find_iter(text.as_bytes(), b"\n\n").chain([text.len()]) {
            let breaks = text.as_bytes()[begin..end].iter().take_while(|byte| **byte == b'\n').count();
            let place = Place { suite: number, begin: begin + breaks, end };
            begin = end;
            let stanza = &text[place.begin..place.end];
            // Every archive writes the name first, and looking for it is most of the work.
            let name = match stanza.strip_prefix("Package: ") {
                Some(rest) => memchr::memchr(b'\n', rest.as_bytes()).map_or(rest, |end| &rest[..end]).trim_end(),
                None => Stanza::new(stanza).get("Package").unwrap_or_default(),
            };
            if !name.is_empty() {
                self.names.entry(name.to_owned()).or_default().push(place);
            }
            if let Some(at) = provides.next_if(|at| *at < end) {
                let line = &text[at + 1..end];
                self.providers.push((place, at + 1, at + 1 + control::end_of_value(line)));
            }
        }
        self.suites.push(Suite { name: suite.to_owned(), text });
    }

    /// Number of different names.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether it holds no package.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The package of this name with the highest version that can be installed on `architecture`.
    pub fn candidate(&self, name: &str, architecture: &str) -> Option<Candidate<'_>> {
        let all = self.names.get(name)?.iter().map(|place| self.at(*place));
        // Of equal versions the first one stays.
        all.filter(|candidate| candidate.fits(architecture))
            .reduce(|best, next| if version::compare(next.version(), best.version()).is_gt() { next } else { best })
    }

    /// The packages that provide what `relation` means, sorted by name, each in its highest version only.
    pub fn providers(&self, relation: &Relation<'_>, architecture: &str) -> Vec<Candidate<'_>> {
        let finder = memmem::Finder::new(relation.name);
        let mut found: Vec<Candidate<'_>> = Vec::new();
        for (place, begin, end) in &self.providers {
            let provider = self.at(*place);
            let line = &self.suites[place.suite].text.as_bytes()[*begin..*end];
            if finder.find(line).is_none() || !provider.provides(relation) {
                continue;
            }
            let best = self.candidate(provider.name(), architecture);
            if best.is_some_and(|best| best.stanza == provider.stanza) {
                found.push(provider);
            }
        }
        found.sort_by_key(Candidate::name);
        found.dedup_by_key(|provider| provider.name());
        found
    }

    fn at(&self, place: Place) -> Candidate<'_> {
        let suite = &self.suites[place.suite];
        Candidate { suite: &suite.name, stanza: Stanza::new(&suite.text[place.begin..place.end]) }
    }
}

impl<'a> Candidate<'a> {
    /// Name of the package.
    pub fn name(&self) -> &'a str {
        self.stanza.get("Package").unwrap_or_default()
    }

    /// Version of the package.
    pub fn version(&self) -> &'a str {
        self.stanza.get("Version").unwrap_or_default()
    }

    /// Whether the package or something that it provides is what `relation` means.
    pub fn satisfies(&self, relation: &Relation<'_>) -> bool {
        (self.name() == relation.name && relation.admits(self.version())) || self.provides(relation)
    }

    /// Whether something that the package provides is what `relation` means.
    pub fn provides(&self, relation: &Relation<'_>) -> bool {
        let provided = self.stanza.get("Provides").unwrap_or_default().split(',');
        let provided = provided.filter_map(|provided| Relation::parse(provided).ok());
        provided
            .filter(|provided| provided.name == relation.name)
            .any(|provided| relation.admits_provided(provided.bound.map(|(_, version)| version)))
    }

    /// The relations of a field, none where the package lacks it.
    ///
    /// # Errors
    /// The field holds something else.
    pub fn relations(&self, field: &'static str) -> Result<Vec<Vec<Relation<'a>>>, StanzaError> {
        let value = self.stanza.get(field).unwrap_or_default();
        relation::parse(value).map_err(|error| self.error(field, error.to_string()))
    }

    /// What is needed to fetch and to install the package.
    ///
    /// # Errors
    /// A field is missing or damaged.
    pub fn package(&self) -> Result<Package, StanzaError> {
        let field = |name| self.stanza.get(name).ok_or_else(|| self.error(name, "none".into()));
        let filename = field("Filename")?;
        if filename.starts_with('/') || filename.split('/').any(|part| part == "..") {
            return Err(self.error("Filename", format!("`{filename}`, which leads out of the archive")));
        }
        let size = field("Size")?;
        let digest = field("SHA256")?;
        Ok(Package {
            name: field("Package")?.to_owned(),
            version: field("Version")?.to_owned(),
            architecture: field("Architecture")?.to_owned(),
            suite: self.suite.to_owned(),
            filename: filename.to_owned(),
            size: size.parse().map_err(|_| self.error("Size", format!("`{size}`")))?,
            digest: digest.parse().map_err(|_| self.error("SHA256", format!("`{digest}`")))?,
        })
    }

    fn fits(&self, architecture: &str) -> bool {
        self.stanza.get("Architecture").is_some_and(|of| of == architecture || of == "all")
    }

    fn error(&self, field: &'static str, found: String) -> StanzaError {
        StanzaError { package: self.name().to_owned(), field, suite: self.suite.to_owned(), found }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIN: &str = "Package: a\nVersion: 1.9\nArchitecture: all\nProvides: v (= 2), w\n\n\
                        Package: b\nVersion: 1\nArchitecture: arm64\n\n\
                        Package: c\nVersion: 1\nArchitecture: amd64\nProvides: v\nFilename: pool/c.deb\nSize: 5\n\
                        SHA256: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n\n";
    const SECURITY: &str = "\n\nPackage: a\nVersion: 1.10\nArchitecture: all\nProvides: v (= 3)\n";

    fn index() -> Index {
        let mut index = Index::new();
        index.add("main", MAIN.into());
        index.add("security", SECURITY.into());
        index
    }

    fn providers(index: &Index, relation: &str) -> Vec<String> {
        let found = index.providers(&Relation::parse(relation).unwrap(), "amd64");
        found.iter().map(|found| format!("{} {}", found.name(), found.version())).collect()
    }

    #[test]
    fn the_highest_version_over_all_suites_is_the_candidate() {
        let index = index();
        assert_eq!(index.len(), 3);
        let a = index.candidate("a", "amd64").unwrap();
        assert_eq!((a.version(), a.suite), ("1.10", "security"));
        assert!(index.candidate("b", "amd64").is_none(), "made for another architecture");
        assert!(index.candidate("v", "amd64").is_none(), "virtual");
    }

    #[test]
    fn providers_are_those_of_the_candidates_and_of_the_right_version() {
        let index = index();
        assert_eq!(providers(&index, "v"), ["a 1.10", "c 1"]);
        assert_eq!(providers(&index, "v (>= 3)"), ["a 1.10"]);
        assert_eq!(providers(&index, "v (= 2)"), [""; 0]);
        assert_eq!(providers(&index, "w"), [""; 0], "only an older version provides it");
    }

    #[test]
    fn a_damaged_stanza_is_named() {
        let index = index();
        assert_eq!(index.candidate("c", "amd64").unwrap().package().unwrap().filename, "pool/c.deb");
        let error = index.candidate("a", "amd64").unwrap().package().unwrap_err();
        assert!(error.to_string().contains("`Filename` of the package a in the index of security"), "{error}");
        for (field, value) in [("Filename", "../c.deb"), ("Size", "many"), ("SHA256", "00")] {
            let old = index.candidate("c", "amd64").unwrap().stanza.get(field).unwrap();
            let mut damaged = Index::new();
            damaged.add("main", MAIN.replace(&format!("{field}: {old}"), &format!("{field}: {value}")));
            let error = damaged.candidate("c", "amd64").unwrap().package().unwrap_err();
            assert!(error.to_string().contains(field), "{error}");
        }
    }
}
