//! The root filesystem of the base, made once from its packages and kept in the store as one tar.

use std::{fs, io::BufWriter};

use anyhow::{Context as _, Result, bail};
use assemble::{
    Source,
    context::{Entry, FileEntry},
};
use blob::{Digest, Pending};
use camino::Utf8Path;
use catalog::{Artifact, Inputs};
use debian::{
    deb::Deb,
    rootfs::{self, Authority, Recipe},
};

use super::{Fault, ROOTFS, Stager};
use crate::machine::kept_folder;

/// What identifies the tar of the root filesystem that `recipe` and the packages make.
pub(super) fn key(stager: &Stager<'_>, recipe: &str, artifacts: &[&Artifact]) -> Result<Digest> {
    let mut key = Inputs::default();
    stager.reader().rootfs(recipe, &mut key)?;
    key.add("epoch", stager.locked.catalog().table.epoch);
    for artifact in artifacts {
        key.add(artifact.id.to_string(), artifact.sha256);
    }
    Ok(key.fingerprint())
}

/// The tar of the root filesystem that `recipe` and the packages make.
pub(super) fn tar(stager: &Stager<'_>, recipe: &str, artifacts: &[&Artifact]) -> Result<Entry> {
    let folder = kept_folder(stager.workspace, &stager.machine.store).join(ROOTFS);
    let path = folder.join(format!("{}.tar", key(stager, recipe, artifacts)?.hex()));
    let noted = path.with_extension("sha256");
    if let Some(entry) = kept(&path, &noted)? {
        return Ok(entry);
    }
    let text = fs::read_to_string(stager.workspace.path(recipe)).with_context(|| format!("reading {recipe}"))?;
    let recipe: Recipe = toml::from_str(&text).with_context(|| format!("reading {recipe}"))?;
    let debs: Vec<Deb> = artifacts
        .iter()
        .map(|artifact| Ok(Deb { path: stager.path(artifact)?, digest: artifact.sha256 }))
        .collect::<Result<_>>()?;
    let authorities: Vec<Authority> = stager.machine.extra_ca.iter().map(authority).collect::<Result<_>>()?;
    let epoch = stager.locked.catalog().table.epoch;
    let epoch = u64::try_from(epoch).context("the epoch in docker/versions.toml lies before 1970")?;
    let inputs = rootfs::Inputs { debs: &debs, recipe: &recipe, authorities: &authorities, epoch };
    let mut pending = Pending::new_in(&folder).with_context(|| format!("writing in {folder}"))?;
    rootfs::write(&inputs, BufWriter::with_capacity(1 << 20, &mut pending)).context("making the root filesystem")?;
    let (digest, _) = pending.commit(&path, 0o444).with_context(|| format!("writing {path}"))?;
    blob::write(&noted, digest.to_string().as_bytes()).with_context(|| format!("writing {noted}"))?;
    kept(&path, &noted)?.with_context(|| format!("{path} vanished"))
}

fn authority((path, pem): &(camino::Utf8PathBuf, Vec<u8>)) -> Result<Authority> {
    let Some(name) = path.file_stem() else { bail!("{path} has no file name") };
    Ok(Authority { name: name.to_owned(), pem: pem.clone() })
}

/// Reads every kept tar again.
pub(super) fn verify(folder: &Utf8Path) -> Result<Vec<Fault>> {
    let mut faults = Vec::new();
    let Ok(entries) = folder.read_dir_utf8() else { return Ok(faults) };
    for entry in entries {
        let path = entry.with_context(|| format!("reading {folder}"))?.into_path();
        if path.extension() != Some("tar") {
            continue;
        }
        let expected = fs::read_to_string(path.with_extension("sha256")).unwrap_or_default();
        let (found, size) =
            fs::File::open(&path).and_then(blob::hash_reader).with_context(|| format!("reading {path}"))?;
        if expected != found.to_string() {
            let what = format!("expected {expected}, found {found} ({size} bytes)");
            faults.push(Fault { path: path.clone(), what, kept: path });
        }
    }
    Ok(faults)
}

/// The tar of an earlier run. Its bytes are compared with its digest when a layer is made of it.
fn kept(path: &Utf8Path, noted: &Utf8Path) -> Result<Option<Entry>> {
    let (Ok(meta), Ok(text)) = (fs::metadata(path), fs::read_to_string(noted)) else { return Ok(None) };
    let digest: Digest = text.parse().with_context(|| format!("reading {noted}"))?;
    let source = Source::Path(path.to_owned());
    Ok(Some(Entry::File(FileEntry { executable: false, size: meta.len(), digest, source })))
}
