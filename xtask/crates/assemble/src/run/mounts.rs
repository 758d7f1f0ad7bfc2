//! The mounts of a RUN: what they are (before it is known whether the command must run at all), and made ready.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt, lchown},
};

use blob::Digest;
use camino::Utf8Path;
use serde::Serialize;

use super::{
    Mount, Running, Scratch, Secret,
    caches::{self, Cache},
    spread::spread,
};
use crate::{
    dockerfile::{self, MountKind, Sharing},
    error::{Error, Result},
    layer::{
        plan::Plan,
        tree::{AtRoot, Tree},
    },
    layout::to_bytes,
    path::{clean, name},
};

/// A mount with its variables expanded, and with what it shows.
pub(crate) struct Expanded<'t> {
    target: String,
    what: What<'t>,
}

enum What<'t> {
    Bind { from: Part<'t>, read_only: bool },
    Cache { name: Digest, from: Option<Part<'t>>, owner: Owner, read_only: bool, sharing: Sharing },
    Secret { id: String, owner: Owner },
    Tmpfs { size: Option<u64> },
}

/// A part of a tree.
struct Part<'t> {
    tree: &'t Tree,
    path: String,
    digest: Digest,
}

/// Owner and mode of what a mount makes.
#[derive(Clone, Copy, Serialize)]
struct Owner {
    uid: u32,
    gid: u32,
    mode: u32,
}

impl<'t> Expanded<'t> {
    /// Reads a mount. `word` expands variables; `from` is what its `from` names.
    pub(crate) fn new(
        mount: &dockerfile::Mount,
        word: &dyn Fn(&str) -> Result<String, String>,
        cwd: &str,
        from: Option<&'t Tree>,
        context: &'t Tree,
    ) -> Result<Self, String> {
        let text = |text: &Option<String>| text.as_deref().map(word).transpose();
        let number = |key: &str, text: Option<String>, radix, default: u32| match text {
            None => Ok(default),
            Some(text) => u32::from_str_radix(&text, radix).map_err(|_| {
                format!("`{key}` of a mount must be a number, found `{text}`; write {key}=0755 or {key}=185")
            }),
        };
        let owner = |mode: u32| {
            let mode = number("mode", text(&mount.mode)?, 8, mode)? & 0o7777;
            let (uid, gid) = (number("uid", text(&mount.uid)?, 10, 0)?, number("gid", text(&mount.gid)?, 10, 0)?);
            Ok::<_, String>(Owner { uid, gid, mode })
        };
        let (given, id, source) = (text(&mount.target)?, text(&mount.id)?, text(&mount.source)?);
        let absolute = |target: String| match target.starts_with('/') {
            true => format!("/{}", clean(&target)),
            false => format!("/{}", clean(&format!("{cwd}/{target}"))),
        };
        if mount.kind == MountKind::Secret {
            let id = id.or(source).or_else(|| given.as_deref().map(|target| name(target).to_owned()));
            let id = id.ok_or("a secret needs an id")?;
            let target = absolute(given.unwrap_or_else(|| format!("/run/secrets/{}", name(&id))));
            return Ok(Self { target, what: What::Secret { id, owner: owner(0o400)? } });
        }
        let target = absolute(given.unwrap_or_default());
        if target == "/" {
            return Err("a mount cannot be on `/`; name a folder for it".to_owned());
        }
        let part = |tree, at_root| Part::new(tree, source.as_deref().unwrap_or("/"), at_root);
        let what = match mount.kind {
            MountKind::Tmpfs => What::Tmpfs { size: text(&mount.size)?.map(|size| bytes(&size)).transpose()? },
            MountKind::Cache => {
                let from = from.map(|tree| part(tree, AtRoot::Stay)).transpose()?;
                if from.is_none() && source.is_some() {
                    return Err("`source` of a cache needs `from`: a stage or an image that it begins as".to_owned());
                }
                let owner = owner(0o755)?;
                let begins = from.as_ref().map(|part| part.digest);
                let id = id.unwrap_or_else(|| target.clone());
                let name = Digest::of(&to_bytes(&("cache 1", id, owner, begins)).map_err(|error| error.to_string())?);
                What::Cache { name, from, owner, read_only: mount.read_only, sharing: mount.sharing }
            }
            _ => {
                let from = match from {
                    Some(tree) => part(tree, AtRoot::Stay)?,
                    None => part(context, AtRoot::Refuse)?,
                };
                What::Bind { from, read_only: mount.read_only }
            }
        };
        Ok(Self { target, what })
    }

    /// The id of a secret.
    pub(crate) fn secret(&self) -> Option<&str> {
        match &self.what {
            What::Secret { id, .. } => Some(id),
            _ => None,
        }
    }

    /// What of the mount decides what a command does. What a cache holds and what a secret says is not a part of it.
    pub(crate) fn key(&self) -> Result<Digest> {
        let (digest, owner, size, word, flag) = match &self.what {
            What::Bind { from, read_only } => (Some(from.digest), None, None, "bind", *read_only),
            What::Cache { name, read_only, .. } => (Some(*name), None, None, "cache", *read_only),
            What::Secret { id, owner } => (Some(Digest::of(id.as_bytes())), Some(*owner), None, "secret", false),
            What::Tmpfs { size } => (None, None, *size, "tmpfs", false),
        };
        Ok(Digest::of(&to_bytes(&(word, &self.target, digest, owner, size, flag))?))
    }
}

