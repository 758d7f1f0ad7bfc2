//! What a registry stores of an image: the layout's own manifest with compressed layers, and an index of those of several
//! platforms.

use anyhow::{Context as _, Result};
use assemble::oci::{Descriptor, Index, Platform, media_type};
use blob::Digest;
use compress::{Form, Packed};
use distribution::Blob;
use serde::Serialize;
use store::Silent;

use super::{Item, Push, fingerprint_tag};

/// The media type of an image manifest.
pub(crate) const MANIFEST: &str = media_type::MANIFEST;
/// The annotation that holds the digest of the image in the layout, with layers as they are: what a pull must arrive at.
pub(crate) const MANIFEST_DIGEST: &str = "io.spark-images.manifest";

/// A manifest as it is pushed.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub(super) media_type: &'static str,
    pub(super) bytes: Vec<u8>,
    pub(super) digest: Digest,
}

impl Push<'_> {
    /// A layer in the form in which it is pushed, if it is known.
    pub(super) fn packed(&self, layer: &Descriptor) -> Option<Packed> {
        match self.form {
            Form::Plain => {
                Some(Packed { digest: layer.digest, size: layer.size, path: self.layout.blob_path(&layer.digest) })
            }
            form => self.kept.get(form, &layer.digest),
        }
    }

    /// The manifest that is pushed for an image; nothing while a layer was never compressed. With layers as they are, it
    /// is the layout's own.
    pub(super) fn known_manifest(&self, item: &Item<'_>) -> Option<Written> {
        let mut manifest = item.manifest.clone();
        for layer in &mut manifest.layers {
            let packed = self.packed(layer)?;
            *layer = Descriptor::new(self.form.media_type(), packed.digest, packed.size);
        }
        if self.form != Form::Plain {
            manifest.annotations.insert(MANIFEST_DIGEST.to_owned(), item.found.digest.to_string());
        }
        Written::new(MANIFEST, &manifest)
    }

    /// What the names of each item mean: its manifest, or an index of it and those for further platforms. Nothing while one
    /// of them is not known.
    pub(super) fn named(&self, items: &[Item<'_>], manifests: &[Option<Written>]) -> Vec<Option<Written>> {
        let descriptor = |index: usize| {
            let (manifest, config) = (manifests[index].as_ref()?, &items[index].config);
            let mut descriptor = Descriptor::new(MANIFEST, manifest.digest, manifest.bytes.len() as u64);
            descriptor.platform = Some(Platform {
                os: config.os.clone(),
                architecture: config.architecture.clone(),
                variant: config.variant.clone(),
            });
            Some(descriptor)
        };
        let named = |index: usize| match items[index].others.as_slice() {
            [] => manifests[index].clone(),
            others => {
                let members = std::iter::once(&index).chain(others).map(|&index| descriptor(index));
                Written::new(media_type::INDEX, &Index::new(members.collect::<Option<_>>()?))
            }
        };
        (0..items.len()).map(named).collect()
    }

    /// Stores the index of an item's platforms, whose manifests must be there.
    pub(super) fn put_index(&self, item: &Item<'_>, index: &Written) -> Result<()> {
        let repository = self.repository(item);
        let doing = || format!("pushing the index of {} to {}", item.image.reference, repository.full_name());
        repository.put(&index.digest.to_string(), index.media_type, &index.bytes).with_context(doing)
    }

    /// Stores an image's configuration and its manifest. Its layers must be there.
    pub(super) fn put(&self, item: &Item<'_>, manifest: &Written) -> Result<()> {
        let repository = self.repository(item);
        let doing = || format!("pushing {} to {}", item.name(), repository.full_name());
        let config = &item.manifest.config;
        let blob = Blob { digest: config.digest, size: config.size, path: self.layout.blob_path(&config.digest) };
        repository.push(&blob, None, &self.sessions, &self.limits, &Silent).with_context(doing)?;
        repository.put(&manifest.digest.to_string(), MANIFEST, &manifest.bytes).with_context(doing)
    }

    /// Lets an image be found by its fingerprint. What is found so already stays what it is: who took it before must get
    /// the same again.
    pub(super) fn name_fingerprint(&self, item: &Item<'_>, manifest: &Written) -> Result<()> {
        let repository = self.repository(item);
        let tag = fingerprint_tag(&item.fingerprint);
        let doing = || format!("pushing {} as {tag}", item.name());
        if repository.find(&tag).with_context(doing)?.is_none() {
            repository.put(&tag, MANIFEST, &manifest.bytes).with_context(doing)?;
        }
        Ok(())
    }
}

impl Written {
    fn new(media_type: &'static str, document: &impl Serialize) -> Option<Self> {
        // These documents hold nothing that JSON does not; the same one gives the same bytes.
        let bytes = serde_json::to_vec(document).ok()?;
        let digest = Digest::of(&bytes);
        Some(Self { media_type, bytes, digest })
    }
}
