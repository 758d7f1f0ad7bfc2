//! A Spark home: of origin `release`, laid out once from the official source distribution, or of origin `source`, compiled
//! once; and kept.
//!
//! A kept home is a folder of files with a manifest that names the digest of each. It appears under its final name only
//! when all of it is on disk; whoever reads it compares the digests again.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufReader, Read, Write as _},
    os::unix::fs::PermissionsExt as _,
};

use anyhow::{Context as _, Result, bail};
use blob::{Digest, Hasher, HashingReader};
use camino::{Utf8Path, Utf8PathBuf};
use catalog::Release;
use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};

use super::Fault;

/// The file beside a compiled home that says how it was made.
pub(crate) const NOTE: &str = "compiled.json";
/// Moved whenever the layout of a kept home changes.
const FORMAT: u32 = 1;

/// A Spark home on disk.
#[derive(Debug)]
pub(crate) struct SparkHome {
    folder: Utf8PathBuf,
    /// Its files, by path below the home.
    pub(crate) files: BTreeMap<String, HomeFile>,
}

/// A file of a Spark home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HomeFile {
    pub(crate) size: u64,
    pub(crate) digest: Digest,
    pub(crate) executable: bool,
}

impl SparkHome {
    /// The folder that is named by its key.
    pub(crate) fn folder(&self) -> &Utf8Path {
        &self.folder
    }

    /// Where its files lie.
    pub(crate) fn files_folder(&self) -> Utf8PathBuf {
        self.folder.join("files")
    }

    /// Where the bytes of a file lie.
    pub(crate) fn path_of(&self, file: &str) -> Utf8PathBuf {
        self.files_folder().join(file)
    }

    /// What identifies the home that `release` makes of the source distribution with this digest.
    pub(crate) fn key(sdist: &Digest, release: &Release) -> Digest {
        let rules: String = release.take.iter().map(|(from, to)| format!("{from}\0{to}\n")).collect();
        Digest::of(format!("{FORMAT}\n{sdist}\n{rules}").as_bytes())
    }

    /// The home kept in this folder.
    pub(crate) fn open(folder: &Utf8Path) -> Result<Option<Self>> {
        let path = folder.join("manifest.json");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("reading {path}")),
        };
        let files = serde_json::from_slice(&text)
            .with_context(|| format!("reading {path}\nto lay it out anew: rm -r {folder}"))?;
        Ok(Some(Self { folder: folder.to_owned(), files }))
    }

    /// The home kept in `homes`, laid out from the archive at `sdist` if it is not there.
    pub(crate) fn from_release(homes: &Utf8Path, sdist: &Utf8Path, digest: &Digest, release: &Release) -> Result<Self> {
        let folder = homes.join(Self::key(digest, release).hex());
        if let Some(home) = Self::open(&folder)? {
            return Ok(home);
        }
        Self::keep(&folder, |pending| {
            let files = unpack(sdist, digest, &pending.join("files"), release)
                .with_context(|| format!("unpacking {sdist}\nif it is damaged: cargo xtask store verify --repair"))?;
            if files.is_empty() {
                bail!("{sdist} holds none of the folders that [release.take] in docker/versions.toml names");
            }
            Ok(files)
        })
    }

    /// Keeps the distribution in the folder `dist`, which is moved, with `note` as a further file `note.0` beside it.
    pub(crate) fn from_dist(folder: &Utf8Path, dist: &Utf8Path, note: (&str, &[u8])) -> Result<Self> {
        Self::keep(folder, |pending| {
            let mut files = BTreeMap::new();
            read_files(dist, dist, &mut files)?;
            let into = pending.join("files");
            fs::rename(dist, &into).with_context(|| format!("moving {dist} to {into}"))?;
            blob::write(&pending.join(note.0), note.1).with_context(|| format!("writing in {pending}"))?;
            Ok(files)
        })
    }

    /// Keeps what `make` puts into `files/` of a pending folder. The folder gets its name when all of it is on disk.
    fn keep(folder: &Utf8Path, make: impl FnOnce(&Utf8Path) -> Result<BTreeMap<String, HomeFile>>) -> Result<Self> {
        let homes = folder.parent().context("a Spark home at the root of the file system")?;
        fs::create_dir_all(homes).with_context(|| format!("making {homes}"))?;
        let pending = tempfile::Builder::new()
            .prefix(".pending-")
            .tempdir_in(homes)
            .with_context(|| format!("making a folder in {homes}"))?;
        let pending_path = Utf8Path::from_path(pending.path()).context("a folder name that is not UTF-8")?;
        let files = make(pending_path)?;
        blob::write(&pending_path.join("manifest.json"), &serde_json::to_vec(&files)?)
            .with_context(|| format!("writing in {pending_path}"))?;
        // One sync for thousands of files; only then may the folder carry a name that is trusted.
        rustix::fs::syncfs(File::open(homes)?).with_context(|| format!("syncing {homes}"))?;
        match fs::rename(pending_path, folder) {
            Ok(()) => drop(pending.keep()),
            // Another process was faster; its home is the same.
            Err(_) if folder.join("manifest.json").is_file() => {}
            Err(error) => return Err(error).with_context(|| format!("renaming {pending_path} to {folder}")),
        }
        Self::open(folder)?.with_context(|| format!("{folder} vanished"))
    }
}

