//! OCI image layouts: folders that hold images by digest.
//!
//! <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>. A blob gets its name only when it is whole
//! and synced; `index.json` is replaced under a lock, so that several processes may tag images at once. Beside what the
//! specification names, a folder `.assemble` holds what its users remember of layers; it may be removed at any time.
//!
//! This module does not know what a layer is made of.

mod import;
mod platforms;
mod reach;
mod verify;

use std::{
    collections::BTreeMap,
    fs::{self, File, Permissions},
    io::{self, BufWriter, Read, Write},
    os::unix::fs::PermissionsExt,
    sync::{Arc, OnceLock},
};

use blob::{Digest, InUse, Join, Pending};
use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::FlockOperation;
use serde::{Serialize, de::DeserializeOwned};

pub use verify::{Fault, Verified};

use crate::{
    documents::{Descriptor, ImageConfig, Index, LayoutHeader, Manifest, REF_NAME, media_type},
    error::{Error, Result},
};

/// JSON documents of images are small; one that is larger is not read into memory.
const MAX_DOCUMENT: u64 = 64 << 20;
/// The folder of what is ours alone, and the lock of all who use the layout.
const PRIVATE: &str = ".assemble";
const IN_USE: &str = "in-use";

/// An OCI image layout on disk. Clones share their locks.
#[derive(Debug, Clone)]
pub struct Layout {
    root: Utf8PathBuf,
    /// A place among those who use the layout, or the layout alone; see [`Layout::private`].
    in_use: Arc<OnceLock<InUse>>,
}

impl Layout {
    /// Opens the layout at `root`. Nobody has it alone until this and its clones are dropped, if it has a lock already.
    ///
    /// # Errors
    /// There is none, or it is of a version that is not understood.
    pub fn open(root: impl Into<Utf8PathBuf>) -> Result<Self> {
        Self::open_or_wait(root, &|_| {})
    }

    /// As [`Layout::open`]. Where somebody has the layout alone, `on_wait` is told, once and after a moment, who that is.
    ///
    /// # Errors
    /// As [`Layout::open`].
    pub fn open_or_wait(root: impl Into<Utf8PathBuf>, on_wait: &dyn Fn(&str)) -> Result<Self> {
        let layout = Self { root: root.into(), in_use: Arc::default() };
        layout.check_version()?;
        // Only whoever writes makes the folder, and cleans up in it: this layout may be somebody else's.
        layout.join(false, on_wait)?;
        Ok(layout)
    }

    /// The layout at `root`, to be read by who can bear that something of it goes meanwhile. Nobody waits for anybody: the
    /// lock may be this process's own, under another path or in a copy of hard links.
    ///
    /// # Errors
    /// There is none, or it is of a version that is not understood.
    pub fn look(root: impl Into<Utf8PathBuf>) -> Result<Self> {
        let layout = Self { root: root.into(), in_use: Arc::default() };
        layout.check_version()?;
        Ok(layout)
    }

    /// Opens the layout at `root`, and nobody else uses it until this and its clones are dropped.
    ///
    /// # Errors
    /// As [`Layout::open`]; [`Error::InUse`] if somebody uses it; or it cannot be locked.
    pub fn alone(root: impl Into<Utf8PathBuf>) -> Result<Self> {
        let layout = Self { root: root.into(), in_use: Arc::default() };
        layout.check_version()?;
        let folder = layout.root.join(PRIVATE);
        fs::create_dir_all(&folder).map_err(Error::io("making the folder", &folder))?;
        let path = folder.join(IN_USE);
        match InUse::alone(&path).map_err(Error::io("locking", path))? {
            Ok(in_use) => drop(layout.in_use.set(in_use)),
            Err(by) => return Err(Error::InUse { path: layout.root, by }),
        }
        Ok(layout)
    }

