//! All that builds of some images need as one tar: the artifacts of the lock, and the Spark that was compiled.
//!
//! With it, and a checkout of the same commit, a machine without a network builds what was selected.

use std::{
    collections::BTreeSet,
    fs::{self, File, Permissions},
    io,
    os::unix::fs::PermissionsExt as _,
};

use anyhow::{Context as _, Result, bail};
use blob::Digest;
use camino::Utf8Path;
use catalog::{Image, Platform};

use crate::{
    carry::{self, Carried, Writer},
    compile::Wanted,
    fetch,
    machine::kept_folder,
    session::Session,
    stage::SPARK_HOMES,
};

/// Writes all that these images, each for its platform, need from the store. What is missing in it is fetched.
///
/// # Errors
/// Spark is to be compiled and is not; or something cannot be fetched, read or written. No file is left half written.
pub(crate) fn write(session: &Session, images: &[(Platform, &Image)], file: &Utf8Path) -> Result<Carried> {
    let stager = session.stager();
    let mut homes = BTreeSet::new();
    for (platform, image) in images {
        let Some(wanted) = Wanted::of_image(&stager.on(*platform), image)? else { continue };
        let Some((home, _)) = wanted.kept(&stager)? else {
            bail!(
                "Spark {} is not compiled here, and its compile is not carried\nto compile it: {}",
                wanted.version,
                wanted.command()
            );
        };
        homes.insert(home.folder().to_owned());
    }
    if session.fetch(images)? {
        bail!("docker/versions.lock has moved on\nrun the command again");
    }
    let step = session.board.step(file.as_str(), "writing");
    let mut writer = Writer::new(file, &session.machine.cancel)?;
    for artifact in fetch::needed(&session.locked, images) {
        step.now(&artifact.id.to_string());
        writer.add_artifact(&artifact.sha256, &stager.path(artifact)?)?;
    }
    for home in homes {
        step.now("the compiled Spark");
        let name = home.file_name().context("a Spark home without a name")?;
        add_folder(&mut writer, &format!("{SPARK_HOMES}/{name}"), &home)?;
    }
    let carried = writer.finish(file)?;
    drop(step);
    Ok(carried)
}

/// Adds every file below `folder`, sorted. A kept Spark home has no links.
fn add_folder(writer: &mut Writer<'_>, name: &str, folder: &Utf8Path) -> Result<()> {
    let reading = || format!("reading {folder}");
    let mut entries =
        folder.read_dir_utf8().with_context(reading)?.collect::<io::Result<Vec<_>>>().with_context(reading)?;
    entries.sort_by(|a, b| a.file_name().cmp(b.file_name()));
    for entry in entries {
        let name = format!("{name}/{}", entry.file_name());
        if entry.file_type().with_context(reading)?.is_dir() {
            add_folder(writer, &name, entry.path())?;
        } else {
            writer.add(&name, entry.path())?;
        }
    }
    Ok(())
}

/// Takes over what such a file holds.
///
/// # Errors
/// The file is not whole or not one of this kind; artifacts that were whole are in the store all the same.
pub(crate) fn take(session: &Session, file: &Utf8Path) -> Result<Carried> {
    let homes = kept_folder(&session.workspace, &session.machine.store).join(SPARK_HOMES);
    fs::create_dir_all(&homes).with_context(|| format!("making {homes}"))?;
    let pending = tempfile::Builder::new().prefix(".pending-").tempdir_in(&homes);
    let pending = pending.with_context(|| format!("writing in {homes}"))?;
    let pending = Utf8Path::from_path(pending.path()).context("a folder name that is not UTF-8")?;
    let step = session.board.step(file.as_str(), "reading");
    let mut found = BTreeSet::new();
    let prefix = format!("{SPARK_HOMES}/");
    let carried = carry::read(session, file, "bundle", &[&prefix], |name, executable, bytes| {
        let below = name.strip_prefix(&prefix).unwrap_or(name);
        let key = below.split('/').next().unwrap_or_default();
        key.parse::<Digest>().context("a Spark home is named by a digest")?;
        found.insert(key.to_owned());
        let path = pending.join(below);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        let mut file = File::create_new(&path)?;
        io::copy(bytes, &mut file)?;
        file.set_permissions(Permissions::from_mode(if executable { 0o755 } else { 0o644 }))?;
        Ok(())
    });
    let carried = carried.with_context(|| format!("reading {file}"))?;
    // A home is trusted by its name: it must be on disk before it has it.
    rustix::fs::syncfs(File::open(pending)?).with_context(|| format!("syncing {pending}"))?;
    for key in found.iter().filter(|key| !homes.join(key).exists()) {
        let place = homes.join(key);
        fs::rename(pending.join(key), &place).with_context(|| format!("making {place}"))?;
    }
    drop(step);
    Ok(carried)
}
