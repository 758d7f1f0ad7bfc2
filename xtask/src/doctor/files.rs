//! Which registry has which of the files that are needed. Nothing is fetched: each is asked for by HEAD.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    time::Instant,
};

use catalog::{Artifact, Coordinate};
use registries::Kind;
use store::{Http, HttpError, Location};

use super::{
    Finding, Section, State,
    needs::Needs,
    reach::{Answer, Reach, head},
};
use crate::{
    machine::{Machine, kind_of, location},
    report::text::count,
    resolve::index::SimpleIndex,
    schedule,
};

/// How many requests are under way at once.
const AT_ONCE: usize = 16;
/// How many names a line has at most.
const SHOWN: usize = 5;

/// Where a file is asked for: one of the registries of a kind, or the addresses that the table has for an archive.
pub(super) type Place = (Option<Kind>, usize);

/// What a registry said of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Has {
    Yes,
    No,
    /// A file of that name with another number of bytes.
    Other(u64),
    /// It refuses, with this status.
    Refused(u16),
    Failed(String),
    /// There was no time left.
    NotAsked,
}

/// What all of them said.
#[derive(Debug, Default)]
pub(super) struct Files(pub(super) BTreeMap<Place, BTreeMap<Coordinate, Has>>);

/// One thing to ask. All files of a project stand on one page of an index.
enum Task<'a> {
    File(Place, &'a Artifact, Vec<Location>),
    /// A package lies in one of the archives of its release. Those that offer the same suites are mirrors of each other.
    Package(&'a Artifact, Vec<Vec<usize>>),
    Project(usize, &'a str, Vec<&'a Artifact>),
}

/// Asks every registry that answers for every file of its kind; begins nothing after `until`.
pub(super) fn ask(machine: &Machine, wanted: &[Artifact], reach: &[Reach], until: Instant) -> Files {
    let tasks = tasks(machine, wanted, reach);
    let index = SimpleIndex::new(machine);
    let jobs = NonZeroUsize::new(AT_ONCE).unwrap_or(NonZeroUsize::MIN);
    let answers = schedule::run(&vec![Vec::new(); tasks.len()], jobs, &machine.cancel, |number| {
        let late = Instant::now() >= until;
        Ok(match &tasks[number] {
            Task::File(place, artifact, locations) => {
                let has = if late { Has::NotAsked } else { first(&machine.http, locations, artifact.size) };
                vec![(*place, artifact.id.clone(), has)]
            }
            Task::Package(artifact, archives) => {
                let late = || Instant::now() >= until;
                let ask = |&number: &usize| {
                    let endpoint = &machine.registries.debian[number].endpoint;
                    let place = location(endpoint, artifact.path.as_deref().unwrap_or_default());
                    let has = if late() { Has::NotAsked } else { one(&machine.http, &place, artifact.size) };
                    ((Some(Kind::Debian), number), artifact.id.clone(), has)
                };
                let mut said = Vec::new();
                for mirrors in archives {
                    let of_these: Vec<_> = mirrors.iter().map(ask).collect();
                    let found = of_these.iter().any(|(_, _, has)| *has == Has::Yes);
                    said.extend(of_these);
                    if found {
                        break;
                    }
                }
                said
            }
            Task::Project(endpoint, name, artifacts) => {
                let place = (Some(Kind::Pypi), *endpoint);
                let said = artifacts.iter().map(|artifact| {
                    let late = Instant::now() >= until;
                    let has = if late { Has::NotAsked } else { on_page(machine, &index, *endpoint, name, artifact) };
                    (place, artifact.id.clone(), has)
                });
                said.collect()
            }
        })
    });
    let mut files = Files::default();
    for outcome in answers {
        let schedule::Outcome::Done(said) = outcome else { continue };
        for (place, id, has) in said {
            files.0.entry(place).or_default().insert(id, has);
        }
    }
    files
}

fn tasks<'a>(machine: &Machine, wanted: &'a [Artifact], reach: &[Reach]) -> Vec<Task<'a>> {
    let serving: BTreeSet<(Kind, usize)> = reach
        .iter()
        .filter(|reach| matches!(reach.answer, Answer::Serves | Answer::Lacks(_)))
        .map(|reach| (reach.kind, reach.number))
        .collect();
    let registries = &machine.registries;
    let mut tasks = Vec::new();
    let mut projects: BTreeMap<&str, Vec<&Artifact>> = BTreeMap::new();
    let mut archives: Vec<Vec<usize>> = Vec::new();
    for number in (0..registries.debian.len()).filter(|&number| serving.contains(&(Kind::Debian, number))) {
        let suites = &registries.debian[number].suites;
        match archives.iter_mut().find(|mirrors| registries.debian[mirrors[0]].suites == *suites) {
            Some(mirrors) => mirrors.push(number),
            None => archives.push(vec![number]),
        }
    }
    for artifact in wanted {
        match &artifact.id {
            Coordinate::Maven(maven) => {
                let places = machine.maven(maven);
                let places =
                    places.into_iter().enumerate().filter(|(number, _)| serving.contains(&(Kind::Maven, *number)));
                tasks.extend(
                    places.map(|(number, place)| Task::File((Some(Kind::Maven), number), artifact, vec![place])),
                );
            }
            Coordinate::Deb { .. } => tasks.push(Task::Package(artifact, archives.clone())),
            Coordinate::Pypi { name, .. } => projects.entry(name).or_default().push(artifact),
            Coordinate::Archive(_) => tasks.push(Task::File((None, 0), artifact, machine.locations(artifact))),
            Coordinate::File(_) => {}
        }
    }
    for (name, artifacts) in projects {
        let endpoints = (0..registries.pypi.len()).filter(|&number| serving.contains(&(Kind::Pypi, number)));
        tasks.extend(endpoints.map(|number| Task::Project(number, name, artifacts.clone())));
    }
    tasks
}

