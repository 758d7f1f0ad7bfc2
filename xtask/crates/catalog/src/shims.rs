//! Plugins that know exact versions of Spark, each by a part of its own (a shim): which versions a jar knows stands in the
//! jar, what is done with a Spark that it does not know stands in the table, and both must agree.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    catalog::Catalog,
    coordinate::{Coordinate, Maven},
    image::{Content, Image, Jar},
    lock::Lock,
    problem::Source,
    reader::{At, Section},
    table::Spark,
};

/// How a plugin's jar says which versions of Spark it knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shims {
    /// What the table calls the plugin: `rapids`.
    pub plugin: String,
    /// A path in the jar with one `*`, which stands for a version as [`digits`] writes it: `spark*/META-INF/…`.
    pub files: String,
}

/// The shim that a plugin is told to take for a Spark that it does not know.
#[derive(Debug, Clone)]
pub struct ForcedShim {
    /// The version that the shim is for, as [`digits`] writes it: `411`.
    pub take: String,
    /// Why, and what is done about it.
    pub reason: String,
    /// The line of the table, counted from 1.
    pub line: usize,
    pub(crate) plugin: At<String>,
}

/// A Spark version as plugins name their shims: `411` for 4.1.1.
pub fn digits(spark: &str) -> String {
    spark.replace('.', "")
}

/// The key of the lock for the shims of a jar.
pub(crate) fn key(jar: &Maven) -> String {
    format!("shims {}", Coordinate::Maven(jar.clone()))
}

/// What jars and table say of shims does not agree: each case with its cause and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().cloned().collect::<Vec<_>>().join("\n"))]
pub struct UnfitShims(BTreeSet<String>);

/// Reads `shims = { plugin = "rapids", files = "spark*/…" }` of a stage.
pub(crate) fn of_stage(stage: &Section<'_>) -> Option<Shims> {
    let section = stage.section("shims")?;
    let plugin = section.required("plugin", "\"rapids\"").value;
    let files = section.required("files", "\"spark*/a/file/that/each/shim/has\"");
    if files.value.matches('*').count() != 1 {
        section.note(files.span, "`files` has no single `*`", "write `*` where the path names the Spark version");
    }
    section.finish();
    Some(Shims { plugin, files: files.value })
}

/// Reads `[spark."4.1.0".shims]`.
pub(crate) fn of_spark(version: &str, spark: &Section<'_>, source: &Source) -> BTreeMap<String, ForcedShim> {
    let plugins = spark.section("shims").map(|section| section.sections()).unwrap_or_default();
    let read = |(plugin, section): (At<String>, Section<'_>)| {
        let mut take = section.required("take", "\"411\"");
        let about = format!("which shim of `{}` Spark {version} takes", plugin.value);
        if section.question(&take, &about, "write a version that the jar knows, and the reason") {
            take.value = "0".to_owned();
        }
        let reason = section.required("reason", "\"why, and what is done about it\"").value;
        section.finish();
        let line = source.line(plugin.span.start);
        (plugin.value.clone(), ForcedShim { take: take.value, reason, line, plugin })
    };
    plugins.into_iter().map(read).collect()
}

/// The jars of an image that have shims.
fn plugins(image: &Image) -> impl Iterator<Item = (&Jar, &Shims)> {
    let jars = image.stages.iter().filter_map(|stage| match &stage.content {
        Content::Maven(jars) => Some(jars),
        _ => None,
    });
    jars.flatten().filter_map(|jar| Some((jar, jar.shims.as_ref()?)))
}

/// Makes sure that every plugin knows the Spark that it is put beside, or is told what to take in its place, and is told
/// so only where that is needed. What the lock does not know of a jar that nobody has is not judged.
pub(crate) fn check(catalog: &Catalog, lock: &Lock) -> Result<(), UnfitShims> {
    let mut wrong = BTreeSet::new();
    for image in catalog.images() {
        let Some(spark) = image.spark.as_ref().and_then(|version| catalog.table.sparks.get(version)) else { continue };
        for (jar, shims) in plugins(image) {
            if let Some(locked) = lock.shims.get(&key(&jar.maven)) {
                wrong.extend(judge(spark, &jar.maven, &shims.plugin, &locked.known));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(UnfitShims(wrong)) }
}

fn judge(spark: &Spark, jar: &Maven, plugin: &str, known: &[String]) -> Option<String> {
    let Spark { version, .. } = spark;
    let own = digits(version);
    let has = |shim: &String| known.contains(shim);
    let list = known.join(", ");
    match spark.shims.get(plugin) {
        None if has(&own) => None,
        None => Some(format!(
            "{jar} does not know Spark {version}: it has shims for {list}, and none for {own}\n\
             to take one of those, say so in docker/versions.toml:\n  \
             [spark.\"{version}\".shims]\n  \
             {plugin} = {{ take = \"…\", reason = \"why, and what is done about it\" }}"
        )),
        Some(forced) if has(&own) => Some(format!(
            "docker/versions.toml:{}: {plugin} is told to take shim {} for Spark {version}, and {jar} has one for {own}\n\
             take the entry out",
            forced.line, forced.take
        )),
        Some(forced) if has(&forced.take) => None,
        Some(forced) => Some(format!(
            "docker/versions.toml:{}: {plugin} is told to take shim {} for Spark {version}, and {jar} has none for it\n\
             it has shims for {list}: name one of those",
            forced.line, forced.take
        )),
    }
}

/// What the images of these say of forced shims: one label for each plugin that is told what to take.
pub(crate) fn labels(catalog: &Catalog, images: &[&Image]) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for image in images {
        let Some(spark) = image.spark.as_ref().and_then(|version| catalog.table.sparks.get(version)) else { continue };
        for (_, Shims { plugin, .. }) in plugins(image) {
            if let Some(ForcedShim { take, reason, .. }) = spark.shims.get(plugin) {
                let text = format!("shim {take} forced for Spark {}: {reason}", spark.version);
                labels.insert(format!("io.spark-images.shim.{plugin}"), text);
            }
        }
    }
    labels
}
