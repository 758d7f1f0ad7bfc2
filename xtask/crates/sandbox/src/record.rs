//! The record that lies beside an unpacked layer: what the files themselves cannot say.
//!
//! An ordinary user can neither give files away nor keep a folder that its owner may not enter. What the layer says of
//! owners and modes stands here, and is what permission checks go by.

use std::collections::{BTreeMap, BTreeSet};

use blob::Digest;
use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

/// Owner and mode as the layer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Meta {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// The twelve permission bits.
    pub(crate) mode: u32,
}

/// Everything that is kept about one layer beside its files. Paths are relative to its root; the root is the empty path.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The digest of the tar file.
    pub(crate) diff_id: Digest,
    /// Entries that are not 0:0, or whose mode on disk is not the mode in the layer.
    pub(crate) entries: BTreeMap<Utf8PathBuf, Meta>,
    /// Folders that the layer does not list but that its entries lie in. They have the attributes of a lower layer.
    pub(crate) implied: BTreeSet<Utf8PathBuf>,
}

impl Record {
    pub(crate) fn new(diff_id: Digest) -> Self {
        Self { diff_id, entries: BTreeMap::new(), implied: BTreeSet::new() }
    }

    /// The true attributes of `path`, which is there with mode `on_disk`.
    pub(crate) fn meta(&self, path: &Utf8Path, on_disk: u32) -> Meta {
        self.entries.get(path).copied().unwrap_or(Meta { uid: 0, gid: 0, mode: on_disk & 0o7777 })
    }

    /// Notes what `path` should be, unless its mode on disk and root as owner say the same.
    pub(crate) fn note(&mut self, path: &Utf8Path, meta: Meta, on_disk: u32) {
        if (meta.uid, meta.gid, meta.mode) == (0, 0, on_disk) {
            self.entries.remove(path);
        } else {
            self.entries.insert(path.to_owned(), meta);
        }
    }

    /// Forgets `path` and all below it.
    pub(crate) fn forget(&mut self, path: &Utf8Path) {
        self.entries.retain(|other, _| !other.starts_with(path));
        self.implied.retain(|other| !other.starts_with(path));
    }
}
