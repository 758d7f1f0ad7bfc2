//! Says why there is no solution: the facts that exclude each other, each in one line, as metadata and index state them.
//!
//! PubGrub's own report is a proof in prose about ranges of versions. The facts at its leaves are what people can act on.
//! Facts that only say that a project has no versions between those that were tried are left out, and of the many
//! versions of a project that need the same other one, the newest speaks for all.

use std::collections::{BTreeSet, HashSet};

use pep440_rs::Version;
use pubgrub::{DerivationTree, External, Ranges};

use super::provider::{Package, Provider};
use crate::{name::PackageName, requirement::Requirement};

type Tree = DerivationTree<Package, Ranges<Version>, String>;
type Leaf<'t> = &'t External<Package, Ranges<Version>, String>;

/// The facts: what the requirements ask for, what packages need, and what there is not. Each group in the order of the
/// proof, each fact once.
pub(super) fn facts(tree: &Tree, provider: &Provider<'_>) -> Vec<String> {
    let leaves = leaves(tree);
    let tried: BTreeSet<&PackageName> = leaves
        .iter()
        .filter_map(|leaf| match leaf {
            External::FromDependencyOf(package, ..) | External::Custom(package, ..) => name_of(package),
            External::NotRoot(..) | External::NoVersions(..) => None,
        })
        .collect();
    let (mut asked, mut needed, mut absent) = (Vec::new(), Vec::new(), Vec::new());
    for leaf in &leaves {
        match leaf {
            External::NotRoot(..) => {}
            External::FromDependencyOf(Package::Root, _, dependency, _) => asked.extend(asks(dependency, provider)),
            External::FromDependencyOf(package, _, dependency, _) => {
                let versions = versions_with(package, dependency, &leaves);
                needed.extend(needs(package, &versions, dependency, provider));
            }
            External::Custom(package, range, why) => {
                let version = range.as_singleton().map(|version| format!(" {version}")).unwrap_or_default();
                needed.push(format!("{package}{version} cannot be used: {why}"));
            }
            External::NoVersions(package, range) => {
                let name = name_of(package).filter(|name| !tried.contains(name));
                absent.extend(name.map(|name| no_versions(name, range, provider)));
            }
        }
    }
    let mut seen = BTreeSet::new();
    [asked, needed, absent].concat().into_iter().filter(|fact| seen.insert(fact.clone())).collect()
}

/// The facts below one another, for a message.
pub(super) fn lines(facts: &[String]) -> String {
    facts.iter().map(|fact| format!("\n  {fact}")).collect()
}

/// The leaves of the proof in its order. Parts of it are shared, so each node is looked at once: as a plain tree it may
/// be of exponential size.
fn leaves(tree: &Tree) -> Vec<Leaf<'_>> {
    let mut leaves = Vec::new();
    let mut seen = HashSet::new();
    let mut open = vec![tree];
    while let Some(node) = open.pop() {
        if !seen.insert(std::ptr::from_ref(node)) {
            continue;
        }
        match node {
            DerivationTree::External(leaf) => leaves.push(leaf),
            DerivationTree::Derived(derived) => open.extend([&*derived.cause2, &*derived.cause1]),
        }
    }
    leaves
}

fn name_of(package: &Package) -> Option<&PackageName> {
    match package {
        Package::Root => None,
        Package::Project(name) | Package::Extra(name, _) => Some(name),
    }
}

fn asks(dependency: &Package, provider: &Provider<'_>) -> Option<String> {
    let name = name_of(dependency)?;
    let asked = provider.requirements().filter(|requirement| requirement.name == *name);
    Some(format!("the requirements ask for {}", list(asked)))
}

/// All versions of `package` of which the proof says that they need `dependency`.
fn versions_with(package: &Package, dependency: &Package, leaves: &[Leaf<'_>]) -> Ranges<Version> {
    leaves.iter().fold(Ranges::empty(), |all, leaf| match leaf {
        External::FromDependencyOf(one, versions, other, _) if (one, other) == (package, dependency) => {
            all.union(versions)
        }
        _ => all,
    })
}

/// What the newest version in `versions` that was looked at needs, and how many more there are.
fn needs(
    package: &Package,
    versions: &Ranges<Version>,
    dependency: &Package,
    provider: &Provider<'_>,
) -> Option<String> {
    let (name, dependency) = (name_of(package)?, name_of(dependency)?);
    let extra = match package {
        // That an extra needs its own project goes without saying.
        Package::Extra(name, _) if name == dependency => return None,
        Package::Extra(_, extra) => Some(extra),
        Package::Root | Package::Project(_) => None,
    };
    let known = provider.cache.known_metadata(name);
    let mut inside = known.iter().rev().filter(|(version, _)| versions.contains(*version));
    let (version, read) = inside.next()?;
    let metadata = read.as_ref().as_ref().ok()?;
    let asked = list(provider.needs(metadata, extra).filter(|requirement| requirement.name == *dependency));
    let others = match inside.count() {
        0 => String::new(),
        1 => format!(" (one other version needs {dependency}, too)"),
        more => format!(" ({more} other versions need {dependency}, too)"),
    };
    Some(format!("{package} {version} needs {asked}{others}"))
}

fn no_versions(name: &PackageName, range: &Ranges<Version>, provider: &Provider<'_>) -> String {
    if let Some(version) = provider.below(name) {
        return format!("{name} stays at {version}, which the layer below holds");
    }
    match provider.cache.known_project(name) {
        None => format!("the index has no project {name}"),
        Some(project) => project.why_none(name, range),
    }
}

/// Requirements as one asked for them, without the condition, which holds.
fn list<'r>(requirements: impl Iterator<Item = &'r Requirement>) -> String {
    let texts: Vec<String> = requirements.map(|one| Requirement { marker: None, ..one.clone() }.to_string()).collect();
    texts.join(" and ")
}
