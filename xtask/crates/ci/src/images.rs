//! The images of a table as a graph, with what each is made of.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use blob::Digest;
use camino::Utf8PathBuf;
use catalog::{Catalog, Ci, Image, ImageRef, Inputs, LockedCatalog, Platform, Smoke, fingerprints};
use checkout::{
    Checkout,
    inputs::{Distribution, Formats, Memo, Reader},
    records::Records,
};
use matrix::{Graph, Node, State};
use oci::Layout;

use crate::proof::Proof;

/// A checkout, or the files of another commit.
pub(crate) struct Tree<'a> {
    pub(crate) checkout: &'a Checkout,
    pub(crate) locked: &'a LockedCatalog,
    /// The values of `--registry`.
    pub(crate) registries: &'a [String],
    pub(crate) formats: Formats,
    /// What was read of its files.
    pub(crate) memo: Memo,
}

/// All images for all platforms, in the order of the graph.
pub(crate) fn all<'a>(platforms: &'a [Platform], catalog: &'a Catalog) -> impl Iterator<Item = (Platform, &'a Image)> {
    platforms.iter().flat_map(|&platform| catalog.images().iter().map(move |image| (platform, image)))
}

/// The same of a locked catalog.
pub(crate) fn places<'a>(
    platforms: &'a [Platform],
    locked: &'a LockedCatalog,
) -> impl Iterator<Item = (Platform, &'a Image)> {
    all(platforms, locked.catalog())
}

/// The images and what they stand on, without what they are made of. Needs no lock.
pub(crate) fn shape(catalog: &Catalog, platforms: &[Platform]) -> Result<Graph> {
    Ok(Graph::new(nodes(catalog, platforms))?)
}

fn nodes(catalog: &Catalog, platforms: &[Platform]) -> Vec<Node> {
    let table = &catalog.table;
    let mut nodes: Vec<Node> = Vec::with_capacity(platforms.len() * catalog.images().len());
    let mut known: BTreeMap<(Platform, &ImageRef), usize> = BTreeMap::new();
    for (platform, image) in all(platforms, catalog) {
        let mut parents: Vec<usize> =
            image.parents.values().filter_map(|parent| known.get(&(platform, parent)).copied()).collect();
        parents.sort_unstable();
        parents.dedup();
        let of_group = image.group.as_ref().and_then(|group| table.groups.get(group)?.runner.clone());
        let runner = of_group.or_else(|| parents.iter().find_map(|&parent| nodes[parent].runner.clone()));
        known.insert((platform, &image.reference), nodes.len());
        nodes.push(Node {
            image: image.reference.to_string(),
            platform: platform.to_string(),
            kind: [Some(&image.id), image.variant.as_ref()]
                .into_iter()
                .flatten()
                .cloned()
                .collect::<Vec<_>>()
                .join("-"),
            suffix: match table.platforms.first() == Some(&platform) {
                true => String::new(),
                false => format!("-{}", platform.architecture()),
            },
            spark: image.spark.clone(),
            scala: image.spark.as_ref().and_then(|spark| Some(table.sparks.get(spark)?.scala.clone())),
            origin: String::new(),
            parents,
            state: State::default(),
            files: Digest::of(&[]),
            distribution: None,
            blocked: Vec::new(),
            seconds: 0.0,
            measured: false,
            smoke_runs: 0,
            tested: false,
            runner,
        });
    }
    nodes
}

/// What each image is made of; with names, and what proves it, only where `proofs` has that of each.
pub(crate) fn states(
    tree: &Tree<'_>,
    platform: Platform,
    authorities: &[(Utf8PathBuf, Vec<u8>)],
    proofs: Option<&[Inputs]>,
) -> Result<Vec<State>> {
    let catalog = tree.locked.catalog();
    let reader = tree.reader(platform, authorities);
    let images: Vec<&Image> = catalog.images().iter().collect();
    let mut known = fingerprints(&images, |image| reader.inputs(image))?;
    let mut states = Vec::with_capacity(images.len());
    for (place, image) in images.iter().enumerate() {
        let (inputs, key) = known.remove(&image.reference).with_context(|| format!("{} twice", image.reference))?;
        states.push(State {
            key: Some(key),
            own: if proofs.is_some() { inputs.own() } else { Default::default() },
            proof: proofs.map(|proofs| proofs[place].clone()).unwrap_or_default(),
        });
    }
    Ok(states)
}

