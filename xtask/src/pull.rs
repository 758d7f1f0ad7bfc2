//! Takes images from a registry that another machine pushed and that are made of what would be built here.
//!
//! An image is found by the fingerprint of its inputs, which the plan knows without building. What comes is not believed:
//! each blob is compared with its digest, each layer with its `diff_id` once it is unpacked, and the image must have the
//! digest that was built on the other machine. Who may push to that registry decides what is in the images: as with
//! every cache.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, Result, bail};
use assemble::{
    Layout,
    oci::{Descriptor, ImageConfig, Manifest, media_type},
};
use blob::Digest;
use catalog::{Decision, Image, ImageRef, Inputs, Plan, Planned, Record};
use checkout::records::{Built, Seen};
use compress::Form;
use distribution::{Address, Credentials, Environment, Registry, Repository};
use serde_json::json;
use store::{FetchOptions, Store, Wanted, fetch};

use crate::{
    build::Builder,
    machine::kept_folder,
    push::{MANIFEST, MANIFEST_DIGEST, fingerprint_tag},
    report::text::{bytes, table},
    schedule::{self, Outcome},
    session::Session,
    zstd,
};

/// An image of the plan, and what became of it.
pub(crate) struct Taken<'p> {
    pub(crate) image: &'p Image,
    pub(crate) how: How,
}

/// What became of it.
pub(crate) enum How {
    /// It was here.
    Here,
    /// It was taken.
    Taken(Box<Built>),
    /// The registry does not have it, or what it stands on.
    Missing,
}

struct Puller<'a, 'b> {
    session: &'a Session,
    builder: &'a Builder<'b>,
    registry: Registry<'a>,
    /// Compressed layers that are on their way.
    store: Store,
    /// Layers that are being taken: images share them.
    taking: Mutex<BTreeMap<Digest, Arc<Mutex<()>>>>,
}

/// Takes what the plan would build and the registry has, parents first.
///
/// # Errors
/// The registry does not answer, or gives something else than it should.
pub(crate) fn pull<'p>(
    session: &Session,
    builder: Builder<'_>,
    plan: &'p Plan<'_>,
    address: &Address,
) -> Result<Vec<Taken<'p>>> {
    let machine = &session.machine;
    let builder = &session.beside_others(builder, plan)?;
    let puller = Puller {
        session,
        builder,
        registry: Registry::new(&machine.http, address.clone(), Credentials::new(Environment::current())),
        store: Store::open(kept_folder(&session.workspace, &machine.store).join("pulled"))?,
        taking: Mutex::default(),
    };
    let images = &plan.images;
    let place = |reference: &ImageRef| images.iter().position(|planned| planned.image.reference == *reference);
    let needs: Vec<Vec<usize>> =
        images.iter().map(|planned| planned.image.parents.values().filter_map(place).collect()).collect();
    let digests: Mutex<BTreeMap<&ImageRef, Digest>> = Mutex::default();
    let outcomes = schedule::run(&needs, schedule::processors(), &machine.cancel, |index| {
        let planned = &images[index];
        let reference = &planned.image.reference;
        let note = |digest| digests.lock().unwrap_or_else(PoisonError::into_inner).insert(reference, digest);
        match &planned.decision {
            Decision::Cached(digest) => {
                note(*digest);
                return Ok(How::Here);
            }
            Decision::Blocked(_) => return Ok(How::Missing),
            Decision::Build(_) => {}
        }
        let parents = digests.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if !planned.image.parents.values().all(|parent| parents.contains_key(parent)) {
            return Ok(How::Missing);
        }
        let taken = puller.one(planned, &parents).with_context(|| format!("taking {reference} from {address}"))?;
        if let Some(How::Taken(built)) = &taken {
            note(built.record.manifest);
        }
        Ok(taken.unwrap_or(How::Missing))
    });
    let mut taken = Vec::new();
    for (planned, outcome) in images.iter().zip(outcomes) {
        match outcome {
            Outcome::Done(how) => taken.push(Taken { image: planned.image, how }),
            Outcome::Failed(error) => return Err(error),
            Outcome::Skipped { .. } => {}
            Outcome::Cancelled => bail!("interrupted; the next pull goes on from here"),
        }
    }
    Ok(taken)
}

