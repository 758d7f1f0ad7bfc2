//! What is needed: by this checkout, and by all others that use the same store.
//!
//! What this checkout needs must be known. Of another one something may not be: its table is being edited, say. Then
//! nothing goes that it might need.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::MetadataExt as _,
};

use anyhow::{Context as _, Result};
use assemble::{Layout, oci::REF_NAME};
use blob::Digest;
use camino::{Utf8Path, Utf8PathBuf};
use catalog::{Catalog, Image, ImageRef, LockedCatalog, Origin};
use checkout::Checkout;

use super::decide::{Needed, Part};
use crate::{
    bake::target_of,
    checkouts::Noted,
    compile::Wanted,
    machine::Machine,
    stage::{self, SparkHome, Stager},
    workspace::Workspace,
};

/// The images of a layout.
#[derive(Debug, Default)]
pub(crate) struct Images {
    /// The blobs that each name leads to.
    pub(crate) named: BTreeMap<String, BTreeSet<Digest>>,
    /// Those that entries without a name lead to.
    pub(crate) unnamed: BTreeSet<Digest>,
}

impl Images {
    /// Reads the index and all that it leads to.
    ///
    /// # Errors
    /// Something is missing or damaged: it cannot be told what is needed.
    pub(crate) fn of(layout: &Layout) -> Result<Self> {
        let mut images = Self::default();
        let damaged = || {
            format!(
                "the layout {} is damaged, so that nobody can tell what is needed; nothing was removed\n\
                 to see what is wrong: cargo xtask store verify",
                layout.root()
            )
        };
        for entry in layout.index().with_context(damaged)?.manifests {
            let name = entry.annotations.get(REF_NAME).cloned();
            let reached = layout.reached(&entry).with_context(damaged)?;
            match name {
                Some(name) => images.named.entry(name).or_default().extend(reached),
                None => images.unnamed.extend(reached),
            }
        }
        Ok(images)
    }

    /// All blobs that are led to, without these names.
    pub(crate) fn blobs_without(&self, left_out: &BTreeSet<String>) -> BTreeSet<Digest> {
        let named = self.named.iter().filter(|(name, _)| !left_out.contains(*name));
        named.flat_map(|(_, blobs)| blobs).chain(&self.unnamed).copied().collect()
    }
}

impl Needed {
    /// What all checkouts need that are noted in the store, and this one. Images of its layout that no table names are
    /// left out with `old_images`.
    ///
    /// # Errors
    /// What this checkout needs cannot be told.
    pub(crate) fn of(
        workspace: &Workspace,
        machine: &Machine,
        images: &Images,
        noted: &[(Utf8PathBuf, Noted)],
        old_images: bool,
    ) -> Result<Self> {
        let mut needed = Self::default();
        let own = Noted::of(workspace);
        needed.lock(workspace)?;
        needed.made(workspace, machine)?;
        needed.names(&workspace.catalog()?);
        for (file, other) in noted {
            if !other.is_there() {
                continue;
            }
            needed.checkouts.extend(file.file_name().map(str::to_owned));
            if *other != own {
                needed.other(other, &own, machine);
            }
        }
        for root in [machine.store.root(), &workspace.kept()] {
            needed.archives.extend(needed.made.iter().filter_map(|key| stage::rootfs_digest(root, key)));
        }
        let old = needed.old(images, old_images);
        needed.blobs = images.blobs_without(&old);
        needed.layers.extend(&needed.blobs);
        let kept = images.named.keys().filter(|name| !old.contains(*name));
        needed.records.extend(kept.map(|name| ImageRef::file_name_of(name)));
        Ok(needed)
    }

    /// The names in the layout that no table gives; none, unless they are to go.
    pub(crate) fn old(&self, images: &Images, old_images: bool) -> BTreeSet<String> {
        let known = !self.unknown.contains_key(&Part::Names);
        let old = images.named.keys().filter(|name| old_images && known && !self.names.contains(*name));
        old.cloned().collect()
    }

