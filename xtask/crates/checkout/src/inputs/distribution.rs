//! What a Spark distribution is made of that is compiled: source, patches, arguments, and the image that compiles.

use std::fs;

use anyhow::{Context as _, Result, bail};
use blob::Digest;
use catalog::{Artifact, Content, Coordinate, Image, Inputs, Origin, Spark};

use super::Reader;

/// The id of the images that compile.
const BUILDER: &str = "builder";
/// What runs in them.
pub const SCRIPT: &str = "docker/spark-custom/compile.sh";
/// Patches lie in a folder of this one that is named after the version.
pub const PATCHES: &str = "docker/spark-custom/patches";

/// All that a distribution is made of.
#[derive(Debug)]
pub struct Distribution<'a> {
    /// The version of the table.
    pub spark: &'a Spark,
    /// The version that comes out: the table's, or that of the user's own tree.
    pub version: String,
    /// The image that compiles.
    pub builder: &'a Image,
    /// The locked source archive; nothing for a tree of the user's own, or where the lock has none.
    pub archive: Option<&'a Artifact>,
    /// Archive or tree, with its digest.
    pub source: String,
    /// Changes to the source, in the order in which they are applied.
    pub patches: Vec<Patch>,
    /// What Maven is told.
    pub arguments: Vec<String>,
    /// All of it, by name.
    pub inputs: Inputs,
}

/// A change to the source.
#[derive(Debug)]
pub struct Patch {
    /// Path in the repository.
    pub path: String,
    /// Its bytes.
    pub text: Vec<u8>,
}

impl Patch {
    /// Its file name.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

impl<'a> Distribution<'a> {
    /// What the distribution of this version of the table is made of.
    ///
    /// # Errors
    /// The table does not say how it is compiled, or a file cannot be read.
    pub fn new(reader: &Reader<'a>, spark: &str) -> Result<Self> {
        let catalog = reader.locked.catalog();
        let spark = catalog.table.sparks.get(spark).with_context(|| catalog.table.why_not(spark))?;
        let Some(source) = &spark.source else {
            bail!(
                "docker/versions.toml does not say how Spark {0} is compiled\n\
                 add [spark.\"{0}\".source] with archive, urls and profiles",
                spark.version
            );
        };
        let local = catalog.local.as_ref().filter(|local| local.spark == spark.version);
        let archive = Coordinate::Archive(source.archive.name.clone());
        let archive = reader.locked.lock().artifacts.get(&archive).filter(|_| local.is_none());
        let version = local.map_or(&spark.version, |local| &local.version).clone();
        let is_builder = |image: &&Image| image.id == BUILDER && image.spark.as_ref() == Some(&spark.version);
        let Some(builder) = catalog.images().iter().find(is_builder) else {
            bail!("no image.toml has the id `{BUILDER}` for Spark {}: it compiles Spark", spark.version);
        };
        let source = match (reader.tree.filter(|_| local.is_some()), archive) {
            (Some(tree), _) => format!("source tree {tree}"),
            (None, Some(archive)) => format!("{} {}", source.archive.name, archive.sha256),
            (None, None) => "unresolved".to_owned(),
        };
        let patches = patches(reader, &spark.version, &version)?;
        let arguments = arguments(reader, spark);
        let mut made = Self { spark, version, builder, archive, source, patches, arguments, inputs: Inputs::default() };
        made.inputs = made.made_of(reader)?;
        Ok(made)
    }

    /// What an image takes from a compile, if it does.
    ///
    /// # Errors
    /// As [`Distribution::new`].
    pub fn of_image(reader: &Reader<'a>, image: &Image) -> Result<Option<Self>> {
        let has_spark =
            reader.locked.stages(reader.platform, image).any(|stage| matches!(stage.content, Content::Spark { .. }));
        match &image.spark {
            Some(spark) if has_spark && reader.locked.origin(image) == Origin::Source => {
                Self::new(reader, spark).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// What identifies the distribution.
    pub fn key(&self) -> Digest {
        self.inputs.fingerprint()
    }

    fn made_of(&self, reader: &Reader<'_>) -> Result<Inputs> {
        let mut inputs = Inputs::default();
        inputs.add("format", reader.formats.distribution);
        inputs.add("epoch", reader.locked.catalog().table.epoch);
        inputs.add("source", &self.source);
        for patch in &self.patches {
            inputs.add(format!("patch {}", patch.name()), Digest::of(&patch.text));
        }
        inputs.add("arguments", self.arguments.join(" "));
        let script = fs::read(reader.checkout.path(SCRIPT)).with_context(|| format!("reading {SCRIPT}"))?;
        inputs.add(SCRIPT, Digest::of(&script));
        // What compiles runs here, whatever platform its images are for.
        let here = reader.on(reader.locked.catalog().table.default_platform());
        for (name, identity) in here.inputs(self.builder)?.iter() {
            // What it says of itself and which authorities it trusts compile nothing: Maven is given a trust store.
            if !name.starts_with("label ") && !name.starts_with("CA ") {
                inputs.add(format!("builder's {name}"), identity);
            }
        }
        Ok(inputs)
    }
}

/// What Maven is told.
fn arguments(reader: &Reader<'_>, spark: &Spark) -> Vec<String> {
    let source = spark.source.as_ref();
    let profiles = source.iter().flat_map(|source| source.profiles.iter().map(|profile| format!("-P{profile}")));
    let flags = source.iter().flat_map(|source| source.flags.clone());
    let table = &reader.locked.catalog().table;
    let hadoop = table.version("hadoop", spark).map(|hadoop| format!("-Dhadoop.version={hadoop}"));
    // Maven's own switch for builds that give the same bytes: times of entries, order of entries.
    let time = format!("-Dproject.build.outputTimestamp={}", table.epoch);
    profiles.chain(hadoop).chain(flags).chain([time]).collect()
}

/// The patches for a version, in the order of their names: those of the version itself where there are any, else those of
/// the version of the table that it takes the place of.
fn patches(reader: &Reader<'_>, table: &str, version: &str) -> Result<Vec<Patch>> {
    for version in [version, table] {
        let paths = reader.checkout.glob(&[&format!("{PATCHES}/{version}/*.patch")])?;
        if !paths.is_empty() || version == table {
            let read = |path: String| {
                let text = fs::read(reader.checkout.path(&path)).with_context(|| format!("reading {path}"))?;
                Ok(Patch { path, text })
            };
            return paths.into_iter().map(|path| read(path.into_string())).collect();
        }
    }
    Ok(Vec::new())
}
