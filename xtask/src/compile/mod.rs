//! Spark compiled from source: what a distribution is made of, and the making of it.
//!
//! A distribution is kept in the store under the digest of all that it is made of: source, patches, profiles, Maven and
//! the builder image. It is compiled once. What is kept was checked before it got its name; whatever happens to a compile
//! before that leaves nothing that a later run takes for a distribution.

mod keep;
mod place;
mod run;
pub(crate) mod vendor;
mod work;

use std::{collections::BTreeSet, fs, num::NonZeroUsize};

use anyhow::{Context as _, Result, bail};
use blob::Digest;
use camino::Utf8PathBuf;
use catalog::{Artifact, Content, Coordinate, Decision, Image, Inputs, Origin, Plan, Platform, Spark};
use serde::{Deserialize, Serialize};

use crate::{
    build::Fate,
    flags::CompileArgs,
    machine::kept_folder,
    session::Session,
    stage::{NOTE, SPARK_HOMES, SparkHome, Stager},
    workspace::SourceDir,
};

/// Moved whenever the same inputs give another distribution.
const FORMAT: u32 = 1;
/// The id of the images that compile.
const BUILDER: &str = "builder";
/// What runs in them.
const SCRIPT: &str = "docker/spark-custom/compile.sh";
/// Patches lie in a folder of this one that is named after the version.
const PATCHES: &str = "docker/spark-custom/patches";

/// All that a distribution is made of.
pub(crate) struct Wanted<'a> {
    pub(crate) spark: &'a Spark,
    /// The version that comes out: the table's, or that of the user's own tree.
    pub(crate) version: String,
    pub(crate) builder: &'a Image,
    origin: Sources<'a>,
    patches: Vec<Patch>,
    /// By name, each with its identity.
    pub(crate) inputs: Inputs,
}

/// Where the sources come from.
enum Sources<'a> {
    /// A tree of the user's own.
    Tree(&'a SourceDir),
    /// The archive of the table; the lock may have none.
    Archive(Option<&'a Artifact>),
}

/// A change to the source.
struct Patch {
    /// Path in the repository.
    path: String,
    text: Vec<u8>,
}

/// What is noted beside a kept distribution.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Compiled {
    /// Version of Spark.
    pub(crate) version: String,
    /// The version that PySpark gives itself.
    pub(crate) pyspark: String,
    /// Archive or tree, with its digest.
    pub(crate) source: String,
    /// Names of the patches, in the order in which they were applied.
    pub(crate) patches: Vec<String>,
    /// What Maven was told.
    pub(crate) arguments: Vec<String>,
    /// The image that it was compiled in, and its digest.
    pub(crate) builder: String,
    /// How long it took.
    pub(crate) seconds: u64,
}

impl<'a> Wanted<'a> {
    /// What the distribution of this version of the table is made of. Opens no connection and compiles nothing.
    pub(crate) fn new(stager: &Stager<'a>, spark: &str) -> Result<Self> {
        let catalog = stager.locked.catalog();
        let spark = catalog.table.sparks.get(spark).with_context(|| catalog.table.why_not(spark))?;
        let Some(source) = &spark.source else {
            bail!(
                "docker/versions.toml does not say how Spark {0} is compiled\n\
                 add [spark.\"{0}\".source] with archive, urls and profiles",
                spark.version
            );
        };
        let is_local = catalog.local.as_ref().is_some_and(|local| local.spark == spark.version);
        let archive = Coordinate::Archive(source.archive.name.clone());
        let origin = match &stager.workspace.source {
            Some(tree) if is_local => Sources::Tree(tree),
            _ => Sources::Archive(stager.locked.lock().artifacts.get(&archive)),
        };
        let version = match origin {
            Sources::Tree(tree) => tree.pom.version.clone(),
            Sources::Archive(_) => spark.version.clone(),
        };
        let is_builder = |image: &&Image| image.id == BUILDER && image.spark.as_ref() == Some(&spark.version);
        let Some(builder) = catalog.images().iter().find(is_builder) else {
            bail!("no image.toml has the id `{BUILDER}` for Spark {}: it compiles Spark", spark.version);
        };
        let patches = patches(stager, &spark.version, &version)?;
        let mut wanted = Self { spark, version, builder, origin, patches, inputs: Inputs::default() };
        wanted.inputs = wanted.made_of(stager)?;
        Ok(wanted)
    }

