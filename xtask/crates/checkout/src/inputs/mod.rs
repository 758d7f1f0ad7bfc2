//! What an image is made of: all of its inputs, each with its identity. A plan compares them, a fingerprint sums them up.
//!
//! Reads the small files of the checkout and nothing else: what is fetched stands in the lock.

mod distribution;
mod files;
mod formats;

use std::{cell::RefCell, collections::BTreeMap, fs, fs::File, rc::Rc};

use anyhow::{Context as _, Result, bail};
use blob::Digest;
use camino::Utf8PathBuf;
use catalog::{Artifact, Content, Image, Inputs, LockedCatalog, Origin, Platform, Stage};

pub use distribution::{Distribution, PATCHES, Patch, SCRIPT};
pub use files::{FolderFile, Held, folder_files};
pub use formats::Formats;

use crate::Checkout;

/// What was read already, for a run that asks for many images: those of one kind share their files.
#[derive(Debug, Default)]
pub struct Memo {
    files: RefCell<BTreeMap<String, Digest>>,
    folders: RefCell<BTreeMap<String, Identities>>,
}

/// The files below a folder, by path, each with its identity.
type Identities = Rc<Vec<(String, String)>>;

/// Reads the inputs of images.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// Where their files lie.
    pub checkout: &'a Checkout,
    /// Table, image files and lock.
    pub locked: &'a LockedCatalog,
    /// What the images are for.
    pub platform: Platform,
    /// Certificates that the machine adds, as PEM, by path.
    pub authorities: &'a [(Utf8PathBuf, Vec<u8>)],
    /// The digest of the Spark tree that takes the place of one version, if there is one.
    pub tree: Option<Digest>,
    /// The formats of what is made.
    pub formats: Formats,
    /// What was read already; nothing for a run in which files may change.
    pub memo: Option<&'a Memo>,
}

impl<'a> Reader<'a> {
    /// The same for another platform.
    pub fn on(self, platform: Platform) -> Self {
        Self { platform, ..self }
    }

    /// What an image is made of besides its parents.
    ///
    /// # Errors
    /// A file that the image names cannot be read, or is not the one that was locked.
    pub fn inputs(&self, image: &Image) -> Result<Inputs> {
        let mut inputs = Inputs::default();
        inputs.add("format", self.formats.image);
        if let Some(mark) = self.platform.mark() {
            inputs.add("platform", mark);
        }
        inputs.add("epoch", self.locked.catalog().table.epoch);
        let dockerfile = self.file(&image.dockerfile);
        let dockerfile = dockerfile.with_context(|| format!("looking at the Dockerfile of {}", image.reference))?;
        inputs.add(&image.dockerfile, dockerfile);
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
            self.stage(image, stage, &mut inputs).with_context(|| format!("staging {}", image.reference))?;
        }
        Ok(inputs)
    }

    fn stage(&self, image: &Image, stage: &Stage, inputs: &mut Inputs) -> Result<()> {
        let into = &stage.into;
        let artifacts = self.locked.artifacts(self.platform, image, stage);
        for artifact in &artifacts {
            inputs.add(format!("{into} {}", artifact.id), artifact.sha256);
        }
        match &stage.content {
            Content::Folder(path) => {
                for (name, identity) in self.folder(path)?.iter() {
                    inputs.add(name, identity);
                }
            }
            Content::Links(map) | Content::Texts(map) => {
                for (name, value) in map {
                    inputs.add(format!("{into}{name}"), value);
                }
            }
            Content::Spark { leave_out } if self.locked.origin(image) == Origin::Source => {
                inputs.add(format!("{into} left out"), leave_out.join(" "));
                let spark = image.spark.as_deref().unwrap_or_default();
                for (name, identity) in Distribution::new(self, spark)?.inputs.iter() {
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
            Content::Debian { recipe, .. } => self.rootfs(recipe, inputs)?,
            Content::File(path) => {
                artifacts.iter().try_for_each(|artifact| self.check_own_file(path, artifact))?;
            }
            Content::Maven(_) => {}
        }
        Ok(())
    }

    /// The digest of a file.
    fn file(&self, path: &str) -> Result<Digest> {
        if let Some(digest) = self.memo.and_then(|memo| memo.files.borrow().get(path).copied()) {
            return Ok(digest);
        }
        let digest = Digest::of(&fs::read(self.checkout.path(path)).with_context(|| format!("reading {path}"))?);
        if let Some(memo) = self.memo {
            memo.files.borrow_mut().insert(path.to_owned(), digest);
        }
        Ok(digest)
    }

    /// The files below a folder.
    fn folder(&self, path: &str) -> Result<Identities> {
        if let Some(known) = self.memo.and_then(|memo| memo.folders.borrow().get(path).cloned()) {
            return Ok(known);
        }
        let files = folder_files(self.checkout, path)?;
        let named = files.iter().map(|file| Ok((format!("{path}/{}", file.relative), file.identity()?)));
        let identities: Identities = Rc::new(named.collect::<Result<_>>()?);
        if let Some(memo) = self.memo {
            memo.folders.borrow_mut().insert(path.to_owned(), Rc::clone(&identities));
        }
        Ok(identities)
    }

    /// What a root filesystem is made of besides its packages.
    ///
    /// # Errors
    /// The recipe cannot be read.
    pub fn rootfs(&self, recipe: &str, inputs: &mut Inputs) -> Result<()> {
        inputs.add("rootfs format", self.formats.rootfs);
        inputs.add(recipe, self.file(recipe)?);
        for (path, pem) in self.authorities {
            inputs.add(format!("CA {}", path.file_name().unwrap_or(path.as_str())), Digest::of(pem));
        }
        Ok(())
    }

    /// Makes sure that a file of the user's own is the one that was locked. One that is not there is no error: the store may
    /// have it.
    fn check_own_file(&self, path: &str, artifact: &Artifact) -> Result<()> {
        let Ok(file) = File::open(self.checkout.path(path)) else { return Ok(()) };
        let (found, size) = blob::hash_reader(file).with_context(|| format!("reading {path}"))?;
        if found != artifact.sha256 {
            bail!(
                "{path} is not the file that was locked: expected {}, found {found} ({size} bytes)\n\
                 if it was changed on purpose: cargo xtask lock --update {path}",
                artifact.sha256
            );
        }
        Ok(())
    }

    /// All labels of an image: its own, what its origin did, and what plugins are told.
    pub fn labels(&self, image: &Image) -> BTreeMap<String, String> {
        let mut labels = self.locked.origin_labels(self.platform, image);
        labels.extend(self.locked.shim_labels(image));
        labels.insert("org.opencontainers.image.title".into(), image.reference.name.clone());
        labels.insert("org.opencontainers.image.version".into(), image.reference.tag.clone());
        labels.insert("org.opencontainers.image.description".into(), image.about.clone());
        labels.extend(image.labels.clone());
        labels
    }
}