impl Puller<'_, '_> {
    fn one(&self, planned: &Planned<'_>, parents: &BTreeMap<&ImageRef, Digest>) -> Result<Option<How>> {
        let image = planned.image;
        let board = &self.session.board;
        let waiting = |holder: &str| board.say(&format!("waiting   {} is being built by {holder}", image.reference));
        let locks = Store::open(self.builder.records.folder())?;
        let _guard = locks.lock(&image.reference.file_name(), &self.session.machine.cancel, &waiting)?;
        let (_, inputs) = planned.settle(parents, None);
        let repository = self.registry.repository(&image.reference.name).to_read();
        let tag = fingerprint_tag(&inputs.fingerprint());
        let Some(document) = repository.get(&tag)? else { return Ok(None) };
        let url = format!("{}@{}", repository.full_name(), document.digest);
        if document.media_type != MANIFEST {
            bail!("{url} is no image: expected {MANIFEST}, found {}", document.media_type);
        }
        let manifest: Manifest =
            serde_json::from_slice(&document.bytes).with_context(|| format!("{url} is no image manifest"))?;
        let step = board.step(&image.reference.to_string(), "pulling");
        let built = self.image(&repository, &url, &manifest, &document.digest)?;
        let built = self.record(image, inputs, &built, parents)?;
        step.end("pulled");
        Ok(Some(How::Taken(Box::new(built))))
    }

    /// Brings an image into the layout.
    fn image(
        &self,
        repository: &Repository<'_>,
        url: &str,
        pushed: &Manifest,
        pushed_digest: &Digest,
    ) -> Result<(Descriptor, Manifest)> {
        let layout = &self.builder.layout;
        if !layout.blob_path(&pushed.config.digest).is_file() {
            let file = self.fetch(repository, &pushed.config)?;
            layout.import(&pushed.config.digest, &mut File::open(&file)?)?;
            drop(fs::remove_file(file));
        }
        let config: ImageConfig = layout.config(pushed)?;
        let diff_ids = &config.rootfs.diff_ids;
        if diff_ids.len() != pushed.layers.len() {
            bail!("{url} contradicts itself: {} layers, {} diff_ids", pushed.layers.len(), diff_ids.len());
        }
        let architecture = self.builder.stager.platform.architecture();
        if config.os != "linux" || config.architecture != architecture {
            bail!(
                "{url} is for another machine: expected linux/{architecture}, found {}/{}",
                config.os,
                config.architecture
            );
        }
        let needs = vec![Vec::new(); diff_ids.len()];
        let outcomes = schedule::run(&needs, schedule::processors(), &self.session.machine.cancel, |index| {
            let (layer, diff_id) = (&pushed.layers[index], &diff_ids[index]);
            self.layer(repository, layer, diff_id).with_context(|| format!("taking the layer {}", layer.digest))
        });
        let mut layers = Vec::new();
        for (outcome, diff_id) in outcomes.into_iter().zip(diff_ids) {
            let Outcome::Done(size) = outcome else {
                if let Outcome::Failed(error) = outcome {
                    return Err(error);
                }
                bail!("interrupted; the next pull goes on from here");
            };
            layers.push(Descriptor::new(media_type::LAYER, *diff_id, size));
        }
        let mut annotations = pushed.annotations.clone();
        let expected = match annotations.remove(MANIFEST_DIGEST) {
            Some(text) => text.parse().with_context(|| format!("reading the annotation {MANIFEST_DIGEST} of {url}"))?,
            // Pushed as it was built.
            None => *pushed_digest,
        };
        let manifest = Manifest { layers, annotations, ..pushed.clone() };
        let found = layout.put(MANIFEST, &manifest)?;
        if found.digest != expected {
            bail!("{url} is not what was built: expected {expected}, found {}", found.digest);
        }
        Ok((found, manifest))
    }

