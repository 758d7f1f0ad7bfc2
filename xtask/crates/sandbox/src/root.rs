//! A stack of unpacked layers, and what it looks like from inside: the overlay's view, without mounting it.

use std::{
    collections::{BTreeMap, VecDeque},
    fs, io,
    os::unix::fs::MetadataExt,
    sync::Arc,
};

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use rustix::fs::lgetxattr;

use crate::{
    Access, Error, Identity,
    record::{Meta, Record},
    unpack::{OPAQUE, is_whiteout},
};

/// One unpacked layer.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) folder: Utf8PathBuf,
    pub(crate) record: Record,
}

/// The root file system of an image: layers, the lowest first. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Root {
    layers: Arc<[Arc<Layer>]>,
}

/// What a path of an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Symlink,
    /// A pipe, socket or device.
    Other,
}

/// A file of an image, with the owner and the mode that its layer gives it, whoever unpacked it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is in the image: absolute, without symbolic links (but for the last part, if it is one).
    pub path: Utf8PathBuf,
    /// What it is.
    pub kind: Kind,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// The twelve permission bits.
    pub mode: u32,
    /// Bytes, for a file.
    pub size: u64,
    /// Where its bytes are on the host.
    on_host: Utf8PathBuf,
}

/// As many links as Linux follows.
const MAX_LINKS: usize = 40;

impl Root {
    pub(crate) fn new(layers: Vec<Arc<Layer>>) -> Self {
        Self { layers: layers.into() }
    }

    /// The folders for overlayfs, the topmost first.
    pub(crate) fn folders(&self) -> impl Iterator<Item = &Utf8Path> {
        self.layers.iter().rev().map(|layer| layer.folder.as_path())
    }

    /// What `path` is in the image, symbolic links followed; `None` if there is nothing.
    ///
    /// # Errors
    /// A layer cannot be read; a path has more than 40 links.
    pub fn entry(&self, path: &Utf8Path) -> Result<Option<Entry>, Error> {
        let resolved = self.resolve(path)?;
        self.find(&resolved)
    }

    /// The bytes of a file of the image, symbolic links followed; `None` if there is no such file.
    ///
    /// # Errors
    /// A layer cannot be read.
    pub fn read(&self, path: &Utf8Path) -> Result<Option<Vec<u8>>, Error> {
        match self.entry(path)? {
            Some(entry) if entry.kind == Kind::File => {
                fs::read(&entry.on_host).map(Some).map_err(Error::io("reading", entry.on_host))
            }
            _ => Ok(None),
        }
    }

    /// Whether `who` may do this to `path`, judged by the owners and modes that the layers give, as the kernel would for
    /// a process without capabilities; symbolic links are followed, and every folder on the way must let `who` pass.
    /// What does not exist is not allowed.
    ///
    /// # Errors
    /// A layer cannot be read.
    pub fn allows(&self, who: &Identity, access: Access, path: &Utf8Path) -> Result<bool, Error> {
        let Some(entry) = self.entry(path)? else { return Ok(false) };
        for folder in entry.path.ancestors().skip(1) {
            let passed = self.find(folder)?.is_some_and(|it| who.may(Access::Execute, &it));
            if !passed {
                return Ok(false);
            }
        }
        Ok(who.may(access, &entry))
    }