    /// What another checkout needs. What cannot be told is noted.
    fn other(&mut self, other: &Noted, own: &Noted, machine: &Machine) {
        let at = || Checkout::in_folder(other.root.clone(), &other.images).map(Workspace::from);
        let unknown = |needed: &mut Self, parts: &[Part], error: anyhow::Error| {
            for part in parts {
                let why = format!("the checkout {} may need it: {error:#}", other.root);
                needed.unknown.entry(*part).or_insert(why.replace('\n', "; "));
            }
        };
        let shares_layout = is_same(&other.layout, &own.layout);
        match at().and_then(|workspace| self.lock(&workspace)) {
            Ok(()) => {}
            Err(error) => unknown(self, &[Part::Artifacts], error),
        }
        match at().and_then(|workspace| self.made(&workspace, machine)) {
            Ok(()) => {}
            Err(error) => unknown(self, &[Part::Made], error),
        }
        if shares_layout {
            match at().and_then(|workspace| workspace.catalog()) {
                Ok(catalog) => self.names(&catalog),
                Err(error) => unknown(self, &[Part::Names], error),
            }
        } else if other.layout.join("index.json").exists() {
            match Layout::look(&other.layout).map_err(Into::into).and_then(|layout| Images::of(&layout)) {
                Ok(images) => self.layers.extend(images.blobs_without(&BTreeSet::new())),
                Err(error) => unknown(self, &[Part::Layers], error),
            }
        }
    }

    /// What the lock names, whether it answers the table or not.
    fn lock(&mut self, workspace: &Workspace) -> Result<()> {
        self.artifacts.extend(workspace.lock()?.artifacts.values().map(|artifact| artifact.sha256));
        Ok(())
    }

    /// What is made of the files of the lock, the homes of its source distributions too: with both origins, for all
    /// platforms, with a tree of the user's and without.
    fn made(&mut self, workspace: &Workspace, machine: &Machine) -> Result<()> {
        let lock = workspace.lock()?;
        let mut catalogs = vec![workspace.catalog_with(|_| Ok(None))?];
        if workspace.source.is_some() {
            catalogs.push(workspace.catalog()?);
        }
        for catalog in catalogs {
            let release = &catalog.table.release;
            self.made.extend(lock.artifacts.values().map(|artifact| SparkHome::key(&artifact.sha256, release)));
            for origin in [Origin::Release, Origin::Source] {
                let locked = LockedCatalog::new(catalog.clone(), lock.clone(), origin)?;
                let platform = catalog.table.default_platform();
                self.made_with(&Stager { workspace, machine, locked: &locked, platform })?;
            }
        }
        Ok(())
    }

    fn made_with(&mut self, stager: &Stager<'_>) -> Result<()> {
        let catalog = stager.locked.catalog();
        let compiles = |spark: &str| catalog.table.sparks.get(spark).is_some_and(|spark| spark.source.is_some());
        for spark in catalog.table.sparks.keys().filter(|spark| compiles(spark)) {
            self.made.insert(Wanted::new(stager, spark)?.key());
        }
        // What cannot be compiled was never built with that origin.
        let can_be = |image: &&Image| {
            stager.locked.origin(image) == Origin::Release || image.spark.as_deref().is_none_or(compiles)
        };
        let images: Vec<&Image> = catalog.images().iter().filter(can_be).collect();
        for &platform in &catalog.table.platforms {
            let stager = stager.on(platform);
            for image in &images {
                self.made.extend(stager.rootfs_keys(image)?);
                let stages = stager.locked.stages(platform, image);
                let files = stages.flat_map(|stage| stager.locked.artifacts(platform, image, stage));
                let digests = files.map(|artifact| artifact.sha256);
                self.fetched.entry(image.reference.to_string()).or_default().extend(digests);
            }
            let known = stager.fingerprints(&images)?;
            self.fingerprints.extend(known.into_values().map(|(_, fingerprint)| fingerprint));
        }
        Ok(())
    }

    fn names(&mut self, catalog: &Catalog) {
        for image in catalog.images() {
            self.names.extend(image.references().map(ToString::to_string));
            let file = image.reference.file_name();
            self.logs.extend([format!("build-{file}"), format!("smoke-{file}")]);
            self.records.insert(file);
            self.targets.insert(target_of(&image.reference));
        }
        self.logs.extend(catalog.table.sparks.keys().map(|spark| format!("compile-{spark}")));
    }
}

/// Whether both paths lead to the same folder.
fn is_same(one: &Utf8Path, other: &Utf8Path) -> bool {
    let folder = |path: &Utf8Path| fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()));
    one == other || folder(one).is_some_and(|found| folder(other) == Some(found))
}
