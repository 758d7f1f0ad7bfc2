//! What no table pins: Debian packages, and what Python packages need. It is resolved as `lock --update` would, for the
//! main platform; what comes out is compared with the lock and thrown away.

use std::collections::BTreeMap;

use anyhow::Result;
use catalog::{Artifact, Coordinate, Request, Requests};

use super::{Row, State, Survey, python::project};
use crate::{
    report::progress::Step,
    resolve::{self, Answer},
};

pub(super) fn rows(survey: &Survey<'_>, step: &Step<'_>) -> Result<Vec<Row>> {
    let table = &survey.catalog.table;
    let main = table.platforms.first().copied().unwrap_or_else(|| table.default_platform());
    let sets = resolve::sets(survey.lock);
    let mut rows: BTreeMap<(&'static str, String), Row> = BTreeMap::new();
    let mut failures = Vec::new();
    let requests = Requests::of(survey.catalog);
    for request in requests.iter() {
        let Some(old) = sets.get(&request.key()) else { continue };
        let wanted = |name: &str| survey.names.is_empty() || survey.is_named(name);
        let answer = match request {
            Request::Debian { packages, debian, platform, .. } if *platform == main => {
                if !wanted("debian") && !names(old).any(|name| survey.is_named(&name)) {
                    continue;
                }
                step.now(&request.key());
                resolve::debian::resolve(survey.workspace, survey.machine, packages, debian, main, main)
            }
            Request::Python { platform, .. } if *platform == main => {
                if !survey.names.is_empty() && !names(old).any(|name| survey.is_named(&name)) {
                    continue;
                }
                step.now(&request.key());
                resolve::python::resolve(&survey.index, request, main, &sets, &["pypi".to_owned()])
            }
            _ => continue,
        };
        match answer {
            Ok(Answer::Set(new)) => compare(survey, old, &new, &mut rows),
            Ok(Answer::Artifact(_) | Answer::Shims(_) | Answer::Absent(_)) => {}
            Err(error) => failures.push(unknown(request, &format!("{error:#}"))),
        }
    }
    Ok(rows.into_values().chain(failures).collect())
}

fn names(artifacts: &[Artifact]) -> impl Iterator<Item = String> {
    artifacts.iter().map(|artifact| artifact.id.name())
}

/// A row for each package that would move. The table's own pins never do.
fn compare(survey: &Survey<'_>, old: &[Artifact], new: &[Artifact], rows: &mut BTreeMap<(&'static str, String), Row>) {
    for artifact in new {
        let name = artifact.id.name();
        let Some(before) = old.iter().find(|other| other.id.name() == name).and_then(version) else { continue };
        let Some(after) = version(artifact).filter(|after| *after != before) else { continue };
        let of_debian = is_deb(artifact) && survey.is_named("debian");
        if !(survey.names.is_empty() || survey.is_named(&name) || of_debian) {
            continue;
        }
        let (kind, update) = if is_deb(artifact) { ("debian", "debian") } else { ("pypi", name.as_str()) };
        let take = format!("cargo xtask lock --update {update}");
        rows.insert(
            (kind, name.clone()),
            Row {
                state: State::Newer,
                of: vec![name.clone()],
                newest: Some(after.to_owned()),
                takes: Some(after.to_owned()),
                take,
                ..Row::new(kind, name, before.to_owned())
            },
        );
    }
}

fn is_deb(artifact: &Artifact) -> bool {
    matches!(artifact.id, Coordinate::Deb { .. })
}

fn version(artifact: &Artifact) -> Option<&str> {
    match &artifact.id {
        Coordinate::Deb { version, .. } => Some(version),
        _ => project(artifact).map(|(_, version)| version),
    }
}

fn unknown(request: &Request, why: &str) -> Row {
    let kind = if matches!(request, Request::Debian { .. }) { "debian" } else { "pypi" };
    Row {
        state: State::Unknown,
        why: Some(why.to_owned()),
        take: "cargo xtask doctor".to_owned(),
        ..Row::new(kind, request.key(), String::new())
    }
}