    /// Opens the layout at `root`, or makes an empty one.
    ///
    /// # Errors
    /// The folder cannot be made, or what is there is no layout.
    pub fn create(root: impl Into<Utf8PathBuf>) -> Result<Self> {
        let root = root.into();
        let blobs = root.join("blobs/sha256");
        fs::create_dir_all(&blobs).map_err(Error::io("making the folder", &blobs))?;
        let layout = Self { root, in_use: Arc::default() };
        let _locked = layout.lock_index()?;
        // The index comes first: who finds `oci-layout` may rely on the rest.
        if !layout.index_path().exists() {
            layout.write_index(&Index::new(Vec::new()))?;
        }
        let header = layout.root.join("oci-layout");
        if !header.exists() {
            layout.write(&header, &LayoutHeader::default())?;
        }
        layout.check_version()?;
        Ok(layout)
    }

    /// The folder.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// Where the blob with this digest lies, if it is there.
    pub fn blob_path(&self, digest: &Digest) -> Utf8PathBuf {
        self.root.join("blobs/sha256").join(digest.hex())
    }

    /// The index of the layout.
    ///
    /// # Errors
    /// It cannot be read or understood.
    pub fn index(&self) -> Result<Index> {
        let path = self.index_path();
        let bytes = fs::read(&path).map_err(Error::io("reading", &path))?;
        parse(&path, &bytes)
    }

    /// The images that have a name, by name; where a name has several for different platforms, their index.
    ///
    /// # Errors
    /// As [`Layout::index`].
    pub fn list(&self) -> Result<BTreeMap<String, Descriptor>> {
        let named = |image: Descriptor| Some((image.annotations.get(REF_NAME)?.clone(), image));
        Ok(self.index()?.manifests.into_iter().filter_map(named).collect())
    }

    /// The image that has this name, or the index of its images for several platforms: see [`Layout::lookup_for`].
    ///
    /// # Errors
    /// As [`Layout::index`].
    pub fn lookup(&self, name: &str) -> Result<Option<Descriptor>> {
        Ok(self.list()?.remove(name))
    }

    /// Gives the image a name, taking it from all that had it: see [`Layout::tag_for`].
    ///
    /// # Errors
    /// The index cannot be read or written.
    pub fn tag(&self, name: &str, image: &Descriptor) -> Result<()> {
        let _locked = self.lock_index()?;
        self.change_index(name, Some(image)).map(|_| ())
    }

    /// Takes a name away. The blobs stay. Says whether any image had the name.
    ///
    /// # Errors
    /// The index cannot be read or written.
    pub fn untag(&self, name: &str) -> Result<bool> {
        let _locked = self.lock_index()?;
        self.change_index(name, None)
    }

    /// The manifest of an image.
    ///
    /// # Errors
    /// It is missing, damaged, or no image manifest (an index of several platforms, for instance).
    pub fn manifest(&self, image: &Descriptor) -> Result<Manifest> {
        if image.media_type != media_type::MANIFEST {
            let reason = format!("is no image manifest: expected {}, found {}", media_type::MANIFEST, image.media_type);
            return Err(Error::layout(self.blob_path(&image.digest), reason));
        }
        self.document(image)
    }

    /// The configuration of an image.
    ///
    /// # Errors
    /// It is missing, damaged, or no image configuration.
    pub fn config(&self, manifest: &Manifest) -> Result<ImageConfig> {
        self.document(&manifest.config)
    }

    /// The manifest of an image and its configuration, which name as many layers.
    ///
    /// # Errors
    /// As [`Layout::manifest`] and [`Layout::config`]; or they contradict each other.
    pub fn documents(&self, image: &Descriptor) -> Result<(Manifest, ImageConfig)> {
        let manifest = self.manifest(image)?;
        let config = self.config(&manifest)?;
        let (layers, diff_ids) = (manifest.layers.len(), config.rootfs.diff_ids.len());
        if layers != diff_ids {
            let reason = format!("contradicts its configuration: {layers} layers, {diff_ids} diff_ids");
            return Err(Error::layout(self.blob_path(&image.digest), reason));
        }
        Ok((manifest, config))
    }