fn on_page(machine: &Machine, index: &SimpleIndex<'_>, endpoint: usize, name: &str, artifact: &Artifact) -> Has {
    let Coordinate::Pypi { file, .. } = &artifact.id else { return Has::No };
    match index.location_on(endpoint, name, file) {
        Ok(Some(place)) => one(&machine.http, &place, artifact.size),
        Ok(None) => Has::No,
        Err(error) => match error.downcast_ref::<HttpError>() {
            Some(HttpError::Status { status: status @ (401 | 403), .. }) => Has::Refused(*status),
            _ => Has::Failed(format!("{error:#}")),
        },
    }
}

/// What the first of these that has it says, or else the last.
fn first(http: &Http, locations: &[Location], size: u64) -> Has {
    let mut said = Has::No;
    for place in locations {
        said = one(http, place, size);
        if said == Has::Yes {
            break;
        }
    }
    said
}

fn one(http: &Http, place: &Location, size: u64) -> Has {
    let exchange = match head(http, place) {
        Ok(exchange) => exchange,
        Err(error) => return Has::Failed(error.to_string()),
    };
    match exchange.status() {
        // Some say 0, or nothing, because they send nothing.
        200 => match exchange.header("content-length").and_then(|length| length.trim().parse().ok()) {
            Some(found) if found != size && found != 0 => Has::Other(found),
            _ => Has::Yes,
        },
        404 | 410 => Has::No,
        status @ (401 | 403) => Has::Refused(status),
        // It knows no HEAD: a byte will do.
        405 | 501 => match http.get_range(place, 0..1) {
            Ok(_) => Has::Yes,
            Err(error) if error.is_absent() => Has::No,
            Err(error) => Has::Failed(error.to_string()),
        },
        _ => Has::Failed(exchange.error().to_string()),
    }
}

pub(super) fn look(needs: &Needs, files: &Files, reach: &[Reach]) -> Section {
    let mut findings = Vec::new();
    if needs.machine.offline || needs.asked.is_empty() {
        return Section::new("files", findings);
    }
    let anywhere: BTreeSet<&Coordinate> = files.0.values().flat_map(yes).collect();
    for (place, said) in &files.0 {
        findings.extend(of_registry(needs, *place, said, &anywhere));
    }
    findings.extend(nowhere(needs, files, &anywhere, reach));
    let not_asked: BTreeSet<&Coordinate> =
        files.0.values().flat_map(|said| with(said, |has| *has == Has::NotAsked)).collect();
    if !not_asked.is_empty() {
        let what = format!("{} not asked for: there was no time left", count(not_asked.len(), "file"));
        findings.push(Finding::new(State::Warning, what, "cargo xtask doctor --within 300"));
    }
    Section::new("files", findings)
}

fn with<'a>(
    said: &'a BTreeMap<Coordinate, Has>,
    is: impl Fn(&Has) -> bool + 'a,
) -> impl Iterator<Item = &'a Coordinate> + 'a {
    said.iter().filter(move |(_, has)| is(has)).map(|(id, _)| id)
}

fn yes(said: &BTreeMap<Coordinate, Has>) -> impl Iterator<Item = &Coordinate> {
    with(said, |has| *has == Has::Yes)
}