/// The files below `folder`, by path below `root`.
fn read_files(root: &Utf8Path, folder: &Utf8Path, files: &mut BTreeMap<String, HomeFile>) -> Result<()> {
    for entry in folder.read_dir_utf8().with_context(|| format!("reading {folder}"))? {
        let entry = entry.with_context(|| format!("reading {folder}"))?;
        let path = entry.path();
        let meta = fs::symlink_metadata(path).with_context(|| format!("reading {path}"))?;
        if meta.is_dir() {
            read_files(root, path, files)?;
        } else if meta.is_file() {
            let read = File::open(path).and_then(blob::hash_reader);
            let (digest, size) = read.with_context(|| format!("reading {path}"))?;
            let executable = meta.permissions().mode() & 0o111 != 0;
            files.insert(path.strip_prefix(root)?.to_string(), HomeFile { size, digest, executable });
        } else {
            bail!("{path} is neither a file nor a folder");
        }
    }
    Ok(())
}

/// Reads every file of every kept home again.
pub(super) fn verify(homes: &Utf8Path) -> Result<Vec<Fault>> {
    let mut faults = Vec::new();
    let Ok(entries) = homes.read_dir_utf8() else { return Ok(faults) };
    for entry in entries {
        let kept = entry.with_context(|| format!("reading {homes}"))?.into_path();
        let mut damaged = |path: Utf8PathBuf, what: String| faults.push(Fault { path, what, kept: kept.clone() });
        // How it was compiled, beside a home that was.
        let note = kept.join(NOTE);
        match fs::read(&note).map(|text| serde_json::from_slice::<serde_json::Value>(&text)) {
            Ok(Err(error)) => damaged(note, error.to_string()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => damaged(note, error.to_string()),
            _ => {}
        }
        let home = match SparkHome::open(&kept) {
            Ok(Some(home)) => home,
            Ok(None) => continue,
            Err(error) => {
                damaged(kept.join("manifest.json"), format!("{:#}", error.root_cause()));
                continue;
            }
        };
        for (file, expected) in &home.files {
            let path = home.path_of(file);
            let found = File::open(&path).and_then(blob::hash_reader);
            let what = match found {
                Ok(found) if found == (expected.digest, expected.size) => continue,
                Ok((digest, size)) => format!("expected {}, found {digest} ({size} bytes)", expected.digest),
                Err(error) => error.to_string(),
            };
            damaged(path, what);
        }
    }
    Ok(faults)
}

/// The path below the Spark home of a path below the archive's top folder, if it is taken.
fn destination(path: &str, release: &Release) -> Option<String> {
    let longest = release
        .take
        .iter()
        .filter_map(|(from, to)| Some((from.len(), path.strip_prefix(from)?.strip_prefix('/')?, to)))
        .max_by_key(|(length, ..)| *length);
    longest.map(|(_, rest, to)| format!("{to}/{rest}"))
}

/// Unpacks what is taken. The archive is compared with its digest on the way; only then is anything of it believed.
fn unpack(
    sdist: &Utf8Path,
    expected: &Digest,
    into: &Utf8Path,
    release: &Release,
) -> Result<BTreeMap<String, HomeFile>> {
    let hashed = HashingReader::new(File::open(sdist)?);
    let mut archive = tar::Archive::new(MultiGzDecoder::new(BufReader::with_capacity(256 * 1024, hashed)));
    let files = unpack_entries(&mut archive, into, release);
    // Behind the last entry of the tar there may be more of the gzip, and behind that more of the file.
    let mut gzip = archive.into_inner();
    let drained = io::copy(&mut gzip, &mut io::sink()).and_then(|_| io::copy(gzip.get_mut(), &mut io::sink()));
    let (found, size) = gzip.into_inner().into_inner().finish();
    if found != *expected && drained.is_ok() {
        bail!("expected {expected}, found {found} ({size} bytes)");
    }
    drained?;
    files
}

fn unpack_entries(
    archive: &mut tar::Archive<impl Read>,
    into: &Utf8Path,
    release: &Release,
) -> Result<BTreeMap<String, HomeFile>> {
    let mut files = BTreeMap::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let path = path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?.to_owned();
        let Some((_, below)) = path.split_once('/') else { continue };
        let Some(target) = destination(below, release) else { continue };
        match entry.header().entry_type() {
            tar::EntryType::Directory => continue,
            tar::EntryType::Regular => {}
            other => bail!("{path} is neither a file nor a folder: {other:?}"),
        }
        if target.split('/').any(|part| matches!(part, "" | "." | "..")) {
            bail!("{path} leads out of the archive");
        }
        let executable = entry.header().mode()? & 0o111 != 0;
        let (digest, size) =
            write_file(&mut entry, &into.join(&target)).with_context(|| format!("unpacking {path}"))?;
        files.insert(target, HomeFile { size, digest, executable });
    }
    Ok(files)
}

