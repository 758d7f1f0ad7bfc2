//! All packages that a list of packages depends on.
//!
//! `Depends` and `Pre-Depends` are followed, `Recommends` are not, and no package is taken for being essential. Where a
//! dependency leaves a choice, what is selected already is taken; else the first alternative that can be had, as apt
//! does, and of several providers the one of the highest priority, then the first by name. Choices wait until
//! everything without a choice is selected, so that the result does not hang on the order of the list.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    index::{Candidate, Index, Package, StanzaError},
    relation::Relation,
};

/// A list of packages that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClosureError {
    /// Everything that stands in the way.
    #[error("these packages cannot be installed together:{}", lines(.0))]
    Faults(Vec<Fault>),
    /// An index is damaged.
    #[error(transparent)]
    Stanza(#[from] StanzaError),
}

fn lines(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("\n  {fault}")).collect()
}

/// One thing that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Fault {
    /// A package of the list is in no suite.
    #[error("{name} was asked for, and no suite has it for {architecture}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The architecture.
        architecture: String,
    },
    /// A dependency that nothing satisfies.
    #[error("{} needs {relation}, found {found}", .path.join(" -> "))]
    Unsatisfied {
        /// Who needs it, from a package of the list on.
        path: Vec<String>,
        /// What is needed, with all alternatives.
        relation: String,
        /// What there is instead.
        found: String,
    },
    /// Two packages that exclude each other.
    #[error("{} and {} exclude each other: {field} {relation}", .path.join(" -> "), .other.join(" -> "))]
    Conflict {
        /// Who excludes, from a package of the list on.
        path: Vec<String>,
        /// Who is excluded, from a package of the list on.
        other: Vec<String>,
        /// `Conflicts` or `Breaks`.
        field: &'static str,
        /// What is excluded.
        relation: String,
    },
}

/// The packages that `requested` and all that they depend on are, sorted by name.
///
/// # Errors
/// Everything that cannot be had, at once and with the path that leads to it.
pub fn closure<'n>(
    index: &Index,
    requested: impl IntoIterator<Item = &'n str>,
    architecture: &str,
) -> Result<Vec<Package>, ClosureError> {
    let mut selection = Selection {
        index,
        architecture,
        selected: BTreeMap::new(),
        provided: BTreeMap::new(),
        faults: BTreeSet::new(),
    };
    let requested: BTreeSet<&str> = requested.into_iter().collect();
    selection.run(&requested)?;
    selection.check_conflicts()?;
    if !selection.faults.is_empty() {
        return Err(ClosureError::Faults(selection.faults.into_iter().collect()));
    }
    let packages: Result<_, _> = selection.selected.values().map(|(candidate, _)| candidate.package()).collect();
    Ok(packages?)
}

struct Selection<'a> {
    index: &'a Index,
    architecture: &'a str,
    /// The packages by name, each with the one that needed it first.
    selected: BTreeMap<&'a str, (Candidate<'a>, Option<&'a str>)>,
    /// What the selected packages provide, by its name.
    provided: BTreeMap<&'a str, Vec<Candidate<'a>>>,
    faults: BTreeSet<Fault>,
}

/// Alternatives, and the package that needs one of them.
type Need<'a> = (&'a str, Vec<Relation<'a>>);

impl<'a> Selection<'a> {
    fn run(&mut self, requested: &BTreeSet<&str>) -> Result<(), StanzaError> {
        let mut queue = VecDeque::new();
        for name in requested {
            match self.index.candidate(name, self.architecture) {
                Some(candidate) => queue.push_back((candidate, None)),
                None => {
                    let (name, architecture) = ((*name).to_owned(), self.architecture.to_owned());
                    self.faults.insert(Fault::Unknown { name, architecture });
                }
            }
        }
        let mut choices: VecDeque<Need<'a>> = VecDeque::new();
        loop {
            while let Some((candidate, by)) = queue.pop_front() {
                let name = candidate.name();
                if self.selected.contains_key(name) {
                    continue;
                }
                self.selected.insert(name, (candidate, by));
                for provided in candidate.relations("Provides")?.into_iter().flatten() {
                    self.provided.entry(provided.name).or_default().push(candidate);
                }
                for field in ["Pre-Depends", "Depends"] {
                    for group in candidate.relations(field)? {
                        match self.only_way(&group) {
                            Some(only) => queue.push_back((only, Some(name))),
                            None => choices.push_back((name, group)),
                        }
                    }
                }
            }
            let Some((by, group)) = choices.pop_front() else { return Ok(()) };
            if self.is_satisfied(&group) {
                continue;
            }
            match self.choose(&group)? {
                Some(chosen) => queue.push_back((chosen, Some(by))),
                None => {
                    let fault = self.unsatisfied(by, &group);
                    self.faults.insert(fault);
                }
            }
        }
    }

