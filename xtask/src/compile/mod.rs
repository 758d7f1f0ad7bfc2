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

use std::{collections::BTreeSet, fs, num::NonZeroUsize, ops::Deref};

use anyhow::{Context as _, Result, bail};
use camino::Utf8PathBuf;
use catalog::{Decision, Image, Plan, Platform};
use checkout::inputs::Distribution;
use serde::{Deserialize, Serialize};

use crate::{
    build::Fate,
    flags::CompileArgs,
    machine::kept_folder,
    session::Session,
    stage::{NOTE, SPARK_HOMES, SparkHome, Stager},
    workspace::SourceDir,
};

/// A distribution that is wanted.
pub(crate) struct Wanted<'a> {
    made: Distribution<'a>,
    /// The user's own tree that it is made of, if it is.
    tree: Option<&'a SourceDir>,
}

impl<'a> Deref for Wanted<'a> {
    type Target = Distribution<'a>;

    fn deref(&self) -> &Distribution<'a> {
        &self.made
    }
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
        Ok(Self::of(stager, Distribution::new(&stager.reader(), spark)?))
    }

    /// What an image takes from a compile, if it does.
    pub(crate) fn of_image(stager: &Stager<'a>, image: &Image) -> Result<Option<Self>> {
        Ok(Distribution::of_image(&stager.reader(), image)?.map(|made| Self::of(stager, made)))
    }

    fn of(stager: &Stager<'a>, made: Distribution<'a>) -> Self {
        let local = stager.locked.catalog().local.as_ref();
        let is_local = local.is_some_and(|local| local.spark == made.spark.version);
        Self { made, tree: stager.workspace.source.as_ref().filter(|_| is_local) }
    }

    /// The command that compiles it.
    pub(crate) fn command(&self) -> String {
        let words = match &self.tree {
            Some(tree) => vec!["--source-dir", tree.tree.root().as_str()],
            None => vec![self.spark.version.as_str()],
        };
        let words = ["cargo", "xtask", "build-custom"].into_iter().chain(words);
        // Neither a version nor a path holds a NUL.
        shlex::try_join(words).unwrap_or_default()
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
        missing.extend(wanted.filter(|_| kept.is_none()).map(|wanted| wanted.version.clone()));
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