    /// What an image takes from a compile, if it does.
    pub(crate) fn of_image(stager: &Stager<'a>, image: &Image) -> Result<Option<Self>> {
        let has_spark =
            stager.locked.stages(stager.platform, image).any(|stage| matches!(stage.content, Content::Spark { .. }));
        match &image.spark {
            Some(spark) if has_spark && stager.locked.origin(image) == Origin::Source => {
                Self::new(stager, spark).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn made_of(&self, stager: &Stager<'_>) -> Result<Inputs> {
        let mut inputs = Inputs::default();
        inputs.add("format", FORMAT);
        inputs.add("epoch", stager.locked.catalog().table.epoch);
        inputs.add("source", self.source());
        for patch in &self.patches {
            inputs.add(format!("patch {}", patch.name()), Digest::of(&patch.text));
        }
        inputs.add("arguments", self.arguments(stager).join(" "));
        let script = fs::read(stager.workspace.path(SCRIPT)).with_context(|| format!("reading {SCRIPT}"))?;
        inputs.add(SCRIPT, Digest::of(&script));
        // What compiles runs here, whatever platform its images are for.
        let here = stager.on(stager.locked.catalog().table.default_platform());
        for (name, identity) in here.inputs(self.builder)?.iter() {
            // What it says of itself and which authorities it trusts compile nothing: Maven is given a trust store.
            if !name.starts_with("label ") && !name.starts_with("CA ") {
                inputs.add(format!("builder's {name}"), identity);
            }
        }
        Ok(inputs)
    }

    /// Archive or tree, with its digest.
    fn source(&self) -> String {
        match (&self.origin, &self.spark.source) {
            (Sources::Tree(tree), _) => format!("source tree {}", tree.identity.digest),
            (Sources::Archive(Some(archive)), Some(source)) => format!("{} {}", source.archive.name, archive.sha256),
            (Sources::Archive(_), _) => "unresolved".to_owned(),
        }
    }

    /// The command that compiles it.
    pub(crate) fn command(&self) -> String {
        let words = match &self.origin {
            Sources::Tree(tree) => vec!["--source-dir", tree.tree.root().as_str()],
            Sources::Archive(_) => vec![self.spark.version.as_str()],
        };
        let words = ["cargo", "xtask", "build-custom"].into_iter().chain(words);
        // Neither a version nor a path holds a NUL.
        shlex::try_join(words).unwrap_or_default()
    }

    /// What Maven is told.
    fn arguments(&self, stager: &Stager<'_>) -> Vec<String> {
        let source = self.spark.source.as_ref();
        let profiles = source.iter().flat_map(|source| source.profiles.iter().map(|profile| format!("-P{profile}")));
        let flags = source.iter().flat_map(|source| source.flags.clone());
        let table = &stager.locked.catalog().table;
        let hadoop = table.version("hadoop", self.spark).map(|hadoop| format!("-Dhadoop.version={hadoop}"));
        // Maven's own switch for builds that give the same bytes: times of entries, order of entries.
        let time = format!("-Dproject.build.outputTimestamp={}", table.epoch);
        profiles.chain(hadoop).chain(flags).chain([time]).collect()
    }

    /// What identifies the distribution.
    pub(crate) fn key(&self) -> Digest {
        self.inputs.fingerprint()
    }

    /// Where it gets kept.
    fn folder(&self, stager: &Stager<'_>) -> Utf8PathBuf {
        kept_folder(stager.workspace, &stager.machine.store).join(SPARK_HOMES).join(self.key().hex())
    }

    /// The distribution and what is noted of it, if it is compiled: in the store, or in this checkout where the store
    /// cannot be written to.
    ///
    /// # Errors
    /// It is there and damaged.
    pub(crate) fn kept(&self, stager: &Stager<'_>) -> Result<Option<(SparkHome, Compiled)>> {
        let shared = stager.machine.store.root().join(SPARK_HOMES).join(self.key().hex());
        for folder in [shared, self.folder(stager)] {
            let Some(home) = SparkHome::open(&folder)? else { continue };
            let note = folder.join(NOTE);
            let damaged = || format!("reading {note}\nto compile it anew: rm -r {folder}");
            let compiled = serde_json::from_slice(&fs::read(&note).with_context(damaged)?).with_context(damaged)?;
            return Ok(Some((home, compiled)));
        }
        Ok(None)
    }

    /// The version that the table has for a name with this Spark: that of `kafka-clients`, for instance.
    fn expected(&self, stager: &Stager<'_>, name: &str) -> Result<String> {
        let version = stager.locked.catalog().table.version(name, self.spark);
        version.with_context(|| format!("`{name}` is missing in [versions] of docker/versions.toml"))
    }
}

impl Compiled {
    /// What an image says of how its Spark was compiled, beside its origin.
    pub(crate) fn labels(&self) -> [(String, String); 4] {
        let label = |name: &str, value: String| (format!("io.spark-images.{name}"), value);
        [
            label("source", self.source.clone()),
            label("patches", self.patches.join(" ")),
            label("build-flags", self.arguments.join(" ")),
            label("builder", self.builder.clone()),
        ]
    }
}

impl Patch {
    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// The patches for a version, in the order of their names: those of the version itself where there are any, else those of
/// the version of the table that it takes the place of.
fn patches(stager: &Stager<'_>, table: &str, version: &str) -> Result<Vec<Patch>> {
    for version in [version, table] {
        let paths = stager.workspace.glob(&[&format!("{PATCHES}/{version}/*.patch")])?;
        if !paths.is_empty() || version == table {
            return paths.into_iter().map(|path| Patch::read(stager, path.into_string())).collect();
        }
    }
    Ok(Vec::new())
}

impl Patch {
    fn read(stager: &Stager<'_>, path: String) -> Result<Self> {
        let text = fs::read(stager.workspace.path(&path)).with_context(|| format!("reading {path}"))?;
        Ok(Self { path, text })
    }
}

/// The Spark versions that a build of these plans compiles.
///
/// # Errors
/// The table does not say how one of them is compiled.
pub(crate) fn missing(session: &Session, plans: &[Plan<'_>]) -> Result<BTreeSet<String>> {
    let stager = session.stager();
    let mut missing = BTreeSet::new();
    let images = plans.iter().flat_map(|plan| &plan.images);
    for planned in images.filter(|planned| matches!(planned.decision, Decision::Build(_))) {
        let wanted = Wanted::of_image(&stager, planned.image)?;
        let kept = wanted.as_ref().map(|wanted| wanted.kept(&stager)).transpose()?.flatten();
        missing.extend(wanted.filter(|_| kept.is_none()).map(|wanted| wanted.version));
    }
    Ok(missing)
}

/// The images that compile for `images`, and those below them: they run here, whatever `images` are for. What is kept needs
/// none, unless it is compiled `again`.
///
/// # Errors
/// The table does not say how one of them is compiled.
pub(crate) fn builders<'a>(
    session: &'a Session,
    images: &[(Platform, &Image)],
    again: bool,
) -> Result<Vec<(Platform, &'a Image)>> {
    let stager = session.stager();
    let mut builders = Vec::new();
    for (_, image) in images {
        let Some(wanted) = Wanted::of_image(&stager, image)? else { continue };
        if again || wanted.kept(&stager)?.is_none() {
            let images = session.catalog().with_ancestors(&[wanted.builder.reference.clone()].into());
            builders.extend(images.into_iter().map(|image| (stager.platform, image)));
        }
    }
    Ok(builders)
}

/// Compiles what an image takes from a compile, unless that is kept.
///
/// # Errors
/// The builder image cannot be built; the compile fails, or what came out is not what the table says.
pub(crate) fn ensure(session: &Session, image: &Image, args: &CompileArgs) -> Result<()> {
    let stager = session.stager();
    let Some(wanted) = Wanted::of_image(&stager, image)? else { return Ok(()) };
    if let Some((home, compiled)) = wanted.kept(&stager)?
        && !args.recompile
    {
        // The table may have changed since: versions that are checked and do not go into the compile.
        return keep::check(session, &wanted, &home.files_folder(), compiled.pyspark);
    }
    build_builder(session, &wanted)?;
    run::compile(session, &wanted, args)
}

/// Builds the image that compiles, unless it is there. All that it needs is in the store.
fn build_builder(session: &Session, wanted: &Wanted<'_>) -> Result<()> {
    let builder = session.builder(session.catalog().table.default_platform())?;
    let images = session.catalog().with_ancestors(&[wanted.builder.reference.clone()].into());
    let plan = session.plan(&builder, &images)?;
    for done in session.beside_others(builder, &plan)?.run(&plan, NonZeroUsize::MIN) {
        match done.fate {
            Fate::Built(_) | Fate::Cached(_) => {}
            Fate::Failed { error, log } => {
                return Err(
                    error.context(format!("building {}, which compiles Spark (log: {log})", done.image.reference))
                );
            }
            Fate::Blocked(reasons) => {
                bail!("{} compiles Spark and is blocked: {}", done.image.reference, reasons.join("; "))
            }
            Fate::Skipped(because) => bail!("{because} failed, and {} needs it", done.image.reference),
            Fate::Interrupted => bail!("interrupted"),
        }
    }
    Ok(())
}
