//! The index as PubGrub sees it: packages, their versions, and what each version needs.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    rc::Rc,
};

use pep440_rs::Version;
use pubgrub::{Dependencies, DependencyConstraints, DependencyProvider, PackageResolutionStatistics, Ranges};

use super::{
    Index, Pin, Request, ResolveError,
    cache::{Cache, Read, Release},
    ranges,
};
use crate::{
    name::PackageName,
    requirement::{Environment, Requirement},
    simple::IndexFile,
    wheel::Metadata,
};

/// What is decided on: a project, or one of its extras. An extra has the versions of its project, and needs that very
/// version of it beside what the extra adds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Package {
    /// Who asks for the requirements.
    Root,
    /// A project.
    Project(PackageName),
    /// A project's extra.
    Extra(PackageName, PackageName),
}

pub(super) struct Provider<'a> {
    request: &'a Request<'a>,
    environment: Environment,
    /// What was locked before and may not move by itself.
    previous: BTreeMap<&'a PackageName, &'a Pin>,
    below: BTreeMap<&'a PackageName, &'a Pin>,
    /// Projects of which a requirement names a pre-release.
    pre_releases: BTreeSet<&'a PackageName>,
    /// The version that each project was last given, as a hint for its extras.
    chosen: RefCell<HashMap<PackageName, Version>>,
    pub(super) cache: Cache<'a>,
}

impl<'a> Provider<'a> {
    pub(super) fn new(index: &'a dyn Index, request: &'a Request<'a>) -> Self {
        let by_name = |pins: &'a [Pin]| pins.iter().map(|pin| (&pin.name, pin));
        let names_pre_release = |one: &&Requirement| one.versions.iter().any(|version| version.any_prerelease());
        Self {
            request,
            environment: Environment::of(request.target),
            previous: by_name(request.previous).filter(|(name, _)| !request.update.contains(*name)).collect(),
            below: by_name(request.below).collect(),
            pre_releases: request.requirements.iter().filter(names_pre_release).map(|one| &one.name).collect(),
            chosen: RefCell::default(),
            cache: Cache::new(index, request.target),
        }
    }

    /// The requirements that hold for the target.
    pub(super) fn requirements(&self) -> impl Iterator<Item = &'a Requirement> {
        self.request.requirements.iter().filter(|requirement| requirement.holds(&self.environment, None))
    }

    /// The version that the layer below holds.
    pub(super) fn below(&self, name: &PackageName) -> Option<&'a Version> {
        self.below.get(name).map(|pin| &pin.version)
    }

    /// What `metadata` asks of others; with an `extra`, what that asks beside.
    pub(super) fn needs<'m>(
        &self,
        metadata: &'m Metadata,
        extra: Option<&PackageName>,
    ) -> impl Iterator<Item = &'m Requirement> {
        metadata.requires.iter().filter(move |requirement| {
            let always = requirement.holds(&self.environment, None);
            if extra.is_some() { !always && requirement.holds(&self.environment, extra) } else { always }
        })
    }

    /// The wheel of a version.
    pub(super) fn wheel(&self, name: &PackageName, version: &Version) -> Result<Option<IndexFile>, ResolveError> {
        let held = self.previous.get(name).or(self.below.get(name)).map(|pin| &*pin.filename);
        Ok(self.cache.project(name)?.and_then(|project| project.wheel(version, held).cloned()))
    }

    fn choose(
        &self,
        name: &PackageName,
        range: &Ranges<Version>,
        hint: Option<&Version>,
    ) -> Result<Option<Version>, ResolveError> {
        if let Some(version) = self.below(name) {
            return Ok(range.contains(version).then(|| version.clone()));
        }
        let held = self.previous.get(name).map(|pin| &pin.version).or(hint);
        let project = self.cache.project(name)?;
        let pre_releases = self.pre_releases.contains(name);
        Ok(project.and_then(|project| project.choose(range, held, pre_releases).cloned()))
    }

    fn metadata(&self, name: &PackageName, version: &Version) -> Result<Rc<Read>, ResolveError> {
        match self.wheel(name, version)? {
            Some(wheel) => self.cache.metadata(Release { name: name.clone(), version: version.clone(), wheel }),
            // Only a version of the layer below can be one that the index no longer has.
            None => Ok(Rc::new(Err("the index does not have it any more".to_owned()))),
        }
    }

    /// Asks the index at once for what the solver will want next: the pages, and the metadata of the likely choices.
    fn prefetch(&self, constraints: &DependencyConstraints<Package, Ranges<Version>>) -> Result<(), ResolveError> {
        let projects: BTreeMap<&PackageName, &Ranges<Version>> = constraints
            .iter()
            .filter_map(|(package, range)| match package {
                Package::Project(name) if !self.below.contains_key(name) => Some((name, range)),
                _ => None,
            })
            .collect();
        self.cache.load_projects(projects.keys().copied())?;
        let mut releases = Vec::new();
        for (name, range) in projects {
            if let Some(version) = self.choose(name, range, None)?
                && let Some(wheel) = self.wheel(name, &version)?
            {
                releases.push(Release { name: name.clone(), version, wheel });
            }
        }
        self.cache.load_metadata(releases)
    }
}