fn write_file(reader: &mut impl Read, path: &Utf8Path) -> io::Result<(Digest, u64)> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = File::create_new(path)?;
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            n => {
                hasher.update(&buffer[..n]);
                file.write_all(&buffer[..n])?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release() -> Release {
        let take = [("deps/jars", "jars"), ("deps/bin", "bin"), ("pyspark", "python/pyspark"), ("pyspark/x", "x")];
        Release { take: take.map(|(from, to)| (from.to_owned(), to.to_owned())).into() }
    }

    fn archive(folder: &Utf8Path, entries: &[(&str, &str, u32)]) -> Utf8PathBuf {
        let path = folder.join("sdist.tar.gz");
        let gzip = flate2::write::GzEncoder::new(File::create(&path).unwrap(), flate2::Compression::fast());
        let mut builder = tar::Builder::new(gzip);
        for (path, text, mode) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(*mode);
            // `append_data` refuses paths with `..`, which is what a hostile archive has.
            header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            builder.append(&header, text.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap();
        path
    }

    fn temp() -> (tempfile::TempDir, Utf8PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
        (dir, path)
    }

    #[test]
    fn a_home_is_laid_out_once() {
        let (_dir, path) = temp();
        let entries = [
            ("pyspark-1/setup.py", "no", 0o644),
            ("pyspark-1/deps/jars/a.jar", "jar", 0o644),
            ("pyspark-1/deps/bin/spark-submit", "#!", 0o755),
            ("pyspark-1/pyspark/x/y.py", "y", 0o644),
        ];
        let sdist = archive(&path, &entries);
        let digest = Digest::of(&fs::read(&sdist).unwrap());
        let home = SparkHome::from_release(&path.join("homes"), &sdist, &digest, &release()).unwrap();
        let found: Vec<(&str, bool)> = home.files.iter().map(|(path, file)| (path.as_str(), file.executable)).collect();
        assert_eq!(found, [("bin/spark-submit", true), ("jars/a.jar", false), ("x/y.py", false)]);
        assert_eq!(fs::read_to_string(home.path_of("jars/a.jar")).unwrap(), "jar");
        assert_eq!(home.files["jars/a.jar"].digest, Digest::of(b"jar"));
        fs::remove_file(sdist).unwrap();
        let again = SparkHome::from_release(&path.join("homes"), Utf8Path::new("gone"), &digest, &release()).unwrap();
        assert_eq!(again.files, home.files);
    }

    #[test]
    fn an_archive_that_is_cut_off_or_hostile_leaves_nothing() {
        let (_dir, path) = temp();
        let sdist = archive(&path, &[("pyspark-1/deps/jars/a.jar", &"jar".repeat(5000), 0o644)]);
        let whole = fs::read(&sdist).unwrap();
        let homes = path.join("homes");
        let digest = Digest::of(&whole);
        for length in [0, 10, whole.len() / 2, whole.len() - 1] {
            fs::write(&sdist, &whole[..length]).unwrap();
            SparkHome::from_release(&homes, &sdist, &digest, &release()).unwrap_err();
        }
        fs::write(&sdist, [&whole[..], b"more"].concat()).unwrap();
        SparkHome::from_release(&homes, &sdist, &digest, &release()).unwrap_err();
        let sdist = archive(&path, &[("pyspark-1/deps/jars/../../../x", "x", 0o644)]);
        let digest = Digest::of(&fs::read(&sdist).unwrap());
        let error = SparkHome::from_release(&homes, &sdist, &digest, &release()).unwrap_err();
        assert!(format!("{error:#}").contains("leads out of the archive"), "{error:#}");
        assert_eq!(fs::read_dir(&homes).unwrap().count(), 0);
    }
}