impl<'t> Part<'t> {
    fn new(tree: &'t Tree, source: &str, at_root: AtRoot) -> Result<Self, String> {
        let place = if at_root == AtRoot::Refuse { "the context" } else { "what the mount is from" };
        let path = tree.resolve(source, true, at_root);
        let path = path.map_err(|_| format!("`{source}` leads out of {place}, or in a circle"))?;
        if !tree.is_dir(&path) && tree.get(&path).is_none() {
            return Err(format!("`{source}` is not in {place}, so that it cannot be mounted"));
        }
        let digest = tree.digest(&path);
        Ok(Self { tree, path, digest })
    }
}

/// Mounts that are ready, as long as this lives.
pub(crate) struct Prepared {
    pub(crate) mounts: Vec<Mount>,
    _caches: Vec<Cache>,
}

impl Prepared {
    /// Makes mounts ready. With `owned`, files get their owners. `None` if it was cancelled meanwhile.
    pub(crate) fn new(
        expanded: &[Expanded<'_>],
        running: &Running<'_>,
        scratch: &Scratch,
        owned: bool,
    ) -> Result<Option<Self>> {
        let folder = scratch.folder("mounts")?;
        let mut prepared = Self { mounts: Vec::new(), _caches: Vec::new() };
        for (index, Expanded { target, what }) in expanded.iter().enumerate() {
            let (at, target) = (folder.join(index.to_string()), target.clone());
            let (source, read_only) = match what {
                What::Bind { from, read_only } => {
                    // A copy, so that nothing that a command does reaches the files of the context or of a store.
                    spread(from.tree, &from.path, &at, owned)?;
                    (at, *read_only)
                }
                What::Cache { name, from, owner, read_only, sharing } => {
                    let name = Digest::of(format!("{name} {owned}").as_bytes());
                    let cancelled = || running.runner.is_cancelled();
                    let cache = caches::open(running.caches, &name, *sharing, &cancelled, |making| match from {
                        Some(part) => spread(part.tree, &part.path, making, owned),
                        None => fs::create_dir(making)
                            .and_then(|()| own(making, *owner, owned))
                            .map_err(Error::io("making", making)),
                    })?;
                    let Some(cache) = cache else { return Ok(None) };
                    let path = cache.path.clone();
                    prepared._caches.push(cache);
                    (path, *read_only)
                }
                What::Secret { id, owner } => {
                    let Some(secret) = running.secrets.get(id) else { continue };
                    write(secret, &at, *owner, owned)?;
                    (at, true)
                }
                What::Tmpfs { size } => {
                    prepared.mounts.push(Mount::Tmpfs { target, size: *size });
                    continue;
                }
            };
            prepared.mounts.push(Mount::Bind { source, target, read_only });
        }
        Ok(Some(prepared))
    }
}

/// Writes a secret where only this process, and then the command, can read it.
fn write(secret: &Secret, at: &Utf8Path, owner: Owner, owned: bool) -> Result<()> {
    let failed = |error| Error::io("writing", at)(error);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(at).map_err(failed)?;
    match secret {
        Secret::Bytes(bytes) => file.write_all(bytes).map_err(failed)?,
        Secret::File(path) => {
            let mut from = File::open(path).map_err(Error::io("reading the secret", path))?;
            io::copy(&mut from, &mut file).map_err(Error::io("reading the secret", path))?;
        }
    }
    own(at, owner, owned).map_err(failed)
}

fn own(path: &Utf8Path, owner: Owner, owned: bool) -> io::Result<()> {
    if owned {
        lchown(path, Some(owner.uid), Some(owner.gid))?;
    }
    fs::set_permissions(path, Permissions::from_mode(owner.mode))
}

/// `64m`, `1g`, `4096`: units are powers of 1024.
fn bytes(text: &str) -> Result<u64, String> {
    let lower = text.to_ascii_lowercase();
    let lower = lower.strip_suffix("ib").or_else(|| lower.strip_suffix('b')).unwrap_or(&lower);
    let unit = lower.find(|char: char| !char.is_ascii_digit()).unwrap_or(lower.len());
    let shift = match &lower[unit..] {
        "" => Some(0),
        "k" => Some(10),
        "m" => Some(20),
        "g" => Some(30),
        "t" => Some(40),
        _ => None,
    };
    let size = lower[..unit].parse::<u64>().ok().zip(shift).and_then(|(size, shift)| size.checked_mul(1 << shift));
    size.filter(|size| *size > 0).ok_or_else(|| format!("`{text}` is no size; write size=64m for instance"))
}

impl Tree {
    /// The digest of all that can be seen of `path`: of a file, or of a folder and all below it.
    fn digest(&self, path: &str) -> Digest {
        let skip = if path.is_empty() { 0 } else { path.len() + 1 };
        let mut part = Self::default();
        if let Some(node) = self.node(path) {
            part.insert(".".to_owned(), node.clone());
        }
        for (path, node) in self.below(path) {
            part.insert(path[skip..].to_owned(), node.clone());
        }
        let paths = part.iter().map(|(path, _)| path.to_owned()).collect();
        Plan::new(&part, &paths).key
    }
}
