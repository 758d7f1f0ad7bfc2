//! Answers the requests of a catalog: asks the registries, and writes down which bytes they gave.
//!
//! What the lock answers already is left as it is, unless it is named to be looked at again: versions never move by
//! themselves.

pub(crate) mod debian;
mod files;
pub(crate) mod index;
pub(crate) mod python;
mod shims;

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use catalog::{Artifact, Catalog, Coordinate, Lock, LockedSet, LockedShims, Platform, Request, Requests, Unresolved};

use crate::{machine::Machine, report::progress::Board, workspace::Workspace};

/// What a request was answered with.
pub(crate) enum Answer {
    /// One artifact that bears the name of the request.
    Artifact(Artifact),
    /// A set of artifacts.
    Set(Vec<Artifact>),
    /// The versions of Spark that a plugin knows.
    Shims(LockedShims),
    /// Every registry says that it does not have it.
    Absent(String),
}

impl Answer {
    /// What is said of it in a line of progress.
    fn word(&self) -> &'static str {
        match self {
            Self::Artifact(_) | Self::Set(_) | Self::Shims(_) => "locked",
            Self::Absent(_) => "absent",
        }
    }
}

/// A message of several lines as the lock keeps it.
fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join("; ").replace(":; ", ": ")
}

/// What an absent artifact is recorded with. No address: which registry was asked is a property of the machine.
pub(crate) const NOWHERE: &str = "none of the registries that were asked has it";

/// The lock that answers `catalog`, beginning with the answers of `old`. `update` names what is looked at again.
///
/// # Errors
/// A registry cannot be reached, a requirement cannot be met, a signature is wrong. `old` stays what it is.
pub(crate) fn lock(
    workspace: &Workspace,
    machine: &Machine,
    catalog: &Catalog,
    old: &Lock,
    update: &[String],
    board: &Board,
) -> Result<Lock> {
    let requests = Requests::of(catalog);
    check_names(&requests, old, update)?;
    let mut lock = Lock { requests: Some(requests.digest()), ..Lock::default() };
    let mut open: Vec<&Request> = Vec::new();
    for request in requests.iter() {
        if is_wanted_again(request, old, update) || !keep(request, old, &mut lock) {
            open.push(request);
        }
    }
    let main = catalog.table.platforms.first().copied().unwrap_or_else(|| catalog.table.default_platform());
    let answers = answer(workspace, machine, main, &open, old, update, board)?;
    for (request, answer) in answers {
        note(&mut lock, request, answer);
    }
    Ok(lock)
}

fn answer<'a>(
    workspace: &Workspace,
    machine: &Machine,
    main: Platform,
    open: &[&'a Request],
    old: &Lock,
    update: &[String],
    board: &Board,
) -> Result<Vec<(&'a Request, Answer)>> {
    let mut answers = files::answer(workspace, machine, open, board)?;
    let shims = shims::answer(machine, open, old, &answers)?;
    answers.extend(shims);
    let mut sets = sets(old);
    let index = index::SimpleIndex::new(machine);
    let mut python: Vec<&Request> =
        open.iter().copied().filter(|request| matches!(request, Request::Python { .. })).collect();
    // A set stands on the sets of its parents, which are resolved first; and other platforms follow the main one.
    python.sort_by_key(|request| match request {
        Request::Python { set, platform, .. } => (set.on.len(), *platform != main),
        _ => (0, false),
    });
    for request in python {
        let step = board.step(&request.key(), "resolving");
        let answer = python::resolve(&index, request, main, &sets, update)?;
        step.end(answer.word());
        match &answer {
            Answer::Set(artifacts) => sets.insert(request.key(), artifacts.clone()),
            _ => sets.remove(&request.key()),
        };
        answers.push((request, answer));
    }
    for &request in open {
        match request {
            Request::Debian { packages, debian, platform, .. } => {
                let step = board.step(&request.key(), "resolving");
                let answer = debian::resolve(workspace, machine, packages, debian, *platform, main)?;
                step.end(answer.word());
                answers.push((request, answer));
            }
            Request::Sdist { name, version } => {
                answers.push((request, index::sdist(&index, name, version)?));
            }
            Request::Maven(_)
            | Request::Shims { .. }
            | Request::File(_)
            | Request::Archive(_)
            | Request::Python { .. } => {}
        }
    }
    Ok(answers)
}

