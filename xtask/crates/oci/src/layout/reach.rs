//! What an entry of an index leads to, and what nothing leads to.

use std::collections::BTreeSet;

use blob::Digest;
use serde::Deserialize;

use super::Layout;
use crate::{
    documents::Descriptor,
    error::{Error, Result},
};

/// An index leads to manifests, and one of those to further ones only in an index of indexes.
const MAX_DEPTH: usize = 8;

/// What a document names, whatever kind it is: an index, a manifest, an artifact with a subject.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Names {
    manifests: Vec<Descriptor>,
    config: Option<Descriptor>,
    layers: Vec<Descriptor>,
    blobs: Vec<Descriptor>,
    subject: Option<Descriptor>,
}

impl Layout {
    /// All blobs that `entry` leads to, itself among them. Layers are not opened; documents are, and compared with their
    /// digests.
    ///
    /// # Errors
    /// A document is missing or damaged: then it cannot be told what belongs to the image.
    pub fn reached(&self, entry: &Descriptor) -> Result<BTreeSet<Digest>> {
        let mut reached = BTreeSet::new();
        self.reach(entry, &mut reached, 0)?;
        Ok(reached)
    }

    fn reach(&self, entry: &Descriptor, reached: &mut BTreeSet<Digest>, depth: usize) -> Result<()> {
        if !reached.insert(entry.digest) || !is_document(&entry.media_type) {
            return Ok(());
        }
        if depth > MAX_DEPTH {
            return Err(Error::layout(self.blob_path(&entry.digest), "lies too deep in indexes of indexes"));
        }
        let names: Names = self.document(entry)?;
        let named = names.manifests.iter().chain(&names.config).chain(&names.layers).chain(&names.blobs);
        named.chain(&names.subject).try_for_each(|named| self.reach(named, reached, depth + 1))
    }
}

/// Whether blobs of this type name others: OCI's and Docker's indexes and manifests.
fn is_document(media_type: &str) -> bool {
    media_type.ends_with("+json") && (media_type.contains(".index.") || media_type.contains("manifest"))
}
