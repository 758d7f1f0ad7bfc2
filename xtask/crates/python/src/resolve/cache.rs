//! What was asked of the index so far: each page and each metadata file once.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    rc::Rc,
};

use blob::Digest;
use pep440_rs::Version;

use super::{Index, ResolveError, check, fetch::parallel, project::Project};
use crate::{
    name::PackageName,
    simple::{CoreMetadata, IndexFile},
    wheel::{Metadata, Tags, Target},
};

/// Metadata that was read: what it says, or why it cannot be used.
pub(super) type Read = Result<Metadata, String>;

/// A version of a project, with the wheel that stands for it.
pub(super) struct Release {
    pub(super) name: PackageName,
    pub(super) version: Version,
    pub(super) wheel: IndexFile,
}

/// Answers of an index. The solver asks from one thread, so cells will do; several requests are made at once inside.
pub(super) struct Cache<'a> {
    index: &'a dyn Index,
    target: &'a Target,
    tags: Tags,
    projects: RefCell<HashMap<PackageName, Option<Rc<Project>>>>,
    metadata: RefCell<HashMap<PackageName, BTreeMap<Version, Rc<Read>>>>,
}

impl<'a> Cache<'a> {
    pub(super) fn new(index: &'a dyn Index, target: &'a Target) -> Self {
        let (projects, metadata) = Default::default();
        Self { index, target, tags: Tags::of(target), projects, metadata }
    }

    /// The project, if it was asked for and the index has it.
    pub(super) fn known_project(&self, name: &PackageName) -> Option<Rc<Project>> {
        self.projects.borrow().get(name).cloned().flatten()
    }

    /// The metadata of this project that was asked for, by version.
    pub(super) fn known_metadata(&self, name: &PackageName) -> BTreeMap<Version, Rc<Read>> {
        self.metadata.borrow().get(name).cloned().unwrap_or_default()
    }

    /// The project; `None` where the index does not have it.
    pub(super) fn project(&self, name: &PackageName) -> Result<Option<Rc<Project>>, ResolveError> {
        self.load_projects([name])?;
        Ok(self.known_project(name))
    }

    /// Reads the pages of those projects that were not asked for yet.
    pub(super) fn load_projects<'n>(
        &self,
        names: impl IntoIterator<Item = &'n PackageName>,
    ) -> Result<(), ResolveError> {
        let known = |name: &&PackageName| self.projects.borrow().contains_key(*name);
        let missing: Vec<&PackageName> = names.into_iter().filter(|name| !known(name)).collect();
        let index = self.index;
        let pages = parallel(&missing, |name| {
            let what = format!("reading the index page of {name}");
            index.project_page(name).map_err(|source| ResolveError::Index { what, source })
        })?;
        for (name, files) in missing.into_iter().zip(pages) {
            let project = files.map(|files| Rc::new(Project::new(name, files, self.target, &self.tags)));
            self.projects.borrow_mut().insert(name.clone(), project);
        }
        Ok(())
    }

    /// The metadata of a release.
    pub(super) fn metadata(&self, release: Release) -> Result<Rc<Read>, ResolveError> {
        let (name, version) = (release.name.clone(), release.version.clone());
        self.load_metadata(vec![release])?;
        Ok(self.metadata.borrow()[&name][&version].clone())
    }

    /// Reads the metadata of those releases that were not asked for yet.
    pub(super) fn load_metadata(&self, releases: Vec<Release>) -> Result<(), ResolveError> {
        let known = |release: &Release| {
            self.metadata.borrow().get(&release.name).is_some_and(|versions| versions.contains_key(&release.version))
        };
        let missing: Vec<Release> = releases.into_iter().filter(|release| !known(release)).collect();
        let index = self.index;
        let read = parallel(&missing, |release| read(index, release))?;
        for (Release { name, version, .. }, read) in missing.into_iter().zip(read) {
            self.metadata.borrow_mut().entry(name).or_default().insert(version, Rc::new(read));
        }
        Ok(())
    }
}

fn read(index: &dyn Index, release: &Release) -> Result<Read, ResolveError> {
    let filename = &release.wheel.filename;
    let what = || format!("reading the metadata of {filename}");
    let bytes = index.metadata(&release.wheel).map_err(|source| ResolveError::Index { what: what(), source })?;
    if let CoreMetadata::Beside(Some(expected)) = release.wheel.metadata {
        check(&format!("the metadata of {filename}"), expected, Digest::of(&bytes))?;
    }
    Ok(match Metadata::parse(&bytes) {
        Ok(metadata) if metadata.name == release.name && metadata.version == release.version => Ok(metadata),
        Ok(metadata) => Err(format!("its metadata is that of {} {}", metadata.name, metadata.version)),
        Err(why) => Err(format!("its metadata cannot be read: {why}")),
    })
}
