//! Stages an image: everything its Dockerfile can copy, as an [`assemble::Context`], and what its plan compares.
//!
//! Nothing is copied here. The context names where the bytes lie: in the store, in a kept Spark home, in a wheel.

mod debian;
mod python;
mod spark_home;

pub(crate) use spark_home::{NOTE, SparkHome};

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use assemble::{
    Context, Source,
    context::{Entry, FileEntry},
};
use blob::Digest;
use camino::{Utf8Path, Utf8PathBuf};
use catalog::{Artifact, Content, Image, ImageRef, Inputs, LockedCatalog, Origin, Platform, Stage};
use checkout::inputs::{Formats, Held, Reader, folder_files};

use crate::{
    compile::Wanted,
    machine::{Machine, kept_folder},
    platform,
    workspace::{SourceDir, Workspace},
};

/// Something that was made once and kept, and is not what it was.
pub(crate) struct Fault {
    /// The file.
    pub(crate) path: Utf8PathBuf,
    /// What is wrong with it.
    pub(crate) what: String,
    /// What has to go, so that it is made again.
    kept: Utf8PathBuf,
}

impl Fault {
    /// Removes what was kept.
    pub(crate) fn take_away(&self) -> Result<()> {
        let removed = match self.kept.is_dir() {
            true => std::fs::remove_dir_all(&self.kept),
            false => std::fs::remove_file(&self.kept),
        };
        removed.with_context(|| format!("removing {}", self.kept))
    }
}

/// Reads all that staging keeps below the store's folder again, and compares it with its digests.
pub(crate) fn verify(store: &Utf8Path) -> Result<Vec<Fault>> {
    let mut faults = spark_home::verify(&store.join(SPARK_HOMES))?;
    faults.extend(debian::verify(&store.join(ROOTFS))?);
    Ok(faults)
}

/// The digest of a root filesystem that is kept below the store's folder.
pub(crate) fn rootfs_digest(store: &Utf8Path, key: &Digest) -> Option<Digest> {
    let noted = store.join(ROOTFS).join(format!("{}.sha256", key.hex()));
    std::fs::read_to_string(noted).ok()?.parse().ok()
}

/// Folders of the store for what is made of artifacts once and kept.
pub(crate) const SPARK_HOMES: &str = "spark-homes";
pub(crate) const ROOTFS: &str = "rootfs";

/// What staging needs to know.
#[derive(Clone, Copy)]
pub(crate) struct Stager<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) machine: &'a Machine,
    pub(crate) locked: &'a LockedCatalog,
    /// What the images are for.
    pub(crate) platform: Platform,
}

impl<'a> Stager<'a> {
    /// The same for another platform.
    pub(crate) fn on(self, platform: Platform) -> Self {
        Self { platform, ..self }
    }

    /// How messages call an image.
    pub(crate) fn label(&self, image: &Image) -> String {
        platform::label(self.locked.catalog(), self.platform, image)
    }

    /// The artifacts of one stage.
    fn artifacts(&self, image: &Image, stage: &Stage) -> Vec<&Artifact> {
        self.locked.artifacts(self.platform, image, stage)
    }

