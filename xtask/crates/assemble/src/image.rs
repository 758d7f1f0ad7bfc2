//! Images that are in a layout: their documents and their file trees.

use std::{os::unix::fs::FileExt as _, sync::Arc};

use blob::Digest;

use crate::{
    archive::Archive,
    error::{Error, Result},
    layer::{entry::Entry, tree::Tree},
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

/// A layer that lies in a layout, file by file.
#[derive(Debug)]
pub struct LayerFiles(Archive);

impl LayerFiles {
    /// Opens a layer. One that other tools have compressed is unpacked into a temporary file.
    ///
    /// # Errors
    /// It is missing, or compressed in a way that is not understood.
    pub fn open(layout: &Layout, layer: &Descriptor) -> Result<Self> {
        Ok(Self(archive(layout, layer.digest, layer.size)?))
    }

    /// The entries, in the order of the archive. They come from what is remembered of the layer; one that nothing is
    /// remembered of is read once, and compared with its digest.
    ///
    /// # Errors
    /// The layer is damaged, or no archive.
    pub fn entries(&self) -> Result<Vec<Entry>> {
        self.0.entries()
    }

    /// Reads bytes of the uncompressed archive: those of a file begin at the `offset` of its entry. They are compared with
    /// no digest. Returns how many bytes there were.
    ///
    /// # Errors
    /// The layer cannot be read.
    pub fn read_at(&self, buffer: &mut [u8], position: u64) -> Result<usize> {
        self.0.plain()?.read_at(buffer, position).map_err(Error::io("reading", self.0.name()))
    }
}

/// The instruction that made each layer, lowest first; empty where the history does not say.
pub fn instructions(config: &ImageConfig) -> Vec<String> {
    let made = config.history.iter().filter(|history| !history.empty_layer);
    let mut made = made.map(|History { created_by, .. }| created_by.clone().unwrap_or_default());
    config.rootfs.diff_ids.iter().map(|_| made.next().unwrap_or_default()).collect()
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
        let layers = self.manifest.layers.iter().zip(&self.config.rootfs.diff_ids).zip(instructions(&self.config));
        let layers = layers.map(|((descriptor, &diff_id), created_by)| Layer::Inherited {
            descriptor: descriptor.clone(),
            diff_id,
            created_by,
        });
        State::new(self.config.clone(), layers.collect(), self.tree.clone())
    }
}

pub(crate) fn load(layout: &Layout, image: &Descriptor) -> Result<Loaded> {
    let (manifest, config) = layout.documents(image)?;
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