/// The artifacts of each set of a lock.
pub(crate) fn sets(lock: &Lock) -> BTreeMap<String, Vec<Artifact>> {
    let members = |set: &LockedSet| set.members.iter().filter_map(|id| lock.artifacts.get(id)).cloned().collect();
    lock.sets.iter().map(|(name, set)| (name.clone(), members(set))).collect()
}

fn note(lock: &mut Lock, request: &Request, answer: Answer) {
    match answer {
        Answer::Artifact(artifact) => {
            lock.artifacts.insert(artifact.id.clone(), artifact);
        }
        Answer::Set(artifacts) => {
            let members = artifacts.iter().map(|artifact| artifact.id.clone()).collect();
            let set = LockedSet { name: request.key(), request: request.digest(), members };
            lock.sets.insert(request.key(), set);
            lock.artifacts.extend(artifacts.into_iter().map(|artifact| (artifact.id.clone(), artifact)));
        }
        Answer::Shims(shims) => {
            lock.shims.insert(request.key(), shims);
        }
        Answer::Absent(reason) => {
            lock.unresolved.insert(request.key(), Unresolved { request: request.key(), reason });
        }
    }
}

/// Takes the answer of the old lock over, if it has one.
fn keep(request: &Request, old: &Lock, lock: &mut Lock) -> bool {
    let key = request.key();
    if let Some(entry) = old.unresolved.get(&key) {
        lock.unresolved.insert(key, entry.clone());
        return true;
    }
    if let (Some(shims), Request::Shims { files, .. }) = (old.shims.get(&key), request) {
        lock.shims.insert(key, shims.clone());
        return shims.files == *files;
    }
    if let Some(set) = old.sets.get(&key) {
        if set.request != request.digest() {
            return false;
        }
        let artifacts = set.members.iter().filter_map(|id| old.artifacts.get(id));
        lock.artifacts.extend(artifacts.map(|artifact| (artifact.id.clone(), artifact.clone())));
        lock.sets.insert(key, set.clone());
        return true;
    }
    let artifact = key.parse().ok().and_then(|id: Coordinate| old.artifacts.get(&id));
    lock.artifacts.extend(artifact.map(|artifact| (artifact.id.clone(), artifact.clone())));
    artifact.is_some()
}

/// Whether `--update` names this request, a member of its set, or its kind.
fn is_wanted_again(request: &Request, old: &Lock, update: &[String]) -> bool {
    let key = request.key();
    let kind = match request {
        Request::Maven(_) | Request::Shims { .. } => "maven",
        Request::Sdist { .. } | Request::Python { .. } => "pypi",
        Request::Debian { .. } => "debian",
        Request::File(_) => "file",
        Request::Archive(_) => "archive",
    };
    let member = |name: &String| {
        let set = old.sets.get(&key).into_iter().flat_map(|set| &set.members);
        // What a jar knows is looked at again with the jar.
        let own = key.trim_start_matches("shims ").parse().ok().map(|id: Coordinate| id.name());
        set.map(Coordinate::name).chain(own).any(|member| member == *name)
    };
    let unresolved = old.unresolved.contains_key(&key);
    update.iter().any(|name| name == kind || *name == key || member(name) || (unresolved && name == "unresolved"))
}

fn check_names(requests: &Requests, old: &Lock, update: &[String]) -> Result<()> {
    for name in update {
        let known = ["maven", "pypi", "debian", "file", "archive", "unresolved"].contains(&name.as_str())
            || requests.iter().any(|request| is_wanted_again(request, old, std::slice::from_ref(name)));
        if !known {
            bail!(
                "nothing in docker/versions.lock is called `{name}`\n\
                 `--update` takes a Python project (`pandas`), a Debian package (`libc6`), a Maven `group:artifact`, \
                 or one of maven, pypi, debian, file, archive, unresolved"
            );
        }
    }
    Ok(())
}
