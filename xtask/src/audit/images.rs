//! Built images, read for an audit: each layer once, several at the same time.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::{Context as _, Result};
use assemble::{Layout, oci::Descriptor};
use audit::{
    Exceptions, Finding,
    expect::{Expect, Spark},
    image::Documents,
    layer::{Layer, LayerReader},
};
use blob::Digest;
use catalog::{Catalog, Image, Platform};

use super::known::Knowledge;
use crate::{flags::Global, interrupt, platform::label, schedule, workspace::Workspace};

/// What Spark was built with, and what no other version of fits: keys of [versions].
const BUILT_WITH: [&str; 3] = ["kafka-clients", "commons-pool2", "py4j"];
/// Says where the Spark of an image comes from.
const ORIGIN: &str = "io.spark-images.origin";

/// An image of the table that is built.
pub(crate) struct Target<'a> {
    pub(crate) image: &'a Image,
    pub(crate) platform: Platform,
    pub(crate) found: Descriptor,
}

/// Judges images.
///
/// # Errors
/// A document or layer cannot be read; the lock is stale.
pub(crate) fn judge(
    workspace: &Workspace,
    global: &Global,
    catalog: &Catalog,
    layout: &Layout,
    targets: &[Target<'_>],
    exceptions: &Exceptions,
) -> Result<Vec<Finding>> {
    let reading = |target: &Target<'_>| format!("reading {}", label(catalog, target.platform, target.image));
    let documents =
        targets.iter().map(|target| Documents::read(layout, &target.found).with_context(|| reading(target)));
    let documents = documents.collect::<Result<Vec<_>>>()?;
    let wanted: BTreeMap<Digest, &Descriptor> =
        documents.iter().flat_map(|documents| documents.layers()).map(|layer| (layer.digest, layer)).collect();
    let reader = LayerReader::default();
    let layers = read(layout, &reader, wanted.into_values().collect())?;
    let mut knowledge = Knowledge::new(workspace, global, catalog)?;
    let mut findings = Vec::new();
    for (target, documents) in targets.iter().zip(documents) {
        let image = documents.image(label(catalog, target.platform, target.image), &layers)?;
        let origin = image.config.config.labels.get(ORIGIN).map(String::as_str);
        let known = knowledge.of(target, origin)?;
        let expect = Expect { spark: spark(catalog, target.image), known };
        findings.extend(audit::judge(&image, &expect, reader.names(), exceptions));
    }
    Ok(findings)
}

/// What the table says of the Spark of an image.
fn spark(catalog: &Catalog, image: &Image) -> Option<Spark> {
    spark_of(catalog, catalog.table.sparks.get(image.spark.as_ref()?)?)
}

/// What the table says of a Spark version, or of the user's tree that takes its place.
pub(super) fn spark_of(catalog: &Catalog, spark: &catalog::Spark) -> Option<Spark> {
    let local = catalog.local.as_ref().filter(|local| local.spark == spark.version);
    let version = |name: &str| catalog.table.version(name, spark);
    Some(Spark {
        version: local.map_or(&spark.version, |local| &local.version).clone(),
        line: spark.line.clone(),
        scala: spark.scala.clone(),
        hadoop: version("hadoop")?,
        built_with: BUILT_WITH.iter().filter_map(|name| Some(((*name).to_owned(), version(name)?))).collect(),
    })
}

/// Reads layers, the largest first, so that none of them is left to the end.
fn read(layout: &Layout, reader: &LayerReader, mut wanted: Vec<&Descriptor>) -> Result<HashMap<Digest, Arc<Layer>>> {
    wanted.sort_by_key(|layer| std::cmp::Reverse(layer.size));
    let (next, layers) = (AtomicUsize::new(0), Mutex::new(HashMap::new()));
    let work = || -> Result<()> {
        while let Some(layer) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
            if interrupt::is_set() {
                anyhow::bail!("interrupted");
            }
            let read = reader.read(layout, layer).with_context(|| format!("reading the layer {}", layer.digest))?;
            layers.lock().unwrap_or_else(PoisonError::into_inner).insert(layer.digest, Arc::new(read));
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..schedule::processors().get()).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })?;
    Ok(layers.into_inner().unwrap_or_else(PoisonError::into_inner))
}
