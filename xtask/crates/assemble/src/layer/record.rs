//! What is remembered of layers: which key gave which blob, and what is in it.
//!
//! A record is a hint. It holds only as long as the blob is the file that was written: same size, same time, same inode.
//! Where that has changed (the layout was copied, for instance) the blob is read and its digest decides.

use std::{fs, os::unix::fs::MetadataExt};

use blob::{Digest, hash_reader};
use serde::{Deserialize, Serialize, Serializer};

use super::plan::Plan;
use crate::{
    error::{Error, Result},
    layout::Layout,
};

/// A blob, and how its file looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    digest: Digest,
    size: u64,
    inode: u64,
    mtime: i64,
    mtime_nsec: i64,
}

/// The blob of the layer with this key, if it is there.
pub(crate) fn find(layout: &Layout, key: &Digest) -> Result<Option<(Digest, u64)>> {
    let memory = layout.memory("layers", key);
    let Some(record) = layout.recall::<Seen>(&memory) else { return Ok(None) };
    let Some(now) = Seen::now(layout, record.digest)? else { return Ok(None) };
    if now != record {
        let blob = layout.blob_path(&record.digest);
        let found = fs::File::open(&blob).and_then(hash_reader).map_err(Error::io("reading", blob))?;
        if found != (record.digest, record.size) {
            return Ok(None);
        }
        layout.remember(&memory, &now)?;
    }
    Ok(Some((record.digest, record.size)))
}

/// Remembers that this plan gave this blob, in which the bytes of its entries begin at these offsets.
pub(crate) fn store(layout: &Layout, plan: &Plan, digest: Digest, offsets: &[u64]) -> Result<()> {
    layout.remember(&layout.memory("entries", &digest), &Entries { plan, offsets })?;
    point(layout, &plan.key, digest)
}

/// The entries of a layer, each made when it is written: all of them at once would be as much as the plan again.
struct Entries<'p> {
    plan: &'p Plan,
    offsets: &'p [u64],
}

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let entries = self.plan.entries.iter().zip(self.offsets);
        serializer.collect_seq(entries.map(|(planned, &offset)| planned.entry(offset)))
    }
}

/// Remembers that this key, too, gave this blob.
pub(crate) fn point(layout: &Layout, key: &Digest, digest: Digest) -> Result<()> {
    match Seen::now(layout, digest)? {
        Some(seen) => Ok(layout.remember(&layout.memory("layers", key), &seen)?),
        // Somebody has removed the blob already. That is found by whoever needs it.
        None => Ok(()),
    }
}

impl Seen {
    /// How a blob looks now, if it is there.
    pub(crate) fn now(layout: &Layout, digest: Digest) -> Result<Option<Self>> {
        let path = layout.blob_path(&digest);
        match fs::metadata(&path) {
            Ok(file) => Ok(Some(Self {
                digest,
                size: file.len(),
                inode: file.ino(),
                mtime: file.mtime(),
                mtime_nsec: file.mtime_nsec(),
            })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("reading", path)(error)),
        }
    }

    /// Whether the blob looks as it did.
    pub(crate) fn holds(&self, layout: &Layout) -> Result<bool> {
        Ok(Self::now(layout, self.digest)?.as_ref() == Some(self))
    }
}
