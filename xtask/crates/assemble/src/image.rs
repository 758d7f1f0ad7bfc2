//! Images that are in a layout: their documents and their file trees.

use std::sync::Arc;

use blob::Digest;

use crate::{
    archive::Archive,
    error::{Error, Result},
    layer::tree::Tree,
    layout::Layout,
    oci::{Descriptor, History, ImageConfig, Manifest},
    source::{Content, Promise, Source},
    stage::{Layer, State},
};

/// The files of an image: what a container of it would see.
///
/// The tree comes from what is remembered of the layers; a layer that nothing is remembered of is read once.
///
/// # Errors
/// The image is not in the layout, is damaged, or has layers that cannot be read.
pub fn tree(layout: &Layout, image: &Descriptor) -> Result<Tree> {
    tree_of(layout, &layout.manifest(image)?)
}

/// An image, ready to be built upon.
pub(crate) struct Loaded {
    manifest: Manifest,
    config: ImageConfig,
    pub(crate) tree: Tree,
}

impl Loaded {
    /// A stage that begins with this image.
    pub(crate) fn state(&self) -> State {
        let made = self.config.history.iter().filter(|history| !history.empty_layer);
        let mut made = made.map(|History { created_by, .. }| created_by.clone().unwrap_or_default());
        let layers = self.manifest.layers.iter().zip(&self.config.rootfs.diff_ids);
        let layers = layers.map(|(descriptor, &diff_id)| Layer::Inherited {
            descriptor: descriptor.clone(),
            diff_id,
            created_by: made.next().unwrap_or_default(),
        });
        State::new(self.config.clone(), layers.collect(), self.tree.clone())
    }
}

pub(crate) fn load(layout: &Layout, image: &Descriptor) -> Result<Loaded> {
    let manifest = layout.manifest(image)?;
    let config = layout.config(&manifest)?;
    let (layers, diff_ids) = (manifest.layers.len(), config.rootfs.diff_ids.len());
    if layers != diff_ids {
        let reason = format!("contradicts its configuration: {layers} layers, {diff_ids} diff_ids");
        return Err(oci::Error::layout(layout.blob_path(&image.digest), reason).into());
    }
    let tree = tree_of(layout, &manifest)?;
    Ok(Loaded { manifest, config, tree })
}

fn tree_of(layout: &Layout, manifest: &Manifest) -> Result<Tree> {
    let mut tree = Tree::default();
    for layer in &manifest.layers {
        apply(layout, &mut tree, layer.digest, layer.size)?;
    }
    Ok(tree)
}

/// Applies a layer that is in the layout.
pub(crate) fn apply(layout: &Layout, tree: &mut Tree, digest: Digest, size: u64) -> Result<()> {
    let archive = Arc::new(archive(layout, digest, size)?);
    let entries = archive.entries()?;
    let wrong = |reason| Error::Archive { name: archive.name().to_owned(), reason };
    tree.apply(entries, &archive).map_err(wrong)
}

/// A layer that is in the layout.
pub(crate) fn archive(layout: &Layout, digest: Digest, size: u64) -> Result<Archive> {
    let path = layout.blob_path(&digest);
    let content = Content::Source(Source::Path(path.clone()));
    Archive::layer(layout, path.as_str(), &content, Promise { digest, size })
}
