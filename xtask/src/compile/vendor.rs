//! All that a compile needs as one tar: the artifacts of the lock and Maven's repository.
//!
//! The last entry is a manifest with the digest of every other one. Taking the file over, nothing gets its name in the
//! store or in Maven's repository before all was compared with it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write as _},
    sync::atomic::Ordering,
};

use anyhow::{Context as _, Result, bail};
use blob::{Digest, HashingReader, Pending};
use camino::{Utf8Path, Utf8PathBuf};
use catalog::Image;

use super::{Wanted, run, work};
use crate::{fetch, session::Session};

/// The folders in the tar.
const ARTIFACTS: &str = "artifacts/";
const REPOSITORY: &str = "m2/";
const MANIFEST: &str = "manifest.json";
/// How the folder begins in which such a tar is unpacked.
pub(super) const PENDING: &str = ".vendor-";
/// What Maven notes of its own tries. Elsewhere it says nothing, or the wrong thing.
const NOTES: [&str; 5] = [".lastUpdated", ".part", ".lock", ".tmp", "resolver-status.properties"];

/// How much there was.
#[derive(Debug, Default)]
pub(crate) struct Vendored {
    pub(crate) files: usize,
    pub(crate) bytes: u64,
}

type Manifest = BTreeMap<String, Digest>;

/// Writes all that these images, and the builder that compiles their Spark, need.
///
/// # Errors
/// Spark was not compiled here, so that Maven's repository is not known to be whole; or something cannot be read or
/// written. No file is left half written.
pub(crate) fn write(session: &Session, images: &[&Image], file: &Utf8Path) -> Result<Vendored> {
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
    let folder = file.parent().filter(|folder| !folder.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
    let pending = Pending::new_in(folder).with_context(|| format!("writing in {folder}"))?;
    let mut writer = Writer {
        tar: tar::Builder::new(BufWriter::with_capacity(1 << 20, pending)),
        manifest: BTreeMap::new(),
        bytes: 0,
    };
    let step = session.board.step(file.as_str(), "writing");
    for artifact in fetch::needed(&session.locked, &needed) {
        writer.add(&format!("{ARTIFACTS}{}", artifact.sha256.hex()), &stager.path(artifact)?)?;
    }
    let repository = work::repository(&run::root(session));
    let mut paths = Vec::new();
    list(&repository, &repository, &mut paths)?;
    paths.sort();
    for path in paths {
        if session.machine.cancel.load(Ordering::Relaxed) {
            bail!("interrupted; nothing was written");
        }
        writer.add(&format!("{REPOSITORY}{path}"), &repository.join(&path))?;
    }
    let vendored = writer.finish(file).with_context(|| format!("writing {file}"))?;
    drop(step);
    Ok(vendored)
}

struct Writer {
    tar: tar::Builder<BufWriter<Pending>>,
    manifest: Manifest,
    bytes: u64,
}

impl Writer {
    fn add(&mut self, name: &str, path: &Utf8Path) -> Result<()> {
        let mut add = || -> io::Result<(Digest, u64)> {
            let file = File::open(path)?;
            let mut header = header(file.metadata()?.len());
            let mut hashed = HashingReader::new(BufReader::with_capacity(256 * 1024, file));
            self.tar.append_data(&mut header, name, &mut hashed)?;
            Ok(hashed.finish())
        };
        let (digest, size) = add().with_context(|| format!("reading {path}"))?;
        self.manifest.insert(name.to_owned(), digest);
        self.bytes += size;
        Ok(())
    }

    fn finish(mut self, file: &Utf8Path) -> Result<Vendored> {
        let text = serde_json::to_vec(&self.manifest)?;
        self.tar.append_data(&mut header(text.len() as u64), MANIFEST, text.as_slice())?;
        let mut out = self.tar.into_inner()?;
        out.flush()?;
        let pending = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        pending.commit(file, 0o644)?;
        Ok(Vendored { files: self.manifest.len(), bytes: self.bytes })
    }
}

fn header(size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_cksum();
    header
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
/// The file is not whole or not one of this kind; nothing of it is taken then.
pub(crate) fn take(session: &Session, file: &Utf8Path) -> Result<Vendored> {
    let root = run::root(session);
    let _guard = run::lock(session)?;
    let pending =
        tempfile::Builder::new().prefix(PENDING).tempdir_in(&root).with_context(|| format!("writing in {root}"))?;
    let pending = Utf8Path::from_path(pending.path()).context("a folder name that is not UTF-8")?;
    let step = session.board.step(file.as_str(), "reading");
    let (found, bytes) = unpack(session, file, pending).with_context(|| format!("reading {file}"))?;
    step.now("taking it over");
    // Maven does not look at what it has again: it must be on disk before it has its name.
    rustix::fs::syncfs(File::open(pending)?).with_context(|| format!("syncing {pending}"))?;
    let repository = work::repository(&root);
    for (name, digest) in &found {
        let path = pending.join(name);
        if let Some(rest) = name.strip_prefix(REPOSITORY) {
            let place = repository.join(rest);
            let folder = place.parent().unwrap_or(&repository);
            fs::create_dir_all(folder).with_context(|| format!("making {folder}"))?;
            fs::rename(&path, &place).with_context(|| format!("moving {path} to {place}"))?;
        } else {
            session.machine.store.import_file(&path, Some(*digest))?;
        }
    }
    drop(step);
    Ok(Vendored { files: found.len(), bytes })
}

/// Unpacks the file below `pending`, and compares all of it with its manifest.
fn unpack(session: &Session, file: &Utf8Path, pending: &Utf8Path) -> Result<(Manifest, u64)> {
    let mut archive = tar::Archive::new(BufReader::with_capacity(1 << 20, File::open(file)?));
    let (mut found, mut bytes, mut manifest) = (Manifest::new(), 0, None);
    for entry in archive.entries()? {
        if session.machine.cancel.load(Ordering::Relaxed) {
            bail!("interrupted; nothing was taken over");
        }
        let mut entry = entry?;
        let name = entry.path()?.to_str().context("a name that is not UTF-8")?.to_owned();
        if name == MANIFEST {
            let mut text = Vec::new();
            entry.read_to_end(&mut text)?;
            manifest = Some(serde_json::from_slice::<Manifest>(&text).context("its manifest is damaged")?);
            continue;
        }
        let known = name.starts_with(ARTIFACTS) || name.starts_with(REPOSITORY);
        if !known
            || name.split('/').any(|part| matches!(part, "" | "." | ".."))
            || !entry.header().entry_type().is_file()
        {
            bail!("it holds `{name}`, which `vendor` does not write");
        }
        let path: Utf8PathBuf = pending.join(&name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("making {folder}"))?;
        }
        let mut hashed = HashingReader::new(&mut entry);
        let write = |hashed: &mut HashingReader<_>| io::copy(hashed, &mut File::create_new(&path)?);
        bytes += write(&mut hashed).with_context(|| format!("unpacking {name}"))?;
        found.insert(name, hashed.finish().0);
    }
    let Some(expected) = manifest else { bail!("it is cut off, or not a file of `cargo xtask vendor`") };
    if found != expected {
        let differs = |name: &&String| found.get(*name) != expected.get(*name);
        let names: Vec<&String> = expected.keys().chain(found.keys()).filter(differs).take(3).collect();
        bail!("it is damaged: {names:?} are not what its manifest says");
    }
    Ok((found, bytes))
}
