//! An index in memory, which counts what it is asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use blob::Digest;
use python::{
    name::PackageName,
    requirement::{Requirement, parse_requirements},
    resolve::{Index, IndexError, Pin, Request, ResolveError, resolve},
    simple::{CoreMetadata, IndexFile},
    wheel::{Arch, Target},
};

pub(crate) const TARGET: Target = Target { python: (3, 11, 2), arch: Arch::X86_64, glibc: (2, 36) };

/// Projects with their files, and the metadata of each file.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) files: BTreeMap<PackageName, Vec<IndexFile>>,
    pub(crate) metadata: BTreeMap<String, String>,
    /// Pages that cannot be read.
    pub(crate) broken: BTreeSet<PackageName>,
    /// What was asked, in any order.
    pub(crate) asked: Mutex<BTreeSet<String>>,
}

impl Fake {
    /// An index of releases, each written as `name version | requirement | requirement`, where a part `+extra` stands
    /// for `Provides-Extra`.
    pub(crate) fn new(releases: &[&str]) -> Self {
        let mut index = Self::default();
        for release in releases {
            let mut parts = release.split('|').map(str::trim);
            let (name, version) = parts.next().unwrap().split_once(' ').unwrap();
            let mut text = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
            for part in parts {
                let (field, value) =
                    part.strip_prefix('+').map_or(("Requires-Dist", part), |extra| ("Provides-Extra", extra));
                text.push_str(&format!("{field}: {value}\n"));
            }
            index.add(&format!("{}-{version}-py3-none-any.whl", name.replace('-', "_")), &text);
        }
        index
    }

    /// Adds a wheel with this metadata; its digest is that of its name, its size the length of that.
    pub(crate) fn add(&mut self, filename: &str, metadata: &str) {
        let name = filename.split('-').next().unwrap().parse().unwrap();
        self.files.entry(name).or_default().push(IndexFile {
            filename: filename.to_owned(),
            url: format!("https://files.example/{filename}"),
            sha256: Some(Digest::of(filename.as_bytes())),
            size: Some(filename.len() as u64),
            requires_python: None,
            yanked: None,
            metadata: CoreMetadata::Beside(Some(Digest::of(metadata.as_bytes()))),
        });
        self.metadata.insert(filename.to_owned(), metadata.to_owned());
    }

    /// The file of this name, to be changed.
    pub(crate) fn file(&mut self, filename: &str) -> &mut IndexFile {
        self.files.values_mut().flatten().find(|file| file.filename == filename).unwrap()
    }

    fn note(&self, what: String) {
        assert!(self.asked.lock().unwrap().insert(what.clone()), "asked twice for {what}");
    }
}

impl Index for Fake {
    fn project_page(&self, name: &PackageName) -> Result<Option<Vec<IndexFile>>, IndexError> {
        self.note(format!("page {name}"));
        if self.broken.contains(name) {
            return Err("the connection was reset".into());
        }
        Ok(self.files.get(name).cloned())
    }

    fn metadata(&self, file: &IndexFile) -> Result<Vec<u8>, IndexError> {
        self.note(format!("metadata {}", file.filename));
        Ok(self.metadata[&file.filename].clone().into_bytes())
    }

    fn identify(&self, file: &IndexFile) -> Result<(Digest, u64), IndexError> {
        self.note(format!("identify {}", file.filename));
        Ok((Digest::of(file.filename.as_bytes()), file.filename.len() as u64))
    }
}

pub(crate) fn requirements(text: &str) -> Vec<Requirement> {
    parse_requirements(&text.replace('|', "\n")).unwrap()
}

/// Resolves `text` (requirements between `|`) with nothing below and nothing before.
pub(crate) fn fresh(index: &Fake, text: &str) -> Result<Vec<Pin>, ResolveError> {
    with(index, text, &[], &[], &[])
}

pub(crate) fn with(
    index: &Fake,
    text: &str,
    previous: &[Pin],
    update: &[&str],
    below: &[Pin],
) -> Result<Vec<Pin>, ResolveError> {
    index.asked.lock().unwrap().clear();
    let update = update.iter().map(|name| name.parse().unwrap()).collect();
    let requirements = requirements(text);
    resolve(index, &Request { requirements: &requirements, target: &TARGET, previous, update: &update, below })
}

/// `name==version` of each pin.
pub(crate) fn names(pins: &[Pin]) -> Vec<String> {
    pins.iter().map(|pin| format!("{}=={}", pin.name, pin.version)).collect()
}

/// An error with its causes.
pub(crate) fn chain(error: &ResolveError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
