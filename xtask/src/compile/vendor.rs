//! All that a compile needs as one tar: the artifacts of the lock and Maven's repository.
//!
//! Taking the file over, nothing gets its name in Maven's repository before all was compared with the tar's manifest.

use std::{
    fs::{self, File},
    io,
};

use anyhow::{Context as _, Result, bail};
use camino::Utf8Path;
use catalog::Image;

use super::{Wanted, run, work};
use crate::{
    carry::{self, Carried, Writer},
    fetch,
    session::Session,
};

/// The folder of Maven's repository in the tar.
const REPOSITORY: &str = "m2/";
/// How the folder begins in which such a tar is unpacked.
pub(super) const PENDING: &str = ".vendor-";
/// What Maven notes of its own tries. Elsewhere it says nothing, or the wrong thing.
const NOTES: [&str; 5] = [".lastUpdated", ".part", ".lock", ".tmp", "resolver-status.properties"];

/// Writes all that these images, and the builder that compiles their Spark, need.
///
/// # Errors
/// Spark was not compiled here, so that Maven's repository is not known to be whole; or something cannot be read or
/// written. No file is left half written.
pub(crate) fn write(session: &Session, images: &[&Image], file: &Utf8Path) -> Result<Carried> {
    let stager = session.stager();
    let mut needed: Vec<_> = images.iter().map(|&image| (stager.platform, image)).collect();
    for spark in images.iter().filter_map(|image| image.spark.as_deref()) {
        let wanted = Wanted::new(&stager, spark)?;
        if wanted.kept(&stager)?.is_none() {
            bail!(
                "Spark {} is not compiled here, and what Maven needs is known only then\nto compile it: {}",
                wanted.version,
                wanted.command()
            );
        }
        needed.push((stager.platform, wanted.builder));
    }
    if session.fetch(&needed)? {
        bail!("docker/versions.lock has moved on\nbuild again with it: cargo xtask build-custom");
    }
    let _guard = run::lock(session)?;
    let mut writer = Writer::new(file, &session.machine.cancel)?;
    let step = session.board.step(file.as_str(), "writing");
    for artifact in fetch::needed(&session.locked, &needed) {
        writer.add_artifact(&artifact.sha256, &stager.path(artifact)?)?;
    }
    let repository = work::repository(&run::root(session));
    let mut paths = Vec::new();
    list(&repository, &repository, &mut paths)?;
    paths.sort();
    for path in paths {
        writer.add(&format!("{REPOSITORY}{path}"), &repository.join(&path))?;
    }
    let carried = writer.finish(file)?;
    drop(step);
    Ok(carried)
}

/// The files of Maven's repository that are worth carrying, by path below `root`.
fn list(root: &Utf8Path, folder: &Utf8Path, paths: &mut Vec<String>) -> Result<()> {
    for entry in folder.read_dir_utf8().with_context(|| format!("reading {folder}"))? {
        let entry = entry.with_context(|| format!("reading {folder}"))?;
        if entry.file_type().with_context(|| format!("reading {}", entry.path()))?.is_dir() {
            list(root, entry.path(), paths)?;
        } else if !NOTES.iter().any(|end| entry.file_name().ends_with(end)) {
            paths.push(entry.path().strip_prefix(root)?.to_string());
        }
    }
    Ok(())
}

/// Takes over what such a file holds: artifacts go to the store, the rest to Maven's repository.
///
/// # Errors
/// The file is not whole or not one of this kind; nothing of Maven's is taken then.
pub(crate) fn take(session: &Session, file: &Utf8Path) -> Result<Carried> {
    let root = run::root(session);
    let _guard = run::lock(session)?;
    let pending =
        tempfile::Builder::new().prefix(PENDING).tempdir_in(&root).with_context(|| format!("writing in {root}"))?;
    let pending = Utf8Path::from_path(pending.path()).context("a folder name that is not UTF-8")?;
    let step = session.board.step(file.as_str(), "reading");
    let mut names = Vec::new();
    let carried = carry::read(session, file, "vendor", &[REPOSITORY], |name, _, bytes| {
        let path = pending.join(name);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        io::copy(bytes, &mut File::create_new(&path)?)?;
        names.extend(name.strip_prefix(REPOSITORY).map(str::to_owned));
        Ok(())
    });
    let carried = carried.with_context(|| format!("reading {file}"))?;
    step.now("taking it over");
    // Maven does not look at what it has again: it must be on disk before it has its name.
    rustix::fs::syncfs(File::open(pending)?).with_context(|| format!("syncing {pending}"))?;
    let repository = work::repository(&root);
    for name in &names {
        let (path, place) = (pending.join(REPOSITORY).join(name), repository.join(name));
        let folder = place.parent().unwrap_or(&repository);
        fs::create_dir_all(folder).with_context(|| format!("making {folder}"))?;
        fs::rename(&path, &place).with_context(|| format!("moving {path} to {place}"))?;
    }
    drop(step);
    Ok(carried)
}
