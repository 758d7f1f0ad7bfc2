//! What was built, and of what: one small file for each image.

use std::{fs, io};

use anyhow::{Context as _, Result};
use camino::{Utf8Path, Utf8PathBuf};
use catalog::{Image, Platform, Record};
use oci::Layout;
use serde::{Deserialize, Serialize};

/// The record of a built image.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Built {
    /// What the plan compares.
    pub record: Record,
    /// Bytes of all layers.
    pub size: u64,
    /// Bytes of the layers that the image adds to its parent.
    pub added: u64,
    /// The layers, with what their files looked like when they were written.
    pub layers: Vec<Seen>,
    /// The image's id in the engine that built it, and has its layers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<blob::Digest>,
    /// How long the build took; nothing for an image that was taken from a registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

/// A blob as the file system showed it. Reading a blob verifies it; this tells that nobody touched it since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The blob.
    pub digest: blob::Digest,
    /// Its bytes.
    pub size: u64,
    mtime: i64,
    inode: u64,
}

impl Seen {
    /// Looks at a blob.
    ///
    /// # Errors
    /// It is not there, or cannot be looked at.
    pub fn look(layout: &Layout, digest: &blob::Digest) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let meta = fs::metadata(layout.blob_path(digest))?;
        let mtime = meta.mtime().wrapping_mul(1_000_000_000).wrapping_add(meta.mtime_nsec());
        Ok(Self { digest: *digest, size: meta.len(), mtime, inode: meta.ino() })
    }
}

/// The records beside a layout, of one platform.
#[derive(Debug)]
pub struct Records {
    folder: Utf8PathBuf,
}

impl Records {
    /// The records of this layout for a platform. There may be none.
    pub fn of(layout: &Layout, platform: Platform) -> Self {
        Self { folder: layout.root().join(".records").join(platform.folder()) }
    }

    /// The folder of the records; it may not be there yet.
    pub fn folder(&self) -> &Utf8Path {
        &self.folder
    }

    /// The records of what was built elsewhere.
    pub fn in_folder(folder: Utf8PathBuf) -> Self {
        Self { folder }
    }

    fn path(&self, image: &Image) -> Utf8PathBuf {
        self.folder.join(format!("{}.json", image.reference.file_name()))
    }

    /// Whether anything was ever built for this platform.
    pub fn is_empty(&self) -> bool {
        !self.folder.is_dir()
    }

    /// The record of an image. One that cannot be read counts as none: the image is built again.
    pub fn get(&self, image: &Image) -> Option<Built> {
        serde_json::from_slice(&fs::read(self.path(image)).ok()?).ok()
    }

    /// Writes the record of an image.
    ///
    /// # Errors
    /// It cannot be written; the old one is then still there.
    pub fn put(&self, image: &Image, built: &Built) -> Result<()> {
        let path = self.path(image);
        blob::write(&path, &serde_json::to_vec_pretty(built)?).with_context(|| format!("writing {path}"))?;
        Ok(())
    }
}

impl Built {
    /// Whether all that was built is still there as it was left.
    pub fn is_there(&self, layout: &Layout) -> bool {
        let unchanged = |seen: &Seen| Seen::look(layout, &seen.digest).is_ok_and(|now| now == *seen);
        self.layers.iter().all(unchanged)
    }
}