/// What proves each image, as inputs that can be compared: the same for all platforms.
pub(crate) fn proofs(tree: &Tree<'_>, smokes: &[Smoke]) -> Result<Vec<Inputs>> {
    let proof = Proof::read(tree.checkout, tree.locked.catalog())?;
    Ok(smokes.iter().map(|smoke| proof.of(smoke)).collect())
}

/// What proves each image: as [`Catalog::smoke`], for all of them in one pass.
pub(crate) fn smokes(catalog: &Catalog) -> Vec<Smoke> {
    let mut inherited: BTreeMap<&ImageRef, Smoke> = BTreeMap::new();
    let mut all = Vec::with_capacity(catalog.images().len());
    for image in catalog.images() {
        let mut smoke = Smoke::default();
        image.parents.values().filter_map(|parent| inherited.get(parent)).for_each(|parent| smoke.extend(parent));
        smoke.extend(&image.smoke);
        let mut own = smoke.clone();
        own.extend(&image.own_smoke);
        all.push(own);
        inherited.insert(&image.reference, smoke);
    }
    all
}

impl Tree<'_> {
    fn reader<'b>(&'b self, platform: Platform, authorities: &'b [(Utf8PathBuf, Vec<u8>)]) -> Reader<'b> {
        Reader {
            checkout: self.checkout,
            locked: self.locked,
            platform,
            authorities,
            tree: None,
            formats: self.formats,
            memo: Some(&self.memo),
        }
    }

    /// The certificates that this machine puts into images, with those that the tree names.
    pub(crate) fn authorities(&self) -> Result<Vec<(Utf8PathBuf, Vec<u8>)>> {
        let machine = registries::Machine::current(&self.checkout.root);
        let found = registries::authorities(&machine, self.registries);
        Ok(found.iter().map(registries::ExtraCa::read).collect::<Result<_, _>>()?)
    }
}

/// The whole graph: every image of the table, for each platform.
pub(crate) fn graph(tree: &Tree<'_>, platforms: &[Platform], ci: &Ci, explained: bool) -> Result<Graph> {
    let catalog = tree.locked.catalog();
    let mut nodes = nodes(catalog, platforms);
    let authorities = tree.authorities()?;
    let smokes = smokes(catalog);
    let proofs = if explained { Some(proofs(tree, &smokes)?) } else { None };
    let layout = Layout::open(tree.checkout.layout()).ok();
    let mut place = 0;
    for &platform in platforms {
        let reader = tree.reader(platform, &authorities);
        let mut blocked = tree.locked.blocked(platform);
        let records = layout.as_ref().map(|layout| Records::of(layout, platform)).filter(|records| !records.is_empty());
        let states = states(tree, platform, &authorities, proofs.as_deref())?;
        for ((image, state), smoke) in catalog.images().iter().zip(states).zip(&smokes) {
            let (bytes, files) = files(tree.locked, platform, image);
            let below = nodes[place].parents.iter().map(|&parent| nodes[parent].files.to_string());
            let files: String = files.into_iter().chain(below).map(|line| line + "\n").collect();
            let distribution = Distribution::of_image(&reader, image)?.map(|made| made.key());
            let measured = records.as_ref().and_then(|records| records.get(image)?.seconds);
            let compile = if distribution.is_some() { 60 * ci.compile_minutes } else { 0 };
            let estimated = bytes as f64 / (ci.megabytes_per_second as f64 * 1e6) + compile as f64;
            let node = &mut nodes[place];
            node.state = state;
            node.files = Digest::of(files.as_bytes());
            node.origin = tree.locked.origin(image).to_string();
            node.distribution = distribution;
            node.blocked = blocked.remove(&image.reference).unwrap_or_default();
            node.seconds = measured.unwrap_or(estimated);
            node.measured = measured.is_some();
            node.tested = *smoke != Smoke::default();
            // A session as each of two users, and a process for each job.
            let sessions = if smoke.checks.is_empty() { 0 } else { 2 };
            node.smoke_runs = sessions + u32::try_from(smoke.jobs.len()).unwrap_or(u32::MAX - 2);
            place += 1;
        }
    }
    Ok(Graph::new(nodes)?)
}

/// Bytes and digests of the locked files of an image.
fn files(locked: &LockedCatalog, platform: Platform, image: &Image) -> (u64, Vec<String>) {
    let artifacts: Vec<_> =
        locked.stages(platform, image).flat_map(|stage| locked.artifacts(platform, image, stage)).collect();
    let bytes = artifacts.iter().map(|artifact| artifact.size).sum();
    (bytes, artifacts.iter().map(|artifact| artifact.sha256.to_string()).collect())
}