    /// Brings a layer into the layout: its size there, in bytes.
    fn layer(&self, repository: &Repository<'_>, layer: &Descriptor, diff_id: &Digest) -> Result<u64> {
        let layout = &self.builder.layout;
        let turn = self.taking.lock().unwrap_or_else(PoisonError::into_inner).entry(*diff_id).or_default().clone();
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(meta) = fs::metadata(layout.blob_path(diff_id)) {
            return Ok(meta.len());
        }
        let Some(form) = Form::of_media_type(&layer.media_type) else {
            bail!("its type is not known: {}", layer.media_type);
        };
        let path = self.fetch(repository, layer)?;
        let file = File::open(&path).with_context(|| format!("reading {path}"))?;
        let size = match form {
            Form::Plain => layout.import(diff_id, &mut { file })?,
            Form::Gzip(_) => layout.import(diff_id, &mut compress::gunzip(file))?,
            Form::Zstd(_) => layout.import(diff_id, &mut zstd::filter(file, &["decompress"])?)?,
        };
        // It lies in the layout now; a file that stays is removed by the next pull that wants it.
        drop(fs::remove_file(path));
        Ok(size)
    }

    /// Fetches a blob, resumed and verified.
    fn fetch(&self, repository: &Repository<'_>, blob: &Descriptor) -> Result<camino::Utf8PathBuf> {
        let http = &self.session.machine.http;
        let wanted = Wanted {
            id: format!("{}@{}", repository.name(), blob.digest),
            locations: vec![repository.blob(&blob.digest)?],
            size: Some(blob.size),
            sha256: Some(blob.digest),
            check: None,
        };
        let progress = self.session.board.transfer("pulling", 1, Some(blob.size));
        let report = fetch(&self.store, http, &[wanted], &FetchOptions::default(), &progress)?;
        if let Some(failed) = report.failed.first() {
            bail!("{}", failed.error);
        }
        Ok(self.store.path_of(&blob.digest))
    }

    /// Writes what a build would have written.
    fn record(
        &self,
        image: &Image,
        inputs: Inputs,
        (found, manifest): &(Descriptor, Manifest),
        parents: &BTreeMap<&ImageRef, Digest>,
    ) -> Result<Built> {
        let layout: &Layout = &self.builder.layout;
        let mut below: Vec<Digest> = Vec::new();
        for digest in image.parents.values().filter_map(|parent| parents.get(parent)) {
            let path = layout.blob_path(digest);
            let size = fs::metadata(&path).with_context(|| format!("looking at {path}"))?.len();
            below.extend(
                layout.manifest(&Descriptor::new(MANIFEST, *digest, size))?.layers.iter().map(|layer| layer.digest),
            );
        }
        let looks = manifest.layers.iter().map(|layer| Seen::look(layout, &layer.digest));
        let layers = looks.collect::<Result<Vec<_>, _>>().context("looking at the layers")?;
        let added = manifest.layers.iter().filter(|layer| !below.contains(&layer.digest));
        let built = Built {
            record: Record { inputs, manifest: found.digest },
            size: manifest.layers.iter().map(|layer| layer.size).sum(),
            added: added.map(|layer| layer.size).sum(),
            layers,
            id: None,
            seconds: None,
        };
        self.builder.tag(image, found)?;
        self.builder.records.put(image, &built)?;
        Ok(built)
    }
}

/// One row for each image.
pub(crate) fn print(taken: &[Taken<'_>], address: &Address) {
    let row = |taken: &Taken<'_>| {
        let (state, size) = match &taken.how {
            How::Here => ("here", String::new()),
            How::Taken(built) => ("pulled", bytes(built.size)),
            How::Missing => ("missing", String::new()),
        };
        vec![taken.image.reference.to_string(), size, state.to_owned()]
    };
    let rows: Vec<Vec<String>> = taken.iter().map(row).collect();
    print!("{}", table(&["IMAGE", "SIZE", "STATE"], &rows, &[1]));
    if taken.iter().any(|taken| matches!(taken.how, How::Missing)) {
        println!(
            "what is missing was not pushed to {address} from these inputs; to build it: cargo xtask build-layers"
        );
    }
}

/// The result as a JSON list, parents first.
pub(crate) fn json(taken: &[Taken<'_>]) -> serde_json::Value {
    let one = |taken: &Taken<'_>| {
        let (state, digest) = match &taken.how {
            How::Here => ("here", None),
            How::Taken(built) => ("pulled", Some(built.record.manifest)),
            How::Missing => ("missing", None),
        };
        json!({ "image": taken.image.reference.to_string(), "state": state, "digest": digest })
    };
    taken.iter().map(one).collect()
}