    /// Follows the symbolic links in `path` as a process in the image would. Parts that do not exist stay as they are.
    pub(crate) fn resolve(&self, path: &Utf8Path) -> Result<Utf8PathBuf, Error> {
        let mut resolved = Utf8PathBuf::from("/");
        let mut links = 0;
        let mut parts: VecDeque<String> = parts(path).collect();
        while let Some(part) = parts.pop_front() {
            if part == ".." {
                resolved.pop();
                continue;
            }
            let next = resolved.join(&part);
            match self.find(&next)? {
                Some(entry) if entry.kind == Kind::Symlink => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Error::Spec(format!("{path} goes through more than {MAX_LINKS} symbolic links")));
                    }
                    let target = entry.on_host.read_link_utf8().map_err(Error::io("reading", &entry.on_host))?;
                    if target.is_absolute() {
                        resolved = "/".into();
                    }
                    for part in self::parts(&target).collect::<Vec<_>>().into_iter().rev() {
                        parts.push_front(part);
                    }
                }
                _ => resolved = next,
            }
        }
        Ok(resolved)
    }

    /// The entry at an absolute path, which must hold no symbolic link on the way.
    fn find(&self, path: &Utf8Path) -> Result<Option<Entry>, Error> {
        let relative = path.strip_prefix("/").unwrap_or(path);
        let mut found: Option<Entry> = None;
        for layer in self.layers.iter().rev() {
            let (here, hides) = layer.look(relative)?;
            if let Some(metadata) = here {
                let meta = layer.record.meta(relative, metadata.mode());
                match &mut found {
                    // The folder above was only implied: this one says what it is.
                    Some(above) if metadata.is_dir() => above.take(meta),
                    Some(_) => break,
                    None => found = Some(Entry::new(path, layer.folder.join(relative), &metadata, meta)),
                }
                if !layer.record.implied.contains(relative) {
                    break;
                }
            }
            if hides {
                break;
            }
        }
        Ok(found)
    }

    /// Folders whose attributes overlayfs would get wrong: the topmost layer that has them only implies them. With what
    /// they should be, by path relative to the root.
    pub(crate) fn corrections(&self) -> Result<BTreeMap<Utf8PathBuf, Meta>, Error> {
        let mut corrections = BTreeMap::new();
        for path in self.layers.iter().flat_map(|layer| &layer.record.implied) {
            let entry = self.find(&Utf8Path::new("/").join(path))?;
            if let Some(entry) = entry.filter(|it| it.kind == Kind::Folder) {
                corrections.insert(path.clone(), Meta { uid: entry.uid, gid: entry.gid, mode: entry.mode });
            }
        }
        Ok(corrections)
    }
}

impl Layer {
    /// What this layer has at `relative`, and whether it hides what lower layers have there: it may be removed or opaque
    /// here, or lie in a folder that is. Never follows a symbolic link: it would lead to the host's files.
    fn look(&self, relative: &Utf8Path) -> Result<(Option<fs::Metadata>, bool), Error> {
        let mut at = self.folder.clone();
        let mut hides = false;
        let mut parts = relative.iter();
        loop {
            let metadata = match at.symlink_metadata() {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((None, hides)),
                Err(error) => return Err(Error::io("reading", at)(error)),
            };
            if is_whiteout(&metadata) {
                return Ok((None, true));
            }
            let Some(part) = parts.next() else { return Ok((Some(metadata), hides)) };
            if !metadata.is_dir() {
                return Ok((None, true));
            }
            let mut value = [0; 1];
            hides |= lgetxattr(at.as_std_path(), OPAQUE, &mut value).is_ok_and(|_| value == *b"y");
            at.push(part);
        }
    }
}

impl Entry {
    fn new(path: &Utf8Path, on_host: Utf8PathBuf, metadata: &fs::Metadata, meta: Meta) -> Self {
        let kind = match metadata.file_type() {
            kind if kind.is_file() => Kind::File,
            kind if kind.is_dir() => Kind::Folder,
            kind if kind.is_symlink() => Kind::Symlink,
            _ => Kind::Other,
        };
        let Meta { uid, gid, mode } = meta;
        Self { path: path.to_owned(), kind, uid, gid, mode, size: metadata.len(), on_host }
    }

    fn take(&mut self, meta: Meta) {
        (self.uid, self.gid, self.mode) = (meta.uid, meta.gid, meta.mode);
    }
}

/// The names in a path, `..` included.
fn parts(path: &Utf8Path) -> impl Iterator<Item = String> {
    path.components().filter_map(|component| match component {
        Utf8Component::Normal(part) => Some(part.to_owned()),
        Utf8Component::ParentDir => Some("..".to_owned()),
        _ => None,
    })
}