/// What one registry has and lacks.
fn of_registry(
    needs: &Needs,
    (kind, number): Place,
    said: &BTreeMap<Coordinate, Has>,
    anywhere: &BTreeSet<&Coordinate>,
) -> Vec<Finding> {
    let registries = &needs.machine.registries;
    let name = match kind {
        Some(Kind::Maven) => registries.maven[number].url.to_string(),
        Some(Kind::Pypi) => registries.pypi[number].url.to_string(),
        Some(Kind::Debian) => registries.debian[number].endpoint.url.to_string(),
        None => "the addresses in docker/versions.toml".to_owned(),
    };
    let (has, all) = (yes(said).count(), said.len());
    if has == all {
        return vec![Finding::fine(format!("{name} has all {} that it was asked for", count(all, "file")))];
    }
    // A package lies in one of the archives of its release: the others do not have it, and are no mirrors of that one.
    let is_apart = |id: &&Coordinate| kind == Some(Kind::Debian) && anywhere.contains(*id);
    let lacks: Vec<&Coordinate> = with(said, |has| *has == Has::No).filter(|id| !is_apart(id)).collect();
    let mut findings = vec![match lacks.as_slice() {
        [] => Finding::fine(format!("{name} has {has} of {}", count(all, "file"))),
        lacks => Finding::note(format!("{name} has {has} of {} and lacks {}", count(all, "file"), list(lacks))),
    }];
    let others: Vec<String> = said
        .iter()
        .filter_map(|(id, has)| match has {
            Has::Other(found) => Some(format!("{id}: another file of {found} bytes")),
            Has::Refused(status) => Some(format!("{id}: refused ({status}), which some do for what they lack")),
            Has::Failed(why) => Some(format!("{id}: {why}")),
            Has::Yes | Has::No | Has::NotAsked => None,
        })
        .collect();
    if !others.is_empty() {
        let more = others.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!("\nand {more} more") } else { String::new() };
        let shown = others.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n");
        let remedy = "if it is a page of a proxy that asks for a login, log in; else try again: cargo xtask doctor";
        findings.push(Finding::new(State::Warning, format!("{name}:\n{shown}{more}"), remedy));
    }
    findings
}

/// The files that no registry has.
fn nowhere(needs: &Needs, files: &Files, anywhere: &BTreeSet<&Coordinate>, reach: &[Reach]) -> Vec<Finding> {
    let missing: BTreeSet<&Coordinate> = needs.missing.iter().map(|artifact| &artifact.id).collect();
    let silent: BTreeSet<&Coordinate> =
        files.0.values().flat_map(|said| with(said, |has| *has == Has::NotAsked)).collect();
    let mut findings = Vec::new();
    for kind in [Some(Kind::Maven), Some(Kind::Pypi), Some(Kind::Debian), None] {
        let answers = kind.is_none_or(|kind| {
            reach.iter().any(|one| one.kind == kind && matches!(one.answer, Answer::Serves | Answer::Lacks(_)))
        });
        // Of those that do not answer the section of registries tells.
        if !answers {
            continue;
        }
        let ids = needs.asked.iter().map(|artifact| &artifact.id).filter(|id| kind_of(id) == kind);
        let ids: Vec<&Coordinate> = ids.filter(|id| !anywhere.contains(id) && !silent.contains(id)).collect();
        let (needed, stored): (Vec<_>, Vec<_>) = ids.into_iter().partition(|id| missing.contains(id));
        if !stored.is_empty() {
            let what = format!("no registry has {} any more; the store has them", list(&stored));
            findings.push(Finding::new(
                State::Warning,
                what,
                "keep the store, or carry it: cargo xtask bundle --out FILE",
            ));
        }
        let Some(first) = needed.first() else { continue };
        let what = format!("no registry has {}", list(&needed));
        let name = first.name();
        findings.push(match kind {
            Some(Kind::Debian) if needs.may_lock => Finding::new(
                State::Note,
                format!("{what}: their archive has replaced them, and the next build takes their successors"),
                "cargo xtask lock --update debian",
            ),
            Some(Kind::Debian) => Finding::new(
                State::Problem,
                format!("{what}: their archive has replaced them, and the lock must not change"),
                "on a developer's machine: cargo xtask lock --update debian",
            ),
            _ => Finding::new(
                State::Problem,
                what,
                format!(
                    "name a mirror that has it beside the others: cargo xtask setup, or --registry KIND=URL\n\
                     or build all that does not need it: cargo xtask lock --update {name}"
                ),
            ),
        });
    }
    findings
}

/// `a, b and 3 more`.
fn list(ids: &[&Coordinate]) -> String {
    let shown = ids.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match ids.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