    /// The package that satisfies a dependency which leaves no choice.
    fn only_way(&self, group: &[Relation<'a>]) -> Option<Candidate<'a>> {
        let [relation] = group else { return None };
        let candidate = self.index.candidate(relation.name, self.architecture)?;
        relation.admits(candidate.version()).then_some(candidate)
    }

    fn is_satisfied(&self, group: &[Relation<'_>]) -> bool {
        group.iter().any(|relation| self.selected_for(relation).next().is_some())
    }

    /// The selected packages that are or provide what `relation` means.
    fn selected_for<'s>(&'s self, relation: &Relation<'s>) -> impl Iterator<Item = &'s Candidate<'a>> {
        let relation = *relation;
        let named = self.selected.get(relation.name).map(|(named, _)| named);
        let providers = self.provided.get(relation.name).into_iter().flatten();
        named.into_iter().chain(providers).filter(move |candidate| candidate.satisfies(&relation))
    }

    /// The package to take for a dependency that nothing selected satisfies: one that excludes nothing selected, if
    /// there is one.
    fn choose(&self, group: &[Relation<'a>]) -> Result<Option<Candidate<'a>>, StanzaError> {
        let mut ways = Vec::new();
        for relation in group {
            let named = self.index.candidate(relation.name, self.architecture);
            ways.extend(named.filter(|named| relation.admits(named.version())));
            let mut providers = self.index.providers(relation, self.architecture);
            providers.sort_by_key(priority);
            ways.extend(providers);
        }
        for way in &ways {
            let mut peaceful = self.excluded_by(way)?.is_empty();
            for (other, _) in self.selected.values() {
                peaceful &= !exclusions(other)?.iter().any(|(_, relation)| way.satisfies(relation));
            }
            if peaceful {
                return Ok(Some(*way));
            }
        }
        Ok(ways.first().copied())
    }

    fn check_conflicts(&mut self) -> Result<(), StanzaError> {
        let mut found = Vec::new();
        for (candidate, _) in self.selected.values() {
            for (field, relation, other) in self.excluded_by(candidate)? {
                let (path, other) = (self.path(candidate.name()), self.path(other));
                found.push(Fault::Conflict { path, other, field, relation: relation.to_string() });
            }
        }
        self.faults.extend(found);
        Ok(())
    }

    /// The selected packages that `candidate` excludes: by which field and relation, and their names. A package may
    /// exclude what it provides itself.
    fn excluded_by(
        &self,
        candidate: &Candidate<'a>,
    ) -> Result<Vec<(&'static str, Relation<'a>, &'a str)>, StanzaError> {
        let mut found = Vec::new();
        for (field, relation) in exclusions(candidate)? {
            let others = self.selected_for(&relation).map(Candidate::name).filter(|other| *other != candidate.name());
            found.extend(others.map(|other| (field, relation, other)));
        }
        Ok(found)
    }

    fn unsatisfied(&self, by: &str, group: &[Relation<'_>]) -> Fault {
        let found = group.iter().map(|relation| match self.index.candidate(relation.name, self.architecture) {
            Some(candidate) => format!("{} {} in {}", relation.name, candidate.version(), candidate.suite),
            None => format!("no {}", relation.name),
        });
        let found = found.collect::<Vec<_>>().join(" and ");
        let relation = group.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ");
        Fault::Unsatisfied { path: self.path(by), relation, found }
    }

    /// The packages that lead to `name`, from one of the list on.
    fn path(&self, name: &str) -> Vec<String> {
        let mut path = vec![name.to_owned()];
        let mut at = name;
        while let Some((_, Some(by))) = self.selected.get(at) {
            path.push((*by).to_owned());
            at = by;
        }
        path.reverse();
        path
    }
}

/// The fields and relations by which a package excludes others.
fn exclusions<'a>(candidate: &Candidate<'a>) -> Result<Vec<(&'static str, Relation<'a>)>, StanzaError> {
    let mut all = Vec::new();
    for field in ["Conflicts", "Breaks"] {
        all.extend(candidate.relations(field)?.into_iter().flatten().map(|relation| (field, relation)));
    }
    Ok(all)
}

/// Rank of a package's priority, the highest first (Debian policy, section 2.5).
fn priority(candidate: &Candidate<'_>) -> usize {
    const PRIORITIES: [&str; 4] = ["required", "important", "standard", "optional"];
    let of = candidate.stanza.get("Priority").unwrap_or_default();
    PRIORITIES.iter().position(|priority| *priority == of).unwrap_or(PRIORITIES.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An index of stanzas written as `name version; Field: value; ...`.
    fn index(stanzas: &[&str]) -> Index {
        let mut text = String::new();
        for stanza in stanzas {
            let mut parts = stanza.split(';').map(str::trim);
            let head = parts.next().unwrap();
            let (name, version) = head.split_once(' ').unwrap_or((head, "1"));
            let digest = blob::Digest::of(name.as_bytes()).hex();
            text += &format!("Package: {name}\nVersion: {version}\nArchitecture: amd64\n");
            text += &format!("Filename: pool/{name}.deb\nSize: 1\nSHA256: {digest}\n");
            text += &(parts.collect::<Vec<_>>().join("\n") + "\n\n");
        }
        let mut index = Index::new();
        index.add("main", text.replace("\n\n\n", "\n\n"));
        index
    }

    fn names(stanzas: &[&str], requested: &[&str]) -> String {
        let packages = closure(&index(stanzas), requested.iter().copied(), "amd64").unwrap();
        packages.iter().map(|package| package.name.as_str()).collect::<Vec<_>>().join(" ")
    }

    fn faults(stanzas: &[&str], requested: &[&str]) -> String {
        closure(&index(stanzas), requested.iter().copied(), "amd64").unwrap_err().to_string()
    }

    #[test]
    fn dependencies_are_followed_and_recommendations_are_not() {
        let stanzas = ["a; Depends: b; Recommends: x", "b; Pre-Depends: c (>= 1)", "c; Depends: a", "x"];
        assert_eq!(names(&stanzas, &["a"]), "a b c");
    }

    #[test]
    fn what_is_selected_already_satisfies_a_choice() {
        let stanzas = ["a; Depends: x | y", "b; Depends: y", "x", "y"];
        assert_eq!(names(&stanzas, &["a"]), "a x");
        assert_eq!(names(&stanzas, &["a", "b"]), "a b y");
        assert_eq!(names(&stanzas, &["b", "a"]), "a b y");
    }

    #[test]
    fn an_alternative_that_cannot_be_had_or_excludes_the_rest_is_passed_over() {
        assert_eq!(names(&["a; Depends: x (>= 2) | y", "x", "y"], &["a"]), "a y");
        assert_eq!(names(&["a; Depends: x | y", "x; Conflicts: a", "y"], &["a"]), "a y");
        assert_eq!(names(&["a; Depends: x | y; Breaks: x", "x", "y"], &["a"]), "a y");
    }

    #[test]
    fn virtual_packages_are_provided() {
        let stanzas = ["a; Depends: v", "n; Provides: v", "m; Provides: v; Priority: required", "k; Provides: v"];
        assert_eq!(names(&stanzas, &["a"]), "a m");
        assert_eq!(names(&stanzas, &["a", "n"]), "a n");
        assert_eq!(names(&["a; Depends: v (>= 2)", "k; Provides: v", "m; Provides: v (= 2)"], &["a"]), "a m");
    }

    #[test]
    fn everything_that_is_missing_is_reported_with_its_path() {
        let stanzas = ["a; Depends: b, c", "b; Depends: d (>= 2)", "c; Depends: e | f", "d"];
        assert_eq!(
            faults(&stanzas, &["a", "zz"]),
            "these packages cannot be installed together:\n  \
             zz was asked for, and no suite has it for amd64\n  \
             a -> b needs d (>= 2), found d 1 in main\n  \
             a -> c needs e | f, found no e and no f"
        );
    }

    #[test]
    fn packages_that_exclude_each_other_are_an_error() {
        let stanzas = ["a; Depends: b", "b", "c; Breaks: b (<< 2)", "d; Conflicts: v", "e; Provides: v; Conflicts: v"];
        assert_eq!(
            faults(&stanzas, &["a", "c", "d", "e"]),
            "these packages cannot be installed together:\n  \
             c and a -> b exclude each other: Breaks b (<< 2)\n  \
             d and e exclude each other: Conflicts v"
        );
        assert_eq!(names(&stanzas, &["e"]), "e", "what a package provides itself it may exclude");
    }

    #[test]
    fn a_relation_that_is_none_is_an_error() {
        assert!(faults(&["a; Depends: b c"], &["a"]).contains("`Depends` of the package a"));
    }
}
