//! The bytes that the lock stands for: its artifacts, and the files of the Spark homes that are made of them.
//!
//! A Spark home is one artifact of the lock, unpacked, or what was compiled of it; the store keeps it with the digest of each
//! of its files. Without a store that holds it, it cannot be told whether a jar of the home is the one that it should be.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context as _, Result};
use audit::expect::Known;
use blob::Digest;
use catalog::{Catalog, Coordinate, LockedCatalog, Origin};
use store::Store;

use super::images::Target;
use crate::{
    compile::Wanted,
    flags::Global,
    machine::{Machine, kept_folder, open_store},
    stage::{SPARK_HOMES, SparkHome, Stager},
    workspace::Workspace,
};

/// What is known of the bytes of images, gathered once for all images of one Spark.
pub(crate) struct Knowledge<'a> {
    workspace: &'a Workspace,
    global: &'a Global,
    catalog: &'a Catalog,
    store: Store,
    locked: LockedCatalog,
    artifacts: HashSet<Digest>,
    of: BTreeMap<(Option<String>, Option<Origin>), Known>,
}

impl<'a> Knowledge<'a> {
    /// Reads the lock.
    ///
    /// # Errors
    /// It is stale or cannot be read; there is no folder for a store.
    pub(crate) fn new(workspace: &'a Workspace, global: &'a Global, catalog: &'a Catalog) -> Result<Self> {
        let locked = LockedCatalog::new(catalog.clone(), workspace.lock()?, catalog.table.origin)?;
        let artifacts = locked.lock().artifacts.values().map(|artifact| artifact.sha256).collect();
        Ok(Self { workspace, global, catalog, store: open_store()?, locked, artifacts, of: BTreeMap::new() })
    }

    /// What may be in an image whose label names this origin.
    pub(crate) fn of(&mut self, target: &Target<'_>, origin: Option<&str>) -> Result<Known> {
        let origin = origin.and_then(|origin| origin.parse().ok());
        let key = (target.image.spark.clone(), origin);
        if let Some(known) = self.of.get(&key) {
            return Ok(known.clone());
        }
        let mut known = Known { digests: self.artifacts.clone(), without_spark: None };
        match self.home(target, origin)? {
            Ok(home) => known.digests.extend(home.iter().flat_map(|home| home.files.values().map(|file| file.digest))),
            Err(reason) => known.without_spark = Some(reason),
        }
        self.of.insert(key, known.clone());
        Ok(known)
    }

    /// The Spark home of an image, if it has one; or why it is not known.
    fn home(&self, target: &Target<'_>, origin: Option<Origin>) -> Result<Result<Option<SparkHome>, String>> {
        let Some(spark) = &target.image.spark else { return Ok(Ok(None)) };
        let home = match origin {
            None => return Ok(Err("the image does not say where its Spark comes from".to_owned())),
            Some(Origin::Release) => self.release(spark)?,
            Some(Origin::Source) => self.compiled(target, spark)?,
        };
        let fetch = match origin {
            Some(Origin::Source) => format!("cargo xtask build-custom {spark}"),
            _ => format!("cargo xtask build-layers custom --spark {spark}"),
        };
        Ok(home.map(Some).ok_or_else(|| format!("this store does not hold it; to get it: {fetch}")))
    }

    fn release(&self, spark: &str) -> Result<Option<SparkHome>> {
        let lock = self.locked.lock();
        let members = lock.sets.get(&format!("sdist pyspark=={spark}")).map(|set| &set.members);
        let sdist: Option<&Coordinate> = members.and_then(|members| members.first());
        let Some(sdist) = sdist.and_then(|id| lock.artifacts.get(id)) else { return Ok(None) };
        let key = SparkHome::key(&sdist.sha256, &self.catalog.table.release);
        SparkHome::open(&kept_folder(self.workspace, &self.store).join(SPARK_HOMES).join(key.hex()))
    }

    fn compiled(&self, target: &Target<'_>, spark: &str) -> Result<Option<SparkHome>> {
        let machine = Machine::look(self.workspace, self.global, self.catalog)?;
        let mut locked = self.locked.clone();
        locked.set_origins(Origin::Source.into());
        let stager =
            Stager { workspace: self.workspace, machine: &machine, locked: &locked, platform: target.platform };
        let wanted = Wanted::new(&stager, spark).context("looking for the compiled Spark")?;
        Ok(wanted.kept(&stager)?.map(|(home, _)| home))
    }
}
