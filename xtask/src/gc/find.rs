//! What is there: everything below the store and below a checkout's output that this program makes.
//!
//! Each folder has names that are known. What has another name, or is a link, is somebody else's: it is named, and left.

use std::{fs, io, os::unix::fs::MetadataExt as _};

use anyhow::{Context as _, Result};
use blob::Digest;
use camino::{Utf8Path, Utf8PathBuf};
use rustix::{fs::Access, process::geteuid};

use super::{Item, Kind, Left, Of, disk::Disk};
use crate::{
    checkouts::CHECKOUTS,
    stage::{NOTE, ROOTFS, SPARK_HOMES},
};

/// How the names of files begin that a killed run had not finished: those of [`blob::Pending`], and of this program's own
/// removals.
pub(crate) const PENDING: &str = ".pending-";
/// A file that names a digest is no longer than this.
const MAX_NOTE: u64 = 200;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) items: Vec<Item>,
    /// What is not ours.
    pub(crate) foreign: Vec<Left>,
    /// What may be ours, and cannot be looked at.
    pub(crate) denied: Vec<Left>,
    /// The folder that is looked at now.
    base: Utf8PathBuf,
}

/// An entry of a folder.
struct Entry<'f> {
    folder: &'f Utf8Path,
    name: &'f str,
    is_dir: bool,
}

/// What an entry is: a thing of ours, ours and of no interest, or somebody else's.
enum Is {
    Ours(Kind, Of),
    Nothing,
    Foreign,
}

use Is::{Foreign, Nothing, Ours};

