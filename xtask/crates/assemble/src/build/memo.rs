//! What is remembered of builds: which request gave which image.
//!
//! As with layers, what is remembered is a hint that holds as long as all blobs of the image are the files that were
//! written. With it a build that has nothing to do looks at no file tree.

use std::collections::BTreeMap;

use blob::Digest;
use serde::{Deserialize, Serialize};

use super::{Built, BuiltLayer, Origin, Request};
use crate::{
    error::Result,
    layer::record::Seen,
    layout::{Layout, to_bytes},
    oci::{Descriptor, Manifest},
};

/// The rules by which images are built. A change of what any instruction does is a change of this.
const RULES: &str = "build 2";

#[derive(Serialize, Deserialize)]
struct Memo {
    image: Descriptor,
    layers: Vec<BuiltLayer>,
    unused_args: Vec<String>,
    blobs: Vec<Seen>,
}

/// The digest of all that decides the image.
pub(super) fn key(
    request: &Request<'_>,
    images: &BTreeMap<String, Descriptor>,
    emulated: Option<bool>,
) -> Result<Digest> {
    let images: BTreeMap<_, _> = images.iter().map(|(name, image)| (name, image.digest)).collect();
    let decides = (
        RULES,
        request.dockerfile,
        request.context.digest(),
        (request.args, request.target, images, request.labels),
        (request.epoch, request.platform.to_string()),
        (emulated, request.running.is_some_and(|running| running.network.is_allowed())),
    );
    Ok(Digest::of(&to_bytes(&decides)?))
}

/// The image that this key gave, if all of it is still there.
pub(super) fn find(layout: &Layout, key: &Digest) -> Result<Option<Built>> {
    let Some(memo) = layout.recall(&layout.memory("builds", key)) else { return Ok(None) };
    let Memo { image, mut layers, unused_args, blobs } = memo;
    for blob in blobs {
        if !blob.holds(layout)? {
            return Ok(None);
        }
    }
    let config = layout.config(&layout.manifest(&image)?)?;
    for layer in &mut layers {
        if layer.origin == Origin::Written {
            layer.origin = Origin::Cached;
        }
    }
    Ok(Some(Built { image, config, layers, unused_args }))
}

/// Remembers what this key gave.
pub(super) fn store(layout: &Layout, key: &Digest, manifest: &Manifest, built: &Built) -> Result<()> {
    let mut blobs = Vec::new();
    for blob in manifest.layers.iter().chain([&manifest.config, &built.image]) {
        match Seen::now(layout, blob.digest)? {
            Some(seen) => blobs.push(seen),
            // A base without all of its layers can be built upon, but not remembered.
            None => return Ok(()),
        }
    }
    let (image, layers, unused_args) = (built.image.clone(), built.layers.clone(), built.unused_args.clone());
    Ok(layout.remember(&layout.memory("builds", key), &Memo { image, layers, unused_args, blobs })?)
}
