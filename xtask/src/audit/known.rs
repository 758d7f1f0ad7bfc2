//! The bytes that the lock stands for: its artifacts, the jars of those that are archives, and the files of the Spark homes
//! that are made of them.
//!
//! A Spark home is one artifact of the lock, unpacked, or what was compiled of it; the store keeps it with the digest of each
//! of its files. Without a store that holds it, it cannot be told whether a jar of the home is the one that it should be.

use std::{
    collections::{BTreeMap, HashSet, btree_map::Entry},
    fs::File,
    io,
};

use anyhow::{Context as _, Result};
use audit::expect::Known;
use blob::{Digest, HashingReader};
use camino::Utf8Path;
use catalog::{Catalog, Coordinate, LockedCatalog, Origin};
use flate2::read::MultiGzDecoder;
use store::Store;

use super::images::Target;
use crate::{
    compile::Wanted,
    flags::Global,
    machine::{Machine, kept_folder, open_store},
    stage::{SPARK_HOMES, SparkHome, Stager},
    workspace::Workspace,
};

/// How the coordinate of an archive in Maven's repository ends.
const ARCHIVE: &str = ":tar.gz";

/// What is known of the bytes of images, gathered once for all images of one Spark.
pub(crate) struct Knowledge<'a> {
    workspace: &'a Workspace,
    global: &'a Global,
    catalog: &'a Catalog,
    store: Store,
    locked: LockedCatalog,
    artifacts: HashSet<Digest>,
    of: BTreeMap<(Option<String>, Option<Origin>), Known>,
    /// The jars of archives that were read.
    archives: BTreeMap<Digest, HashSet<Digest>>,
}

impl<'a> Knowledge<'a> {
    /// Reads the lock.
    ///
    /// # Errors
    /// It is stale or cannot be read; there is no folder for a store.
    pub(crate) fn new(workspace: &'a Workspace, global: &'a Global, catalog: &'a Catalog) -> Result<Self> {
        let locked = LockedCatalog::new(catalog.clone(), workspace.lock()?, catalog.table.origin)?;
        let artifacts = locked.lock().artifacts.values().map(|artifact| artifact.sha256).collect();
        Ok(Self {
            workspace,
            global,
            catalog,
            store: open_store()?,
            locked,
            artifacts,
            of: BTreeMap::new(),
            archives: BTreeMap::new(),
        })
    }

    /// What may be in an image whose label names this origin.
    pub(crate) fn of(&mut self, target: &Target<'_>, origin: Option<&str>) -> Result<Known> {
        let mut known = self.of_spark(target, origin)?;
        for archive in self.archives_of(target) {
            let jars = match self.archives.entry(archive) {
                Entry::Occupied(read) => read.into_mut(),
                Entry::Vacant(unread) => unread.insert(jars(&self.store.path_of(&archive))?),
            };
            known.digests.extend(&*jars);
        }
        Ok(known)
    }

    /// The archives of the lock that instructions of this image and its ancestors unpack, if the store has them.
    fn archives_of(&self, target: &Target<'_>) -> Vec<Digest> {
        let images = self.catalog.with_ancestors(&[target.image.reference.clone()].into());
        let stages = images
            .iter()
            .flat_map(|&image| self.locked.stages(target.platform, image).map(move |stage| (image, stage)));
        let artifacts = stages.flat_map(|(image, stage)| self.locked.artifacts(target.platform, image, stage));
        let archives = artifacts.filter(|artifact| artifact.id.to_string().ends_with(ARCHIVE));
        archives.map(|artifact| artifact.sha256).filter(|digest| self.store.path_of(digest).exists()).collect()
    }

    fn of_spark(&mut self, target: &Target<'_>, origin: Option<&str>) -> Result<Known> {
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

/// The digests of the jars in an archive.
fn jars(path: &Utf8Path) -> Result<HashSet<Digest>> {
    let read = || -> io::Result<HashSet<Digest>> {
        let mut archive = tar::Archive::new(MultiGzDecoder::new(File::open(path)?));
        let mut jars = HashSet::new();
        for entry in archive.entries()? {
            let mut entry = entry?;
            if entry.path()?.extension().is_some_and(|extension| extension == "jar") {
                let mut hashed = HashingReader::new(&mut entry);
                io::copy(&mut hashed, &mut io::sink())?;
                jars.insert(hashed.finish().0);
            }
        }
        Ok(jars)
    };
    read().with_context(|| format!("reading {path}"))
}

#[cfg(test)]
mod tests {
    use flate2::{Compression, write::GzEncoder};

    use super::*;

    #[test]
    fn the_jars_of_an_archive_are_known_and_nothing_else_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap().join("maven.tar.gz");
        let mut tar = tar::Builder::new(GzEncoder::new(File::create(&path).unwrap(), Compression::fast()));
        for (name, bytes) in [("maven/lib/one.jar", "one"), ("maven/LICENSE", "text")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            tar.append_data(&mut header, name, bytes.as_bytes()).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap();
        assert_eq!(jars(&path).unwrap(), HashSet::from([Digest::of(b"one")]));
        std::fs::write(&path, "no archive").unwrap();
        assert!(jars(&path).unwrap_err().to_string().starts_with("reading "));
    }
}