impl Found {
    /// Looks at a store, or at what a checkout keeps in place of one.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub(crate) fn store(&mut self, root: &Utf8Path) -> Result<()> {
        root.clone_into(&mut self.base);
        self.folder("", &|entry| match entry.name {
            "artifacts" | "pending" | "by-check" | "quarantine" | "locks" | "in-use" | SPARK_HOMES | ROOTFS
            | "compressed" | "sandbox" | "run-caches" | "compile" | "uploads" | "pulled" | "source-dirs"
            | CHECKOUTS => Nothing,
            _ => Foreign,
        })?;
        for pulled in ["", "pulled/"] {
            let kind = |kind| if pulled.is_empty() { kind } else { Kind::Pulled };
            self.folders(&format!("{pulled}artifacts"), &|entry| match digest(entry.name) {
                Some(digest) if entry.folder.ends_with(&digest.hex()[..2]) => ours(kind(Kind::Artifact), digest),
                _ => Foreign,
            })?;
            self.folder(&format!("{pulled}pending"), &|entry| {
                let name = entry.name.strip_suffix(".part").or_else(|| entry.name.strip_suffix(".etag"));
                name.and_then(digest).map_or(Foreign, |digest| ours(kind(Kind::Download), digest))
            })?;
        }
        let base = self.base.clone();
        self.folders("by-check", &|entry| {
            let digest = small(&base.join(entry.folder).join(entry.name)).and_then(|text| text.trim().parse().ok());
            digest.map_or(Foreign, |digest: Digest| ours(Kind::Checksum, digest))
        })?;
        self.folder("quarantine", &|entry| named(entry.name, Kind::Quarantine))?;
        self.folder(SPARK_HOMES, &|entry| {
            let compiled = base.join(SPARK_HOMES).join(entry.name).join(NOTE).exists();
            named(entry.name, if compiled { Kind::Compiled } else { Kind::SparkHome })
        })?;
        self.folder(ROOTFS, &|entry| named(stem(entry.name, &[".tar", ".sha256"]), Kind::Rootfs))?;
        self.folders("compressed", &|entry| named(stem(entry.name, &[".json"]), Kind::Compressed))?;
        for kind in ["owned", "mapped"] {
            self.folder(&format!("sandbox/{kind}"), &|entry| match entry.name {
                name if name.starts_with(".unpacking-") => Ours(Kind::Leftover, Of::Nothing),
                name => named(name.strip_prefix(".lock-").unwrap_or(name), Kind::Unpacked),
            })?;
        }
        self.folder("sandbox/runs", &leftover)?;
        self.folder("run-caches", &|entry| match entry.name.ends_with(".making") {
            true => Ours(Kind::Leftover, Of::Nothing),
            false => Ours(Kind::RunCache, Of::Nothing),
        })?;
        self.compiles()?;
        self.folder("uploads", &|entry| named(stem(entry.name, &[".json"]), Kind::Upload))?;
        self.folder("source-dirs", &|_| Ours(Kind::SourceTree, Of::Nothing))?;
        self.folder(CHECKOUTS, &|entry| Ours(Kind::Checkout, Of::Name(entry.name.to_owned())))
    }

    /// The folder of all compiles. A container that a killed run may have left still writes to what it was given.
    fn compiles(&mut self) -> Result<()> {
        let has_container = self.base.join("compile/container").exists();
        self.folder("compile", &|entry| match entry.name {
            "m2" => Ours(Kind::MavenRepository, Of::Nothing),
            "work" | "builder.tar" if !has_container => Ours(Kind::Leftover, Of::Nothing),
            "work" | "builder.tar" | "container" | "locks" => Nothing,
            name if name.starts_with(".vendor-") => Ours(Kind::Leftover, Of::Nothing),
            name if name.starts_with("times-") => Nothing,
            _ => Foreign,
        })?;
        if has_container {
            let path = self.base.join("compile/work");
            let why = "a container of a killed compile may still write to it; the next compile ends it";
            self.foreign.push(Left { path, why: why.to_owned() });
        }
        Ok(())
    }

    /// Looks at what a checkout has made: `target` is the folder of all that.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub(crate) fn target(&mut self, target: &Utf8Path) -> Result<()> {
        target.clone_into(&mut self.base);
        self.folder("", &|entry| match entry.name {
            "images" | "logs" | "bake" | "engines" | "kept" => Nothing,
            _ => Foreign,
        })?;
        self.layout("images")?;
        for folder in self.with_subfolders("logs")? {
            self.folder(&folder, &|entry| match entry.name.strip_suffix(".log") {
                Some(name) => Ours(Kind::Log, Of::Name(name.to_owned())),
                None if entry.is_dir || entry.name == "push-tags.json" => Nothing,
                None => Foreign,
            })?;
        }
        self.folder("bake", &|entry| match entry.name {
            name if name.starts_with(".new-") => Ours(Kind::Leftover, Of::Nothing),
            name if entry.is_dir && name != ".lock" => Ours(Kind::Context, Of::Name(name.to_owned())),
            ".lock" | "docker-bake.json" => Nothing,
            _ => Foreign,
        })?;
        for engine in ["docker", "podman", "buildah"] {
            self.folder(&format!("engines/{engine}/contexts"), &leftover)?;
            self.folder(&format!("engines/{engine}/records"), &|_| Nothing)?;
        }
        if target.join("kept").is_dir() {
            self.store(&target.join("kept"))?;
        }
        Ok(())
    }

    fn layout(&mut self, layout: &str) -> Result<()> {
        self.folder(layout, &|entry| match entry.name {
            "blobs" | "index.json" | "oci-layout" | ".assemble" | ".records" => Nothing,
            _ => Foreign,
        })?;
        self.folder(&format!("{layout}/blobs/sha256"), &|entry| named(entry.name, Kind::Blob))?;
        let private = format!("{layout}/.assemble");
        for sub in ["pending", "runs"] {
            self.folder(&format!("{private}/{sub}"), &leftover)?;
        }
        self.folder(&format!("{private}/entries"), &|entry| named(stem(entry.name, &[".json"]), Kind::Memory))?;
        let base = self.base.clone();
        for sub in ["layers", "builds"] {
            self.folder(&format!("{private}/{sub}"), &|entry| {
                let text = fs::read(base.join(entry.folder).join(entry.name)).unwrap_or_default();
                Ours(Kind::Memory, Of::Digests(remembered(&text)))
            })?;
        }
        for folder in self.with_subfolders(&format!("{layout}/.records"))? {
            self.folder(&folder, &|entry| match entry.name.strip_suffix(".json") {
                Some(name) => Ours(Kind::Memory, Of::Name(name.to_owned())),
                None => {
                    if entry.is_dir {
                        Nothing
                    } else {
                        Foreign
                    }
                }
            })?;
        }
        Ok(())
    }

    /// A folder and those in it, but for those of locks.
    fn with_subfolders(&mut self, folder: &str) -> Result<Vec<String>> {
        let below = self.list(folder)?.into_iter().filter(|(name, is_dir)| *is_dir && name != "locks");
        let below: Vec<String> = below.map(|(name, _)| format!("{folder}/{name}")).collect();
        Ok([vec![folder.to_owned()], below].concat())
    }

    /// Looks at what lies in the folders of a folder.
    fn folders(&mut self, folder: &str, is: &dyn Fn(&Entry<'_>) -> Is) -> Result<()> {
        for (name, is_dir) in self.list(folder)? {
            let path = format!("{folder}/{name}");
            match is_dir {
                true => self.folder(&path, is)?,
                false => self.add(folder.into(), &name, Foreign)?,
            }
        }
        Ok(())
    }

    /// Looks at what lies in a folder. There may be none.
    fn folder(&mut self, folder: &str, is: &dyn Fn(&Entry<'_>) -> Is) -> Result<()> {
        for (name, is_dir) in self.list(folder)? {
            let folder = Utf8Path::new(folder);
            let what = match name.starts_with(PENDING) {
                true => Ours(Kind::Leftover, Of::Nothing),
                false => is(&Entry { folder, name: &name, is_dir }),
            };
            self.add(folder, &name, what)?;
        }
        Ok(())
    }

    fn add(&mut self, folder: &Utf8Path, name: &str, what: Is) -> Result<()> {
        let path = folder.join(name);
        let full = self.base.join(&path);
        match what {
            Nothing => {}
            Foreign => self.foreign.push(Left { path: full, why: "nothing that this program makes".to_owned() }),
            Ours(kind, of) => match Disk::of(full.as_std_path()) {
                Ok(disk) => self.items.push(Item { kind, base: self.base.clone(), path, of, disk }),
                // Somebody else's folder, in which nothing can be seen.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    self.denied.push(Left { why: not_yours(&full), path: full });
                }
                Err(error) => return Err(error).with_context(|| format!("looking at {full}")),
            },
        }
        Ok(())
    }

    /// The names in a folder, sorted, each with whether it is a folder. Links are left out and named, and so is what
    /// cannot be read.
    fn list(&mut self, folder: &str) -> Result<Vec<(String, bool)>> {
        let path = self.base.join(folder);
        // The folder that the user has chosen may be reached by a link.
        let meta = if folder.is_empty() { fs::metadata(&path) } else { fs::symlink_metadata(&path) };
        let doing = || format!("reading {path}");
        match meta {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.denied.push(Left { why: not_yours(&path), path });
                return Ok(Vec::new());
            }
            meta => {
                if !meta.with_context(doing)?.is_dir() {
                    return Ok(Vec::new());
                }
            }
        }
        let entries = match fs::read_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.denied.push(Left { why: not_yours(&path), path });
                return Ok(Vec::new());
            }
            entries => entries.with_context(doing)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.with_context(doing)?;
            let kind = entry.file_type().with_context(doing)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            match () {
                () if kind.is_symlink() => {
                    let why = "a symbolic link, which is not followed".to_owned();
                    self.foreign.push(Left { path: path.join(name), why });
                }
                () if !kind.is_dir() && !kind.is_file() || entry.file_name().to_str().is_none() => {
                    self.foreign
                        .push(Left { path: path.join(name), why: "neither a file nor a folder of ours".to_owned() });
                }
                () => names.push((name, kind.is_dir())),
            }
        }
        names.sort();
        Ok(names)
    }
}