/// Requirements as the solver wants them: of each package one range.
fn constraints<'r>(
    requirements: impl Iterator<Item = &'r Requirement>,
    of: Option<&PackageName>,
) -> DependencyConstraints<Package, Ranges<Version>> {
    let mut constraints = DependencyConstraints::default();
    for requirement in requirements {
        let range = ranges::of(&requirement.versions);
        let project = Package::Project(requirement.name.clone());
        let extras = requirement.extras.iter().map(|extra| Package::Extra(requirement.name.clone(), extra.clone()));
        // A project may ask for its own extras; itself it has.
        let project = (of != Some(&requirement.name)).then_some(project);
        for package in project.into_iter().chain(extras) {
            let all: &mut Ranges<Version> = constraints.entry(package).or_insert_with(Ranges::full);
            *all = all.intersection(&range);
        }
    }
    constraints
}

impl DependencyProvider for Provider<'_> {
    type P = Package;
    type V = Version;
    type VS = Ranges<Version>;
    type M = String;
    type Err = ResolveError;
    /// What has no choice comes first, then what was often in conflict.
    type Priority = (bool, u32);

    fn prioritize(
        &self,
        package: &Package,
        range: &Ranges<Version>,
        statistics: &PackageResolutionStatistics,
    ) -> Self::Priority {
        let no_choice = match package {
            Package::Root => true,
            Package::Project(name) | Package::Extra(name, _) => {
                self.below.contains_key(name)
                    || self.cache.known_project(name).is_some_and(|project| project.count(range) <= 1)
            }
        };
        (no_choice, statistics.conflict_count())
    }

    fn choose_version(&self, package: &Package, range: &Ranges<Version>) -> Result<Option<Version>, ResolveError> {
        match package {
            Package::Root => Ok(Some(Version::new([0]))),
            Package::Project(name) => {
                let version = self.choose(name, range, None)?;
                if let Some(version) = &version {
                    self.chosen.borrow_mut().insert(name.clone(), version.clone());
                }
                Ok(version)
            }
            Package::Extra(name, _) => self.choose(name, range, self.chosen.borrow().get(name)),
        }
    }

    fn get_dependencies(
        &self,
        package: &Package,
        version: &Version,
    ) -> Result<Dependencies<Package, Ranges<Version>, String>, ResolveError> {
        let (name, extra) = match package {
            Package::Root => {
                let constraints = constraints(self.requirements(), None);
                self.prefetch(&constraints)?;
                return Ok(Dependencies::Available(constraints));
            }
            // The layer below is complete: all that it needs is there.
            Package::Project(name) if self.below.contains_key(name) => {
                return Ok(Dependencies::Available(DependencyConstraints::default()));
            }
            Package::Project(name) => (name, None),
            Package::Extra(name, extra) => (name, Some(extra)),
        };
        let read = self.metadata(name, version)?;
        let metadata = match &*read {
            Ok(metadata) => metadata,
            Err(why) => return Ok(Dependencies::Unavailable(why.clone())),
        };
        if let Some(extra) = extra
            && !metadata.extras.contains(extra)
            && self.requirements().any(|one| one.name == *name && one.extras.contains(extra))
        {
            // Of a dependency's wish for an extra that is gone pip says as little as we do.
            return Ok(Dependencies::Unavailable(format!("it has no extra `{extra}`; {}", offered(metadata))));
        }
        let mut constraints = constraints(self.needs(metadata, extra), Some(name));
        if extra.is_some() {
            constraints.insert(Package::Project(name.clone()), Ranges::singleton(version.clone()));
        }
        self.prefetch(&constraints)?;
        Ok(Dependencies::Available(constraints))
    }
}

fn offered(metadata: &Metadata) -> String {
    let extras: Vec<&str> = metadata.extras.iter().map(PackageName::as_str).collect();
    if extras.is_empty() { "it has none".to_owned() } else { format!("its extras are {}", extras.join(", ")) }
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("the requirements"),
            Self::Project(name) => write!(f, "{name}"),
            Self::Extra(name, extra) => write!(f, "{name}[{extra}]"),
        }
    }
}