    /// What reads the inputs of images.
    pub(crate) fn reader(&self) -> Reader<'a> {
        Reader {
            checkout: self.workspace,
            locked: self.locked,
            platform: self.platform,
            authorities: &self.machine.extra_ca,
            tree: self.workspace.source.as_ref().and_then(SourceDir::digest),
            formats: Formats::own(),
            memo: None,
        }
    }

    /// What an image is made of besides its parents. Reads the small files of its folder and nothing else.
    pub(crate) fn inputs(&self, image: &Image) -> Result<Inputs> {
        self.reader().inputs(image)
    }

    /// What each of these images is made of, parents first, and its fingerprint. Those that are blocked have none.
    pub(crate) fn fingerprints(&self, images: &[&Image]) -> Result<BTreeMap<ImageRef, (Inputs, Digest)>> {
        let blocked = self.locked.blocked(self.platform);
        let buildable: Vec<&Image> =
            images.iter().copied().filter(|image| !blocked.contains_key(&image.reference)).collect();
        catalog::fingerprints(&buildable, |image| self.inputs(image))
    }

    /// All labels of an image: its own, and what its origin did.
    pub(crate) fn labels(&self, image: &Image) -> BTreeMap<String, String> {
        self.reader().labels(image)
    }

    /// What an image says of the compile of its Spark. It follows from what the image is made of, and is known only when
    /// Spark is compiled.
    pub(crate) fn compile_labels(&self, image: &Image) -> Result<BTreeMap<String, String>> {
        let Some(wanted) = Wanted::of_image(self, image)? else { return Ok(BTreeMap::new()) };
        let kept = wanted.kept(self)?;
        Ok(kept.map(|(_, compiled)| compiled.labels().into()).unwrap_or_default())
    }

    /// What identifies the root filesystems that are kept for an image.
    pub(crate) fn rootfs_keys(&self, image: &Image) -> Result<Vec<Digest>> {
        let stages = self.locked.stages(self.platform, image);
        let keys = stages.filter_map(|stage| match &stage.content {
            Content::Debian { recipe, .. } => Some(debian::key(self, recipe, &self.artifacts(image, stage))),
            _ => None,
        });
        keys.collect()
    }

    /// The context of an image. All artifacts must be in the store.
    pub(crate) fn context(&self, image: &Image, doing: impl Fn(&str)) -> Result<Context> {
        let mut context = Context::new();
        for stage in self.locked.stages(self.platform, image) {
            self.add(image, stage, &mut context, &doing)
                .with_context(|| format!("staging {} for {}", stage.into, image.reference))?;
        }
        Ok(context)
    }

    fn add(&self, image: &Image, stage: &Stage, context: &mut Context, doing: &impl Fn(&str)) -> Result<()> {
        let artifacts = self.artifacts(image, stage);
        let into = stage.into.trim_end_matches('/');
        match &stage.content {
            Content::Maven(jars) => {
                for (jar, artifact) in jars.iter().zip(&artifacts) {
                    context.insert(&format!("{into}/{}", jar.maven.file_name()), self.file(artifact, false)?)?;
                }
            }
            Content::File(path) => {
                let name = path.rsplit('/').next().unwrap_or(path);
                for artifact in &artifacts {
                    context.insert(&format!("{into}/{name}"), self.file(artifact, false)?)?;
                }
            }
            Content::Folder(path) => {
                for file in folder_files(self.workspace, path)? {
                    let entry = match file.read()? {
                        Held::Link(target) => Entry::Symlink { target },
                        Held::File { executable, bytes } => Entry::bytes(executable, bytes),
                    };
                    context.insert(&format!("{into}/{}", file.relative), entry)?;
                }
            }
            Content::Links(map) => {
                for (name, target) in map {
                    context.insert(&format!("{into}/{name}"), Entry::Symlink { target: target.clone() })?;
                }
            }
            Content::Texts(map) => {
                for (name, text) in map {
                    context.insert(&format!("{into}/{name}"), Entry::bytes(false, text.as_bytes()))?;
                }
            }
            Content::Python(set) => {
                doing("reading wheels");
                python::add(self, set, &artifacts, into, context)?;
            }
            Content::Spark { leave_out } => {
                doing("laying out the Spark home");
                self.spark_home(image, &artifacts, leave_out, into, context)?;
            }
            Content::Debian { recipe, .. } => {
                doing("unpacking Debian packages");
                context.insert(&stage.into, debian::tar(self, recipe, &artifacts)?)?;
            }
        }
        Ok(())
    }

    fn spark_home(
        &self,
        image: &Image,
        artifacts: &[&Artifact],
        leave_out: &[String],
        into: &str,
        context: &mut Context,
    ) -> Result<()> {
        let home = match (self.locked.origin(image), artifacts) {
            (Origin::Release, [sdist]) => {
                let homes = kept_folder(self.workspace, &self.machine.store).join(SPARK_HOMES);
                let release = &self.locked.catalog().table.release;
                SparkHome::from_release(&homes, &self.path(sdist)?, &sdist.sha256, release)?
            }
            (Origin::Release, _) => {
                bail!("docker/versions.lock has no source distribution of it\nto lock it: cargo xtask lock")
            }
            (Origin::Source, _) => {
                let wanted = Wanted::new(self, image.spark.as_deref().unwrap_or_default())?;
                let kept = wanted.kept(self)?;
                let missing =
                    || format!("Spark {} is not compiled\nto compile it: {}", wanted.version, wanted.command());
                kept.with_context(missing)?.0
            }
        };
        let left_out: Vec<glob::Pattern> =
            leave_out.iter().map(|pattern| glob::Pattern::new(pattern)).collect::<Result<_, _>>()?;
        for (path, file) in &home.files {
            if left_out.iter().any(|pattern| pattern.matches(path)) {
                continue;
            }
            let entry = FileEntry {
                executable: file.executable,
                size: file.size,
                digest: file.digest,
                source: Source::Path(home.path_of(path)),
            };
            context.insert(&format!("{into}/{path}"), Entry::File(entry))?;
        }
        Ok(())
    }

    /// Where the bytes of an artifact lie.
    pub(crate) fn path(&self, artifact: &Artifact) -> Result<Utf8PathBuf> {
        let path = self.machine.store.get(&artifact.sha256, Some(artifact.size));
        path.with_context(|| format!("{} is not in the store\nto fetch it: cargo xtask fetch", artifact.id))
    }

    fn file(&self, artifact: &Artifact, executable: bool) -> Result<Entry> {
        let source = Source::Path(self.path(artifact)?);
        Ok(Entry::File(FileEntry { executable, size: artifact.size, digest: artifact.sha256, source }))
    }
}