/// Why something cannot be removed, as far as that can be seen before it is tried.
pub(crate) fn obstacle(item: &Item) -> Option<String> {
    let path = item.full_path();
    let folder = path.parent()?;
    let refused = rustix::fs::access(folder.as_std_path(), Access::WRITE_OK | Access::EXEC_OK).is_err();
    if refused {
        return Some(not_yours(folder));
    }
    // Root could. A cache of RUN has the owner that its Dockerfile says; the folder of all of them is the user's own.
    let is_others = item.kind != Kind::RunCache && item.disk.owner != geteuid().as_raw();
    is_others.then(|| format!("it belongs to uid {}, and you are uid {}", item.disk.owner, geteuid().as_raw()))
}

/// What to say of what belongs to somebody else.
pub(crate) fn not_yours(path: &Utf8Path) -> String {
    match fs::symlink_metadata(path) {
        Ok(meta) => format!("you may not change it: it belongs to uid {}", meta.uid()),
        Err(_) => "you may not change it".to_owned(),
    }
}

fn digest(name: &str) -> Option<Digest> {
    name.parse().ok().filter(|digest: &Digest| digest.hex() == name)
}

fn ours(kind: Kind, digest: Digest) -> Is {
    Ours(kind, Of::Digests(vec![digest]))
}

/// What a digest names.
fn named(name: &str, kind: Kind) -> Is {
    digest(name).map_or(Foreign, |digest| ours(kind, digest))
}

fn leftover(_: &Entry<'_>) -> Is {
    Ours(Kind::Leftover, Of::Nothing)
}

/// A name without its ending, if that is one of these.
fn stem<'n>(name: &'n str, endings: &[&str]) -> &'n str {
    endings.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}

fn small(path: &Utf8Path) -> Option<String> {
    fs::metadata(path).ok().filter(|meta| meta.len() <= MAX_NOTE)?;
    fs::read_to_string(path).ok()
}

/// The blobs that a memory of the layout is about. One that makes no sense is about a blob that is not there.
fn remembered(text: &[u8]) -> Vec<Digest> {
    let memory: serde_json::Value = serde_json::from_slice(text).unwrap_or_default();
    let blobs = memory["blobs"].as_array().into_iter().flatten().map(|blob| &blob["digest"]);
    let all = [&memory["digest"], &memory["image"]["digest"]].into_iter().chain(blobs);
    let digests: Vec<Digest> = all.filter_map(|digest| digest.as_str()?.parse().ok()).collect();
    if digests.is_empty() { vec![Digest::of(text)] } else { digests }
}
