//! Files in one tar, for a machine without a network.
//!
//! The last entry is a manifest with the digest of every other one: a tar that was cut off or changed is not taken for a
//! whole one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write as _},
    os::unix::fs::PermissionsExt as _,
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::{Context as _, Result, bail};
use blob::{Digest, HashingReader, Pending};
use camino::Utf8Path;
use store::Store;

use crate::session::Session;

const MANIFEST: &str = "manifest.json";
/// The folder of the store's artifacts in such a tar, each named by the hexadecimal digits of its digest.
const ARTIFACTS: &str = "artifacts/";

/// How much there was.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    pub(crate) files: usize,
    pub(crate) bytes: u64,
}

/// The digest of each file, by its name in the tar.
type Manifest = BTreeMap<String, Digest>;

/// Writes such a tar. The file appears when it is whole.
pub(crate) struct Writer<'a> {
    tar: tar::Builder<BufWriter<Pending>>,
    manifest: Manifest,
    bytes: u64,
    cancel: &'a AtomicBool,
}

impl<'a> Writer<'a> {
    /// Begins to write what will be `file`. Ctrl-C sets `cancel`.
    pub(crate) fn new(file: &Utf8Path, cancel: &'a AtomicBool) -> Result<Self> {
        let folder = file.parent().filter(|folder| !folder.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
        let pending = Pending::new_in(folder).with_context(|| format!("writing in {folder}"))?;
        let tar = tar::Builder::new(BufWriter::with_capacity(1 << 20, pending));
        Ok(Self { tar, manifest: BTreeMap::new(), bytes: 0, cancel })
    }

    /// Adds the file at `path`.
    pub(crate) fn add(&mut self, name: &str, path: &Utf8Path) -> Result<Digest> {
        if self.cancel.load(Ordering::Relaxed) {
            bail!("interrupted; nothing was written");
        }
        let mut add = || -> io::Result<(Digest, u64)> {
            let file = File::open(path)?;
            let meta = file.metadata()?;
            let mut header = header(meta.len(), meta.permissions().mode() & 0o100 != 0);
            let mut hashed = HashingReader::new(BufReader::with_capacity(256 * 1024, file));
            self.tar.append_data(&mut header, name, &mut hashed)?;
            Ok(hashed.finish())
        };
        let (digest, size) = add().with_context(|| format!("reading {path}"))?;
        self.manifest.insert(name.to_owned(), digest);
        self.bytes += size;
        Ok(digest)
    }

    /// Adds an artifact of the store, and compares it with its digest on the way.
    pub(crate) fn add_artifact(&mut self, expected: &Digest, path: &Utf8Path) -> Result<()> {
        let name = format!("{ARTIFACTS}{}", expected.hex());
        if self.manifest.contains_key(&name) {
            return Ok(());
        }
        let found = self.add(&name, path)?;
        if found != *expected {
            bail!(
                "{path} is damaged: expected {expected}, found {found}\nto fetch it again: cargo xtask store verify --repair"
            );
        }
        Ok(())
    }

    /// Writes the manifest; the file gets its name.
    pub(crate) fn finish(self, file: &Utf8Path) -> Result<Carried> {
        let write = |text: &[u8], mut tar: tar::Builder<BufWriter<Pending>>| -> io::Result<()> {
            tar.append_data(&mut header(text.len() as u64, false), MANIFEST, text)?;
            let mut out = tar.into_inner()?;
            out.flush()?;
            out.into_inner().map_err(io::IntoInnerError::into_error)?.commit(file, 0o644)?;
            Ok(())
        };
        let text = serde_json::to_vec(&self.manifest)?;
        write(&text, self.tar).with_context(|| format!("writing {file}"))?;
        Ok(Carried { files: self.manifest.len(), bytes: self.bytes })
    }
}

fn header(size: u64, executable: bool) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(if executable { 0o755 } else { 0o644 });
    header.set_mtime(0);
    header.set_cksum();
    header
}

/// Reads such a tar. An artifact goes to the store at once, since its name is its digest; what else lies in one of `folders`
/// is handed to `take` (its name, whether it is executable, its bytes), which must not give it a name that anybody trusts before this function returns.
///
/// # Errors
/// The tar is cut off, changed, or holds what `command` does not write.
pub(crate) fn read(
    session: &Session,
    file: &Utf8Path,
    command: &str,
    folders: &[&str],
    mut take: impl FnMut(&str, bool, &mut dyn Read) -> Result<()>,
) -> Result<Carried> {
    let (store, cancel) = (&session.machine.store, &session.machine.cancel);
    let mut archive = tar::Archive::new(BufReader::with_capacity(1 << 20, File::open(file)?));
    let (mut found, mut bytes, mut manifest) = (Manifest::new(), 0, None);
    for entry in archive.entries()? {
        if cancel.load(Ordering::Relaxed) {
            bail!("interrupted; what was taken over by now is whole");
        }
        let mut entry = entry?;
        let name = entry.path()?.to_str().context("a name that is not UTF-8")?.to_owned();
        if name == MANIFEST {
            let mut text = Vec::new();
            entry.read_to_end(&mut text)?;
            manifest = Some(serde_json::from_slice::<Manifest>(&text).context("its manifest is damaged")?);
            continue;
        }
        let known = name.starts_with(ARTIFACTS) || folders.iter().any(|folder| name.starts_with(folder));
        let is_file = entry.header().entry_type().is_file();
        let executable = entry.header().mode()? & 0o100 != 0;
        if !known || !is_file || name.split('/').any(|part| matches!(part, "" | "." | "..")) {
            bail!("it holds `{name}`, which `{command}` does not write");
        }
        let mut hashed = HashingReader::new(&mut entry);
        match name.strip_prefix(ARTIFACTS) {
            Some(hex) => artifact(store, &name, hex, &mut hashed)?,
            None => take(&name, executable, &mut hashed).with_context(|| format!("unpacking {name}"))?,
        }
        let (digest, size) = hashed.finish();
        bytes += size;
        found.insert(name, digest);
    }
    let Some(expected) = manifest else { bail!("it is cut off, or not a file of `cargo xtask {command}`") };
    let shown = |digest: Option<&Digest>| digest.map_or_else(|| "nothing".to_owned(), Digest::to_string);
    let names: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    if let Some(name) = names.into_iter().find(|name| found.get(*name) != expected.get(*name)) {
        let (expected, found) = (shown(expected.get(name)), shown(found.get(name)));
        bail!("it is damaged: {name}: expected {expected}, found {found}");
    }
    Ok(Carried { files: found.len(), bytes })
}

fn artifact(store: &Store, name: &str, hex: &str, bytes: &mut impl Read) -> Result<()> {
    let digest: Digest = format!("sha256:{hex}").parse().with_context(|| format!("{name} is not named by a digest"))?;
    if store.get(&digest, None).is_some() {
        io::copy(bytes, &mut io::sink()).with_context(|| format!("reading {name}"))?;
    } else {
        store.import(bytes, name, Some(digest))?;
    }
    Ok(())
}
