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

use std::{fs, num::NonZeroUsize};

use anyhow::{Context as _, Result, bail};
use blob::Digest;
use camino::Utf8PathBuf;
use catalog::{Content, Coordinate, Decision, Image, Inputs, Origin, Plan, Spark};
use serde::{Deserialize, Serialize};

use crate::{
    build::Fate,
    flags::CompileArgs,
    machine::kept_folder,
    session::Session,
    stage::{SPARK_HOMES, SparkHome, Stager},
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
    patches: Vec<Patch>,
    /// By name, each with its identity.
    pub(crate) inputs: Inputs,
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
        let local = stager.workspace.source.as_ref();
        let local = local.filter(|_| catalog.local.as_ref().is_some_and(|local| local.spark == spark.version));
        let version = local.map_or(&spark.version, |local| &local.pom.version).clone();
        let is_builder = |image: &&Image| image.id == BUILDER && image.spark.as_ref() == Some(&spark.version);
        let Some(builder) = catalog.images().iter().find(is_builder) else {
            bail!("no image.toml has the id `{BUILDER}` for Spark {}: it compiles Spark", spark.version);
        };
        let mut inputs = Inputs::default();
        inputs.add("format", FORMAT);
        inputs.add("epoch", catalog.table.epoch);
        match local {
            Some(local) => inputs.add("source tree", local.identity.digest),
            None => {
                let id = Coordinate::Archive(source.archive.name.clone());
                let archive = stager.locked.lock().artifacts.get(&id);
                inputs.add("source archive", archive.map_or("unresolved".to_owned(), |it| it.sha256.to_string()));
            }
        }
        let patches = patches(stager, &spark.version, &version)?;
        for patch in &patches {
            inputs.add(format!("patch {}", patch.name()), Digest::of(&patch.text));
        }
        let wanted = Self { spark, version, builder, patches, inputs };
        let mut inputs = wanted.inputs.clone();
        inputs.add("arguments", wanted.arguments(stager).join(" "));
        let script = fs::read(stager.workspace.path(SCRIPT)).with_context(|| format!("reading {SCRIPT}"))?;
        inputs.add(SCRIPT, Digest::of(&script));
        inputs.add("builder image", stager.inputs(wanted.builder)?.fingerprint());
        Ok(Self { inputs, ..wanted })
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

    /// Where it is kept.
    fn folder(&self, stager: &Stager<'_>) -> Utf8PathBuf {
        kept_folder(stager.workspace, &stager.machine.store).join(SPARK_HOMES).join(self.key().hex())
    }

    /// The distribution and what is noted of it, if it is compiled.
    pub(crate) fn kept(&self, stager: &Stager<'_>) -> Option<(SparkHome, Compiled)> {
        let folder = self.folder(stager);
        let compiled = serde_json::from_slice(&fs::read(folder.join(keep::NOTE)).ok()?).ok()?;
        Some((SparkHome::open(&folder).ok()??, compiled))
    }

    /// The names of versions of the table, `kafka-clients` for instance, that hold for this Spark.
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

/// The Spark versions that a build of this plan compiles.
///
/// # Errors
/// The table does not say how one of them is compiled.
pub(crate) fn missing(session: &Session, plan: &Plan<'_>) -> Result<Vec<String>> {
    let stager = session.stager();
    let mut missing = Vec::new();
    for spark in to_compile(session, plan, false) {
        let wanted = Wanted::new(&stager, spark)?;
        if wanted.kept(&stager).is_none() {
            missing.push(wanted.version);
        }
    }
    Ok(missing)
}

/// Compiles what the images to be built of this plan need and is not compiled yet.
///
/// # Errors
/// The builder image cannot be built; the compile fails, or what came out is not what the table says.
pub(crate) fn ensure(session: &Session, plan: &Plan<'_>, args: &CompileArgs) -> Result<()> {
    let stager = session.stager();
    for spark in to_compile(session, plan, args.recompile) {
        let wanted = Wanted::new(&stager, spark)?;
        if wanted.kept(&stager).is_some() && !args.recompile {
            continue;
        }
        build_builder(session, &wanted)?;
        run::compile(session, &wanted, args)?;
    }
    Ok(())
}

/// The Spark versions that images to be built (or all of the plan) take from a compile.
fn to_compile<'p>(session: &Session, plan: &'p Plan<'_>, all: bool) -> Vec<&'p str> {
    let locked = &session.locked;
    let compiled = |image: &Image| {
        locked.origin(image) == Origin::Source
            && locked.stages(image).any(|stage| matches!(stage.content, Content::Spark { .. }))
    };
    let planned = plan.images.iter().filter(|planned| match planned.decision {
        Decision::Build(_) => true,
        Decision::Cached(_) => all,
        Decision::Blocked(_) => false,
    });
    planned.filter(|planned| compiled(planned.image)).filter_map(|planned| planned.image.spark.as_deref()).collect()
}

/// Builds the image that compiles, unless it is there.
fn build_builder(session: &Session, wanted: &Wanted<'_>) -> Result<()> {
    let builder = session.builder()?;
    let images = session.catalog().with_ancestors(&[wanted.builder.reference.clone()].into());
    let plan = session.plan(&builder, &images)?;
    if session.fetch(&images)? {
        bail!(
            "docker/versions.lock has moved on while Spark {} was about to be compiled\nrun the command again",
            wanted.version
        );
    }
    for done in builder.run(&plan, NonZeroUsize::MIN) {
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
