//! What was built, and of what: one small file for each image.

use std::{fs, io, sync::atomic::AtomicBool};

use anyhow::{Context as _, Result};
use assemble::Layout;
use camino::Utf8PathBuf;
use catalog::{Image, Record};
use serde::{Deserialize, Serialize};
use store::{Guard, Store};

/// The record of a built image.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Built {
    /// What the plan compares.
    pub(crate) record: Record,
    /// Bytes of all layers.
    pub(crate) size: u64,
    /// Bytes of the layers that the image adds to its parent.
    pub(crate) added: u64,
    /// The layers, with what their files looked like when they were written.
    pub(crate) layers: Vec<Seen>,
}

/// A blob as the file system showed it. Reading a blob verifies it; this tells that nobody touched it since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) digest: blob::Digest,
    pub(crate) size: u64,
    mtime: i64,
    inode: u64,
}

impl Seen {
    /// Looks at a blob.
    pub(crate) fn look(layout: &Layout, digest: &blob::Digest) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let meta = fs::metadata(layout.blob_path(digest))?;
        let mtime = meta.mtime().wrapping_mul(1_000_000_000).wrapping_add(meta.mtime_nsec());
        Ok(Self { digest: *digest, size: meta.len(), mtime, inode: meta.ino() })
    }
}

/// The records beside a layout, and the locks of the images in it.
#[derive(Debug)]
pub(crate) struct Records {
    folder: Utf8PathBuf,
}

impl Records {
    pub(crate) fn of(layout: &Layout) -> Self {
        Self { folder: layout.root().join(".records") }
    }

    fn path(&self, image: &Image) -> Utf8PathBuf {
        self.folder.join(format!("{}.json", image.reference.file_name()))
    }

    /// The right to build an image. Waits for another run that builds it.
    pub(crate) fn lock(&self, image: &Image, cancel: &AtomicBool, waiting: &dyn Fn(&str)) -> Result<Guard> {
        let name = image.reference.file_name();
        Ok(Store::open(&self.folder)?.lock(&name, cancel, waiting)?)
    }

    /// The record of an image. One that cannot be read counts as none: the image is built again.
    pub(crate) fn get(&self, image: &Image) -> Option<Built> {
        serde_json::from_slice(&fs::read(self.path(image)).ok()?).ok()
    }

    pub(crate) fn put(&self, image: &Image, built: &Built) -> Result<()> {
        let path = self.path(image);
        blob::write(&path, &serde_json::to_vec_pretty(built)?).with_context(|| format!("writing {path}"))?;
        Ok(())
    }
}

impl Built {
    /// Whether all that was built is still there as it was left.
    pub(crate) fn is_there(&self, layout: &Layout) -> bool {
        let unchanged = |seen: &Seen| Seen::look(layout, &seen.digest).is_ok_and(|now| now == *seen);
        self.layers.iter().all(unchanged)
    }
}
