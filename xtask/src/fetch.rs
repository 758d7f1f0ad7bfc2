//! Brings the artifacts of the lock into the store.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use catalog::{Artifact, Coordinate, Image, LockedCatalog, Platform};
use store::{FetchOptions, Wanted, fetch};

use crate::{
    machine::Machine,
    report::{
        progress::Board,
        text::{bytes, count},
    },
    resolve::index::SimpleIndex,
    workspace::Workspace,
};

/// The artifacts that these images, each for its platform, need; each once.
pub(crate) fn needed<'a>(locked: &'a LockedCatalog, images: &[(Platform, &Image)]) -> Vec<&'a Artifact> {
    let mut needed: BTreeMap<&Coordinate, &Artifact> = BTreeMap::new();
    for &(platform, image) in images {
        for stage in locked.stages(platform, image) {
            needed
                .extend(locked.artifacts(platform, image, stage).into_iter().map(|artifact| (&artifact.id, artifact)));
        }
    }
    needed.into_values().collect()
}

/// What became of the artifacts that could not be had: a Debian archive deletes what it replaces.
#[derive(Debug, Default)]
pub(crate) struct Gone {
    /// Packages whose file their archive no longer has.
    pub(crate) debs: Vec<Coordinate>,
}

/// Makes sure that all of `artifacts` are in the store.
///
/// # Errors
/// One of them cannot be had. Debian packages that their archive has replaced are no error: they are returned.
pub(crate) fn ensure(workspace: &Workspace, machine: &Machine, artifacts: &[&Artifact], board: &Board) -> Result<Gone> {
    let missing: Vec<&&Artifact> = artifacts
        .iter()
        .filter(|artifact| machine.store.get(&artifact.sha256, Some(artifact.size)).is_none())
        .collect();
    if missing.is_empty() {
        return Ok(Gone::default());
    }
    own_files(workspace, machine, &missing)?;
    let remote: Vec<&Artifact> =
        missing.into_iter().filter(|artifact| !matches!(artifact.id, Coordinate::File(_))).copied().collect();
    let total: u64 = remote.iter().map(|artifact| artifact.size).sum();
    if !machine.http.is_offline() {
        machine.require(remote.iter().map(|artifact| &artifact.id))?;
        if !remote.is_empty() {
            board.say(&format!("fetching {}, {}", count(remote.len(), "file"), bytes(total)));
        }
    }
    let index = SimpleIndex::new(machine);
    let wanted: Vec<Wanted> = remote.iter().map(|artifact| wanted(machine, &index, artifact)).collect::<Result<_>>()?;
    let progress = board.download(wanted.len(), Some(total));
    let report = fetch(&machine.store, &machine.http, &wanted, &FetchOptions::default(), &progress)?;
    drop(progress);
    let by_id = |id: &str| remote.iter().find(|artifact| artifact.id.to_string() == id).map(|artifact| &artifact.id);
    let mut gone = Gone::default();
    let mut failures = Vec::new();
    for failed in &report.failed {
        match by_id(&failed.id) {
            Some(id @ Coordinate::Deb { .. }) if failed.error.is_absent() => gone.debs.push(id.clone()),
            _ => failures.push(format!("{}: {}", failed.id, failed.error)),
        }
    }
    match failures.as_slice() {
        [] => Ok(gone),
        failures => {
            let kept = format!("what was fetched is kept in {}; run the command again to go on", machine.store.root());
            bail!("{} could not be fetched\n  {}\n{kept}", count(failures.len(), "file"), failures.join("\n  "))
        }
    }
}

fn wanted(machine: &Machine, index: &SimpleIndex<'_>, artifact: &Artifact) -> Result<Wanted> {
    let locations = match &artifact.id {
        Coordinate::Pypi { name, file, .. } if !machine.http.is_offline() => index.locations(name, file)?,
        _ => machine.locations(artifact),
    };
    Ok(Wanted {
        id: artifact.id.to_string(),
        locations,
        size: Some(artifact.size),
        sha256: Some(artifact.sha256),
        check: None,
    })
}

/// The user's own files are copied into the store, as everything that enters an image.
fn own_files(workspace: &Workspace, machine: &Machine, missing: &[&&Artifact]) -> Result<()> {
    for artifact in missing {
        let Coordinate::File(path) = &artifact.id else { continue };
        machine.store.import_file(&workspace.path(path), Some(artifact.sha256))?;
    }
    Ok(())
}
