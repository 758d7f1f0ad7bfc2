//! Newer versions of the Python projects that the table pins: what the index has for this Python, and which of it the other
//! requirements of the set allow.

use std::collections::{BTreeMap, BTreeSet};

use ::python::{
    Version,
    name::PackageName,
    resolve::{Releases, releases},
};
use anyhow::{Result, anyhow};
use catalog::{Artifact, Coordinate, Pin, Pinned, Platform, Request, Requests};

use super::{Row, Survey};
use crate::resolve::{self, Answer};

pub(super) fn rows(survey: &Survey<'_>, pins: &[&Pin]) -> Result<Vec<Row>> {
    let sets = resolve::sets(survey.lock);
    pins.iter().map(|pin| row(survey, pin, &sets)).collect()
}

fn row(survey: &Survey<'_>, pin: &Pin, sets: &BTreeMap<String, Vec<Artifact>>) -> Result<Row> {
    let mut row = Row::of_pin("pypi", pin);
    let table = &survey.catalog.table;
    let main = table.platforms.first().copied().unwrap_or_else(|| table.default_platform());
    let target = resolve::python::target(&table.debian.python, &table.debian.glibc, main)?;
    let current: Version =
        pin.version.trim_end_matches(".*").parse().map_err(|error| anyhow!("{}: {error}", pin.version))?;
    let family = pin.version.strip_suffix("*");
    // Of all projects that have this version, what each has after it.
    let mut offered: Vec<(String, Releases)> = Vec::new();
    for name in pin.of.keys().filter_map(python_name) {
        let parsed: PackageName = name.parse()?;
        match releases(&survey.index, &parsed, &target) {
            Ok(Some(found)) => offered.push((name.to_owned(), found)),
            Ok(None) => row.why = Some(format!("no index has {name}")),
            Err(error) => row.why = Some(chain(&error)),
        }
    }
    if offered.len() != pin.of.len() {
        return Ok(row.settled(pin));
    }
    let after = |version: &&Version| {
        **version > current && family.is_none_or(|family| !version.to_string().starts_with(family))
    };
    let all = offered.iter().flat_map(|(_, found)| found.usable.iter().chain(found.unusable.keys()));
    let newest = all.filter(after).max().cloned();
    row.newest = Some(newest.as_ref().map_or_else(|| pin.version.clone(), ToString::to_string));
    let Some(newest) = newest else { return Ok(row.settled(pin)) };
    let usable = |version: &&Version| offered.iter().all(|(_, found)| found.usable.contains(version));
    let mut best = offered[0].1.usable.iter().filter(after).filter(usable).max().cloned();
    if best.as_ref() != Some(&newest) {
        let why = offered.iter().find_map(|(name, found)| match found.unusable.get(&newest) {
            Some(why) => Some(format!("{name} {newest} {why}")),
            None => (!found.usable.contains(&newest)).then(|| format!("{name} was not released in {newest}")),
        });
        row.why = why;
    }
    if let Some(held) = survey.held(pin) {
        row.why = Some(held.reason.clone());
        best = match held.below.as_ref().and_then(|bound| bound.parse::<Version>().ok()) {
            None => None,
            Some(bound) => offered[0]
                .1
                .usable
                .iter()
                .filter(after)
                .filter(usable)
                .filter(|version| **version < bound)
                .max()
                .cloned(),
        };
    }
    if let Some(version) = &best
        && let Err(why) = taken(survey, pin, &format!("=={version}"), main, sets)?
    {
        row.why = Some(why);
        // The newest that all sets take, if they take one; one of a family moves as a whole.
        let bound = survey
            .held(pin)
            .and_then(|held| held.below.as_ref())
            .map_or_else(String::new, |bound| format!(",<{bound}"));
        best = match (family, pin.of.len()) {
            (None, 1) => taken(survey, pin, &format!(">{current}{bound}"), main, sets)?.ok().flatten(),
            _ => None,
        };
    }
    row.takes = best.map(|version| match family {
        // `26.6.*` stays one: the numbers that were written, of the version that is taken.
        Some(family) => {
            let parts = family.split('.').filter(|part| !part.is_empty()).count();
            let numbers: Vec<String> = version.release().iter().take(parts).map(ToString::to_string).collect();
            format!("{}.*", numbers.join("."))
        }
        None => version.to_string(),
    });
    if best_is_newest(&row, &newest) {
        row.why = None;
    }
    Ok(row.settled(pin))
}

fn best_is_newest(row: &Row, newest: &Version) -> bool {
    row.takes.as_ref().is_some_and(|takes| newest.to_string().starts_with(takes.trim_end_matches('*')))
}

/// The lowest version that the sets which have this pin take, when its requirement is `specifier` and all else is as it is;
/// or why one of them takes none.
fn taken(
    survey: &Survey<'_>,
    pin: &Pin,
    specifier: &str,
    main: Platform,
    sets: &BTreeMap<String, Vec<Artifact>>,
) -> Result<Result<Option<Version>, String>> {
    let names: BTreeSet<&str> = pin.of.keys().filter_map(python_name).collect();
    let mut seen: BTreeSet<Vec<String>> = BTreeSet::new();
    let mut lowest: Option<Version> = None;
    for request in Requests::of(survey.catalog).iter() {
        let Request::Python { set, python, glibc, platform } = request else { continue };
        let is_ours = |line: &str| names.contains(project_of(line));
        // The same set of two Spark versions has one answer. One that the lock lacks has none.
        let fresh = set.requirements.iter().any(|line| is_ours(line)) && seen.insert(set.requirements.clone());
        if *platform != main || !fresh || !sets.contains_key(&request.key()) {
            continue;
        }
        let mut set = set.clone();
        for line in set.requirements.iter_mut().filter(|line| is_ours(line)) {
            *line = format!("{}{specifier}", line.split("==").next().unwrap_or_default());
        }
        let name = set.name.clone();
        let changed = Request::Python { set, python: python.clone(), glibc: glibc.clone(), platform: *platform };
        match resolve::python::resolve(&survey.index, &changed, main, sets, &[]) {
            Ok(Answer::Set(artifacts)) => {
                let found = artifacts.iter().filter_map(project).filter(|(name, _)| names.contains(name));
                let found = found.filter_map(|(_, version)| version.parse().ok());
                lowest = found.chain(lowest).min();
            }
            Ok(Answer::Artifact(_) | Answer::Shims(_) | Answer::Absent(_)) => {}
            Err(error) => return Ok(Err(format!("{name}: {}", one_line(&format!("{error:#}"))))),
        }
    }
    Ok(Ok(lowest))
}

fn python_name(of: &Pinned) -> Option<&str> {
    match of {
        Pinned::Python(name) => Some(name),
        Pinned::Maven { .. } => None,
    }
}

/// The project of a requirement line that pins one.
fn project_of(line: &str) -> &str {
    line.split(['=', '[']).next().unwrap_or_default().trim()
}

/// The facts of a conflict, in one line of bearable length.
fn one_line(text: &str) -> String {
    let text = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
    let text = text.rsplit_once("that these facts are about:").map_or(text.as_str(), |(_, facts)| facts);
    let text = text.trim_start_matches([';', ' ']);
    match text.char_indices().nth(300) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// The version of a Python artifact, with its project.
pub(super) fn project(artifact: &Artifact) -> Option<(&str, &str)> {
    match &artifact.id {
        Coordinate::Pypi { name, version, .. } => Some((name, version)),
        _ => None,
    }
}