    /// Stores a JSON document.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put<T: Serialize>(&self, media_type: &str, document: &T) -> Result<Descriptor> {
        let bytes = to_bytes(document)?;
        let digest = Digest::of(&bytes);
        let path = self.blob_path(&digest);
        // The bytes are compared, so that a blob that was damaged is replaced.
        if fs::read(&path).ok().as_deref() != Some(&bytes) {
            let mut pending = self.pending()?;
            pending.write_all(&bytes).map_err(Error::io("writing", &path))?;
            self.adopt(pending)?;
        }
        Ok(Descriptor::new(media_type, digest, bytes.len() as u64))
    }

    /// Opens a blob. Its digest and size are checked when its end is read.
    ///
    /// # Errors
    /// It is missing.
    pub fn open_blob(&self, blob: &Descriptor) -> Result<Verified<File>> {
        let path = self.blob_path(&blob.digest);
        let file = File::open(&path).map_err(Error::io("reading", &path))?;
        Ok(Verified::new(file, path, blob.digest, blob.size))
    }

    /// Removes a blob, so that whoever made it makes it again.
    ///
    /// # Errors
    /// It is there and cannot be removed.
    pub fn discard(&self, digest: &Digest) -> Result<()> {
        let path = self.blob_path(digest);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("removing", path)(error)),
            _ => Ok(()),
        }
    }

    /// A blob that is being written, in a place from which it can be renamed into the layout: see [`Layout::adopt`].
    ///
    /// # Errors
    /// It cannot be made.
    pub fn pending(&self) -> Result<Pending> {
        let folder = self.private()?.join("pending");
        Pending::new_in(&folder).map_err(Error::io("making a file in", folder))
    }

    /// Gives a written blob its name: its digest. Returns that and its size.
    ///
    /// # Errors
    /// It cannot be synced or renamed.
    pub fn adopt(&self, pending: Pending) -> Result<(Digest, u64)> {
        let path = self.blob_path(&pending.written().0);
        pending.commit(&path, 0o444).map_err(Error::io("writing", path))
    }

    /// Writes a document whole, and makes sure that it is on the disk.
    fn write<T: Serialize>(&self, path: &Utf8Path, document: &T) -> Result<()> {
        let mut pending = self.pending()?;
        let bytes = to_bytes(document)?;
        let written = pending.write_all(&bytes).and_then(|()| pending.commit(path, 0o644));
        written.map_err(Error::io("writing", path)).map(|_| ())
    }

    /// Where something is remembered: `kind` and the digest of what it is about.
    pub fn memory(&self, kind: &str, about: &Digest) -> Utf8PathBuf {
        self.root.join(PRIVATE).join(kind).join(format!("{}.json", about.hex()))
    }

    /// What is remembered there; nothing if it is missing or makes no sense.
    pub fn recall<T: DeserializeOwned>(&self, memory: &Utf8Path) -> Option<T> {
        parse(memory, &fs::read(memory).ok()?).ok()
    }

    /// Remembers something. It appears whole or not at all, but nobody waits for the disk: after a power failure it may
    /// be gone or make no sense, and is then made again.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn remember<T: Serialize>(&self, memory: &Utf8Path, document: &T) -> Result<()> {
        let failed = |error| Error::io("writing", memory)(error);
        let folder = self.private()?.join("pending");
        fs::create_dir_all(&folder).map_err(failed)?;
        let mut file = tempfile::Builder::new().tempfile_in(&folder).map_err(failed)?;
        // What is remembered of a layer is some megabytes; it is written as it is made.
        let mut out = BufWriter::with_capacity(64 << 10, &mut file);
        serde_json::to_writer(&mut out, document).map_err(|error| failed(error.into()))?;
        out.flush().map_err(failed)?;
        drop(out);
        file.as_file().set_permissions(Permissions::from_mode(0o644)).map_err(failed)?;
        if let Some(folder) = memory.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        file.persist(memory).map_err(|error| failed(error.error)).map(|_| ())
    }

    /// The folder for what is remembered, and for what is not finished.
    ///
    /// Files that a killed process left unfinished are removed by the first that finds nobody else at work: everybody
    /// who uses the layout holds a shared lock, and who can have it alone for a moment is alone.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn private(&self) -> Result<Utf8PathBuf> {
        let folder = self.root.join(PRIVATE);
        if self.in_use.get().is_none() {
            fs::create_dir_all(&folder).map_err(Error::io("making the folder", &folder))?;
            self.join(true, &|_| {})?;
        }
        Ok(folder)
    }

    /// Joins the users of the layout.
    fn join(&self, make: bool, on_wait: &dyn Fn(&str)) -> Result<()> {
        let folder = self.root.join(PRIVATE);
        let clean = || drop(fs::remove_dir_all(folder.join("pending")));
        let path = folder.join(IN_USE);
        let when_alone: Option<&dyn Fn()> = if make { Some(&clean) } else { None };
        let how = Join { make, when_alone, cancelled: &|| false, on_wait };
        if let Some(in_use) = InUse::join(&path, how).map_err(Error::io("locking", path))? {
            let _ = self.in_use.set(in_use);
        }
        Ok(())
    }

    fn check_version(&self) -> Result<()> {
        let path = self.root.join("oci-layout");
        let bytes = fs::read(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::layout(&self.root, "is no OCI image layout: it has no file `oci-layout`"),
            _ => Error::io("reading", &path)(error),
        })?;
        let header: LayoutHeader = parse(&path, &bytes)?;
        let version = header.image_layout_version;
        if version == LayoutHeader::default().image_layout_version {
            return Ok(());
        }
        Err(Error::layout(path, format!("is of an unknown version: expected 1.0.0, found {version}")))
    }

    fn document<T: DeserializeOwned>(&self, blob: &Descriptor) -> Result<T> {
        let path = self.blob_path(&blob.digest);
        if blob.size > MAX_DOCUMENT {
            return Err(Error::layout(path, format!("is too large for a document: {} bytes", blob.size)));
        }
        let mut bytes = Vec::new();
        self.open_blob(blob)?.read_to_end(&mut bytes).map_err(Error::io("reading", &path))?;
        parse(&path, &bytes)
    }

    fn index_path(&self) -> Utf8PathBuf {
        self.root.join("index.json")
    }

    fn lock_index(&self) -> Result<File> {
        let path = self.private()?.join("index.lock");
        let lock = File::create(&path).map_err(Error::io("making", &path))?;
        flock(&lock, FlockOperation::LockExclusive, &path)?;
        Ok(lock)
    }

    /// The right to write the layer with this key, held until the file is dropped. Waits for whoever writes it now, so
    /// that images which are built side by side do not write the same layer twice.
    ///
    /// # Errors
    /// The file that stands for the right cannot be made or locked.
    pub fn lock_layer(&self, key: &Digest) -> Result<File> {
        let folder = self.private()?.join("writing");
        fs::create_dir_all(&folder).map_err(Error::io("making the folder", &folder))?;
        let path = folder.join(key.hex());
        let lock = File::create(&path).map_err(Error::io("making", &path))?;
        flock(&lock, FlockOperation::LockExclusive, &path)?;
        Ok(lock)
    }

    /// Gives or takes a name. The index is locked.
    fn change_index(&self, name: &str, image: Option<&Descriptor>) -> Result<bool> {
        let index = self.index()?;
        let mut manifests = index.manifests.clone();
        manifests.retain(|other| other.annotations.get(REF_NAME).is_none_or(|other| other != name));
        let had_it = manifests.len() < index.manifests.len();
        manifests.extend(image.cloned().map(|mut named| {
            named.annotations.insert(REF_NAME.to_owned(), name.to_owned());
            named
        }));
        manifests.sort_by(|a, b| (a.annotations.get(REF_NAME), a.digest).cmp(&(b.annotations.get(REF_NAME), b.digest)));
        if manifests != index.manifests {
            self.write_index(&Index { manifests, ..index })?;
        }
        Ok(had_it)
    }

    fn write_index(&self, index: &Index) -> Result<()> {
        self.write(&self.index_path(), index)
    }
}

fn flock(file: &File, operation: FlockOperation, path: &Utf8Path) -> Result<()> {
    rustix::fs::flock(file, operation).map_err(|error| Error::io("locking", path)(error.into()))
}

/// Reads a document; `path` is for the error.
fn parse<T: DeserializeOwned>(path: &Utf8Path, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| Error::layout(path, format!("cannot be understood: {error}")))
}

/// The bytes of a document. Where all its maps are sorted, as those of this crate are, they depend on its content alone.
///
/// # Errors
/// It has no form in JSON.
pub fn to_bytes<T: Serialize>(document: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(document).map_err(|error| Error::io("writing", "a document")(error.into()))
}

#[cfg(test)]
mod tests;
