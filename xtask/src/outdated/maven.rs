//! Newer versions of Maven artifacts: what `maven-metadata.xml` lists.

use std::{collections::BTreeSet, num::NonZeroUsize, sync::atomic::AtomicBool};

use ::maven::{metadata, version::Version};
use anyhow::Result;
use catalog::{Pin, Pinned};

use super::{Row, Survey};
use crate::{machine::location, schedule};

/// The largest metadata of known artifacts has some 100 kB.
const LARGEST: u64 = 4 << 20;
const AT_ONCE: usize = 8;

/// What the registries know of an artifact: its versions, or why nobody can say.
type Known = Result<Vec<String>, String>;

pub(super) fn rows(survey: &Survey<'_>, pins: &[&Pin]) -> Vec<Row> {
    let asked: BTreeSet<(&str, &str)> = pins
        .iter()
        .flat_map(|pin| pin.of.keys())
        .filter_map(|of| match of {
            Pinned::Maven { group, artifact } => Some((group.as_str(), artifact.as_str())),
            Pinned::Python(_) => None,
        })
        .collect();
    let asked: Vec<(&str, &str)> = asked.into_iter().collect();
    let jobs = NonZeroUsize::new(AT_ONCE).unwrap_or(NonZeroUsize::MIN);
    let answers = schedule::run(&vec![Vec::new(); asked.len()], jobs, &AtomicBool::new(false), |number| {
        let (group, artifact) = asked[number];
        Ok(versions(survey, group, artifact))
    });
    let known = |group: &str, artifact: &str| -> Known {
        let number = asked.iter().position(|one| *one == (group, artifact));
        match number.map(|number| &answers[number]) {
            Some(schedule::Outcome::Done(known)) => known.clone(),
            _ => Err("it was not asked for".to_owned()),
        }
    };
    pins.iter().map(|pin| row(survey, pin, known)).collect()
}

/// The versions that the registries have, all together: one may pass through what another one lacks.
fn versions(survey: &Survey<'_>, group: &str, artifact: &str) -> Known {
    let machine = survey.machine;
    if let Err(missing) = machine.registries.require(&[registries::Kind::Maven]) {
        return Err(missing.to_string().lines().next().unwrap_or_default().to_owned());
    }
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for endpoint in &machine.registries.maven {
        match machine.http.get_small(&location(endpoint, &metadata::path(group, artifact)), LARGEST) {
            Ok(Some(small)) => match metadata::versions(&String::from_utf8_lossy(&small.bytes)) {
                Ok(versions) => found.extend(versions),
                Err(error) => {
                    problems.push(format!("{}: expected the metadata of {group}:{artifact}: {error}", endpoint.url))
                }
            },
            Ok(None) => problems.push(format!("{} has no metadata of {group}:{artifact}", endpoint.url)),
            Err(error) => problems.push(error.to_string()),
        }
    }
    if found.is_empty() { Err(problems.join("; ")) } else { Ok(found) }
}

/// What there is beside a version of which all artifacts have to be had.
fn row(survey: &Survey<'_>, pin: &Pin, known: impl Fn(&str, &str) -> Known) -> Row {
    let mut row = Row::of_pin("maven", pin);
    let current = Version::new(&pin.version);
    let mut newest: Option<Version> = None;
    // Of each version that follows, the artifacts that lack it.
    let mut offered: Vec<(String, BTreeSet<Version>)> = Vec::new();
    for (of, (before, behind)) in &pin.of {
        let Pinned::Maven { group, artifact } = of else { continue };
        match known(group, artifact) {
            Ok(versions) => {
                let newer: BTreeSet<Version> = versions
                    .iter()
                    .filter_map(|version| version.strip_prefix(before.as_str())?.strip_suffix(behind.as_str()))
                    .map(Version::new)
                    .filter(|version| follows(&current, version))
                    .collect();
                newest = newest.into_iter().chain(newer.last().cloned()).max();
                offered.push((format!("{group}:{artifact}"), newer));
            }
            Err(why) => {
                row.why = Some(why);
                return row.settled(pin);
            }
        }
    }
    let Some(newest) = newest else {
        row.newest = Some(pin.version.clone());
        return row.settled(pin);
    };
    row.newest = Some(newest.to_string());
    let mut common = offered.first().map(|(_, newer)| newer.clone()).unwrap_or_default();
    common.retain(|version| offered.iter().all(|(_, newer)| newer.contains(version)));
    if !common.contains(&newest) {
        let lacks: Vec<&str> =
            offered.iter().filter(|(_, newer)| !newer.contains(&newest)).map(|(name, _)| name.as_str()).collect();
        row.why = Some(format!("{} was not released in {newest}", lacks.join(", ")));
    }
    if let Some(held) = survey.held(pin) {
        row.why = Some(held.reason.clone());
        match &held.below {
            None => common.clear(),
            Some(bound) => common.retain(|version| version.is_below(bound)),
        }
    }
    row.takes = common.last().map(ToString::to_string);
    if row.takes == row.newest {
        row.why = None;
    }
    row.settled(pin)
}

/// Whether one comes after another and is of its kind: finished, and of the same flavour or of none.
fn follows(current: &Version, next: &Version) -> bool {
    let flavour = next.flavour();
    next > current
        && (!next.is_unfinished() || current.is_unfinished())
        && (flavour.is_empty()
            || flavour.iter().map(|word| kind(word)).eq(current.flavour().iter().map(|word| kind(word))))
}

/// A date in a version (`v20241219`) and a word for its end are no flavour.
fn kind(word: &str) -> &str {
    if ["final", "ga", "release"].contains(&word) { "final" } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_followed_by_those_of_its_kind() {
        let follows = |one: &str, other: &str| super::follows(&Version::new(one), &Version::new(other));
        for (one, other) in [
            ("42.7.13", "42.8.0"),
            ("9.4.57.v20241219", "9.4.58.v20250814"),
            ("9.4.57.v20241219", "12.0.1"),
            ("hadoop3-2.2.14", "hadoop3-2.2.28"),
            ("2.1.4.Final", "2.2.5.Final"),
            ("25.3.0-0", "25.4.0-0"),
        ] {
            assert!(follows(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("42.7.13", "42.8.0-rc1"),
            ("42.7.13", "42.7.14.jre6"),
            ("hadoop3-2.2.14", "hadoop2-2.2.28"),
            ("3.4.2", "3.4.2"),
            ("2.1.4.Final", "2.3.0.CR1"),
        ] {
            assert!(!follows(one, other), "{one} {other}");
        }
    }
}
