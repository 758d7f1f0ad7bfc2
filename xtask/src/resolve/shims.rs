//! Requests for what a plugin's jar knows.

use anyhow::{Result, bail};
use catalog::{Artifact, Coordinate, Lock, LockedShims, Maven, Request};

use super::Answer;
use crate::{jar, machine::Machine};

/// Answers the requests among `open` that ask what a jar knows. `found` are the answers of this run, jars among them.
///
/// # Errors
/// A registry does not answer, or has a jar and gives no part of it.
pub(super) fn answer<'a>(
    machine: &Machine,
    open: &[&'a Request],
    old: &Lock,
    found: &[(&Request, Answer)],
) -> Result<Vec<(&'a Request, Answer)>> {
    let mut answers = Vec::new();
    for &request in open {
        let Request::Shims { jar, files } = request else { continue };
        let answer = match artifact(jar, old, found) {
            Some(artifact) => Answer::Shims(known(machine, jar, files, &artifact)?),
            None => Answer::Absent("the jar itself could not be had".to_owned()),
        };
        answers.push((request, answer));
    }
    Ok(answers)
}

/// The jar as it was found in this run, or as it stands in the old lock.
fn artifact(jar: &Maven, old: &Lock, found: &[(&Request, Answer)]) -> Option<Artifact> {
    let of_now = found.iter().find_map(|(request, answer)| match (request, answer) {
        (Request::Maven(maven), answer) if maven == jar => Some(answer),
        _ => None,
    });
    match of_now {
        Some(Answer::Artifact(artifact)) => Some(artifact.clone()),
        Some(_) => None,
        None => old.artifacts.get(&Coordinate::Maven(jar.clone())).cloned(),
    }
}

fn known(machine: &Machine, jar: &Maven, files: &str, artifact: &Artifact) -> Result<LockedShims> {
    let Some(names) = jar::names(machine, jar, Some(artifact))? else {
        bail!(
            "{jar} cannot be looked into: it is not in the store, and no registry gives a part of it\n\
             to fetch it: cargo xtask lock --update {}:{}",
            jar.group,
            jar.artifact
        );
    };
    let known = maven::shims::known(names.iter().map(String::as_str), files);
    if known.is_empty() {
        bail!("{jar} has no file `{files}`, by which it would say which versions of Spark it knows");
    }
    Ok(LockedShims { jar: Coordinate::Maven(jar.clone()), files: files.to_owned(), known: known.into_iter().collect() })
}
