//! Names that stand for an image on each of several platforms.
//!
//! A name with one image names its manifest, and one with several names an index of them
//! (<https://github.com/opencontainers/image-spec/blob/main/image-index.md>): who builds for one platform sees no index.

use std::collections::{BTreeMap, BTreeSet};

use blob::Digest;

use super::Layout;
use crate::{
    documents::{Descriptor, Index, Platform, REF_NAME, media_type},
    error::Result,
};

impl Layout {
    /// The images that `named`, an image or an index of images, stands for, each with its platform.
    ///
    /// Entries of an index that are no images of a platform (attestations, for instance) are left out.
    ///
    /// # Errors
    /// A document is missing or damaged.
    pub fn images_of(&self, named: &Descriptor) -> Result<Vec<(Platform, Descriptor)>> {
        if named.media_type != media_type::INDEX {
            let config = self.config(&self.manifest(named)?)?;
            let platform = Platform { os: config.os, architecture: config.architecture, variant: config.variant };
            return Ok(vec![(platform, bare(named))]);
        }
        let index: Index = self.document(named)?;
        let images = index.manifests.into_iter().filter(|image| image.media_type == media_type::MANIFEST);
        let on = |image: Descriptor| Some((image.platform.clone().filter(|on| on.os != "unknown")?, bare(&image)));
        Ok(images.filter_map(on).collect())
    }

    /// The image for this platform that has this name.
    ///
    /// # Errors
    /// The index of the layout, or what the name stands for, cannot be read or understood.
    pub fn lookup_for(&self, name: &str, platform: &Platform) -> Result<Option<Descriptor>> {
        let Some(named) = self.lookup(name)? else { return Ok(None) };
        let images = self.images_of(&named)?;
        Ok(images.into_iter().find(|(found, _)| platform.takes(found)).map(|(_, image)| image))
    }

    /// The manifests that each name stands for. An index that cannot be read stands for nothing.
    ///
    /// # Errors
    /// As [`Layout::index`].
    pub fn named_manifests(&self) -> Result<BTreeMap<String, BTreeSet<Digest>>> {
        let manifests = |named: &Descriptor| match named.media_type == media_type::INDEX {
            true => self.images_of(named).unwrap_or_default().into_iter().map(|(_, image)| image.digest).collect(),
            false => BTreeSet::from([named.digest]),
        };
        Ok(self.list()?.into_iter().map(|(name, named)| (name, manifests(&named))).collect())
    }

    /// Gives the image for `platform` a name. The images for other platforms that have the name keep it where `keep` says
    /// so: what a name stands for should be of one making.
    ///
    /// # Errors
    /// The index cannot be read or written.
    pub fn tag_for(
        &self,
        name: &str,
        platform: &Platform,
        image: &Descriptor,
        keep: impl Fn(&Platform) -> bool,
    ) -> Result<()> {
        let _locked = self.lock_index()?;
        let before = self.lookup(name)?;
        // What cannot be read any more cannot be kept.
        let before = before.and_then(|named| self.images_of(&named).ok()).unwrap_or_default();
        let mut images: Vec<_> =
            before.into_iter().filter(|(other, _)| !platform.takes(other) && keep(other)).collect();
        images.push((platform.clone(), bare(image)));
        let named = self.put_images(images)?;
        self.change_index(name, Some(&named)).map(|_| ())
    }

    /// What stands for these images: the image itself where it is one, else an index, which is stored.
    ///
    /// # Errors
    /// The index cannot be written.
    pub fn put_images(&self, mut images: Vec<(Platform, Descriptor)>) -> Result<Descriptor> {
        if let [(_, image)] = images.as_slice() {
            return Ok(image.clone());
        }
        images.sort_by(|(a, _), (b, _)| a.cmp(b));
        let on = |(platform, image): (Platform, Descriptor)| Descriptor { platform: Some(platform), ..image };
        self.put(media_type::INDEX, &Index::new(images.into_iter().map(on).collect()))
    }
}

/// The descriptor without the name that it has in an index, and without its place there.
fn bare(image: &Descriptor) -> Descriptor {
    let mut image = Descriptor { platform: None, ..image.clone() };
    image.annotations.remove(REF_NAME);
    image
}
