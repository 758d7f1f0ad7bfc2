//! Stages an image: everything its Dockerfile can copy, as an [`assemble::Context`], and what its plan compares.
//!
//! Nothing is copied here. The context names where the bytes lie: in the store, in a kept Spark home, in a wheel.

mod debian;
mod folder;
mod python;
mod spark_home;

pub(crate) use spark_home::{NOTE, SparkHome};

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use assemble::{
    Context, Source,
    context::{Entry, FileEntry},
};
use camino::{Utf8Path, Utf8PathBuf};
use catalog::{Artifact, Content, Image, Inputs, LockedCatalog, Origin, Platform, Stage};

use crate::{
    compile::Wanted,
    fetch,
    machine::{Machine, kept_folder},
    platform,
    workspace::Workspace,
};

/// Moved whenever the same inputs give another image, so that every image is built anew.
const FORMAT: u32 = 1;

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

/// Folders of the store for what is made of artifacts once and kept.
pub(crate) const SPARK_HOMES: &str = "spark-homes";
const ROOTFS: &str = "rootfs";

/// What staging needs to know.
#[derive(Clone, Copy)]
pub(crate) struct Stager<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) machine: &'a Machine,
    pub(crate) locked: &'a LockedCatalog,
    /// What the images are for.
    pub(crate) platform: Platform,
}

impl Stager<'_> {
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

    /// What an image is made of besides its parents. Reads the small files of its folder and nothing else.
    pub(crate) fn inputs(&self, image: &Image) -> Result<Inputs> {
        let mut inputs = Inputs::default();
        inputs.add("format", FORMAT);
        if let Some(mark) = self.platform.mark() {
            inputs.add("platform", mark);
        }
        inputs.add("epoch", self.locked.catalog().table.epoch);
        let dockerfile = std::fs::read(self.workspace.path(&image.dockerfile))
            .with_context(|| format!("reading {}, the Dockerfile of {}", image.dockerfile, image.reference))?;
        inputs.add(&image.dockerfile, blob::Digest::of(&dockerfile));
        inputs.add("target", image.target.as_deref().unwrap_or_default());
        if image.network {
            inputs.add("network", "allowed");
        }
        for (name, value) in &image.args {
            inputs.add(format!("argument {name}"), value);
        }
        for (arg, parent) in &image.parents {
            inputs.add(format!("argument {arg}"), parent);
        }
        for (name, value) in self.labels(image) {
            inputs.add(format!("label {name}"), value);
        }
        for stage in self.locked.stages(self.platform, image) {
            self.stage_inputs(image, stage, &mut inputs).with_context(|| format!("staging {}", image.reference))?;
        }
        Ok(inputs)
    }

    fn stage_inputs(&self, image: &Image, stage: &Stage, inputs: &mut Inputs) -> Result<()> {
        let into = &stage.into;
        for artifact in self.artifacts(image, stage) {
            inputs.add(format!("{into} {}", artifact.id), artifact.sha256);
        }
        match &stage.content {
            Content::Folder(path) => {
                for file in folder::files(self.workspace, path)? {
                    inputs.add(format!("{path}/{}", file.relative), file.identity()?);
                }
            }
            Content::Links(map) | Content::Texts(map) => {
                for (name, value) in map {
                    inputs.add(format!("{into}{name}"), value);
                }
            }
            Content::Spark { leave_out } if self.locked.origin(image) == Origin::Source => {
                inputs.add(format!("{into} left out"), leave_out.join(" "));
                for (name, identity) in Wanted::new(self, image.spark.as_deref().unwrap_or_default())?.inputs.iter() {
                    inputs.add(format!("Spark's {name}"), identity);
                }
            }
            Content::Spark { leave_out } => {
                inputs.add(format!("{into} left out"), leave_out.join(" "));
                for (from, to) in &self.locked.catalog().table.release.take {
                    inputs.add(format!("{into} {to}"), from);
                }
            }
            Content::Python(set) => inputs.add(format!("{into} requirements"), set.requirements.join(" ")),
            Content::Debian { recipe, .. } => debian::inputs(self, recipe, inputs)?,
            Content::File(path) => {
                let artifacts = self.artifacts(image, stage);
                artifacts.iter().try_for_each(|artifact| fetch::check_own_file(self.workspace, path, artifact))?;
            }
            Content::Maven(_) => {}
        }
        Ok(())
    }

    /// All labels of an image: its own, and what its origin did.
    pub(crate) fn labels(&self, image: &Image) -> BTreeMap<String, String> {
        let mut labels = self.locked.origin_labels(self.platform, image);
        labels.insert("org.opencontainers.image.title".into(), image.reference.name.clone());
        labels.insert("org.opencontainers.image.version".into(), image.reference.tag.clone());
        labels.insert("org.opencontainers.image.description".into(), image.about.clone());
        labels.extend(image.labels.clone());
        labels
    }

    /// What an image says of the compile of its Spark. It follows from what the image is made of, and is known only when
    /// Spark is compiled.
    pub(crate) fn compile_labels(&self, image: &Image) -> Result<BTreeMap<String, String>> {
        let Some(wanted) = Wanted::of_image(self, image)? else { return Ok(BTreeMap::new()) };
        let kept = wanted.kept(self)?;
        Ok(kept.map(|(_, compiled)| compiled.labels().into()).unwrap_or_default())
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
                for file in folder::files(self.workspace, path)? {
                    context.insert(&format!("{into}/{}", file.relative), file.entry()?)?;
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
