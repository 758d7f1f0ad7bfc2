//! Builds the images of a plan: stages each as soon as a thread is free, assembles it as soon as its parents are there.

mod log;

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Error, Result};
use assemble::{
    BuiltLayer, Context, Layout, Origin, Platform,
    run::{Network, Running, Secret},
};
use blob::Digest;
use camino::Utf8PathBuf;
use catalog::{Decision, Image, ImageRef, Inputs, Plan, Planned, Record};
use checkout::records::{Built, Records, Seen};
use store::Store;

use crate::{
    engine::EngineBuild,
    platform::oci,
    report::{
        progress::{Board, Step},
        text::{bytes, duration},
    },
    runner::Runner,
    schedule::{self, Outcome},
    stage::Stager,
};

pub(crate) use log::Log;

/// What is done before an image is staged.
pub(crate) type Prepare<'a> = dyn Fn(&Image) -> Result<()> + Sync + 'a;

/// Builds images into a layout.
pub(crate) struct Builder<'a> {
    pub(crate) stager: Stager<'a>,
    pub(crate) layout: Layout,
    pub(crate) records: Records,
    /// The manifests that the layout's names stand for, as they were when the plan was made.
    pub(crate) names: BTreeMap<String, BTreeSet<Digest>>,
    /// The images that are there for other platforms, of what they would be made of now: they keep their names.
    pub(crate) elsewhere: Vec<(Platform, BTreeSet<ImageRef>)>,
    pub(crate) board: &'a Board,
    /// Layers of one image that are written side by side.
    pub(crate) layer_jobs: usize,
    /// What has to be done before an image can be staged: compiling its Spark.
    pub(crate) prepare: Option<&'a Prepare<'a>>,
    /// The engine that builds in place of the assembler.
    pub(crate) engine: Option<EngineBuild>,
    /// Runs the commands of RUN.
    pub(crate) runner: Runner,
    /// Where the caches of RUN lie.
    pub(crate) caches: Utf8PathBuf,
    /// What the commands of RUN may know and no image may hold.
    pub(crate) secrets: BTreeMap<String, Secret>,
}

/// What became of an image.
#[derive(Debug)]
pub(crate) enum Fate {
    /// It was built.
    Built(Box<Built>),
    /// It was there, made of the same inputs.
    Cached(Box<Built>),
    /// It could not be built.
    Failed { error: Error, log: Utf8PathBuf },
    /// An image below it failed.
    Skipped(ImageRef),
    /// It cannot be built on any machine with these registries.
    Blocked(Vec<String>),
    /// The run was interrupted before.
    Interrupted,
}

/// An image and what became of it.
#[derive(Debug)]
pub(crate) struct Finished<'a> {
    pub(crate) platform: catalog::Platform,
    pub(crate) image: &'a Image,
    pub(crate) fate: Fate,
    pub(crate) elapsed: Duration,
}

/// What the threads share.
#[derive(Default)]
struct Shared<'a> {
    contexts: Mutex<BTreeMap<usize, Context>>,
    digests: Mutex<BTreeMap<&'a ImageRef, Digest>>,
    elapsed: Mutex<BTreeMap<usize, Duration>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Builder<'_> {
    /// The record of an image for its plan; an error if its bytes or its names are gone.
    pub(crate) fn record(&self, image: &Image) -> Option<Result<Record, Record>> {
        if let Some(engine) = &self.engine {
            return engine.record(image, self.records.get(image));
        }
        let built = self.records.get(image)?;
        let whole = built.is_there(&self.layout) && self.is_tagged(image, &built);
        Some(if whole { Ok(built.record) } else { Err(built.record) })
    }

    fn is_tagged(&self, image: &Image, built: &Built) -> bool {
        let mut names = image.references().map(ToString::to_string);
        names.all(|name| self.names.get(&name).is_some_and(|found| found.contains(&built.record.manifest)))
    }

    /// Gives an image its names; those for other platforms keep them where [`Builder::elsewhere`] says so.
    pub(crate) fn tag(&self, image: &Image, found: &assemble::oci::Descriptor) -> Result<()> {
        let keep = |other: &Platform| {
            self.elsewhere.iter().any(|(there, current)| there.takes(other) && current.contains(&image.reference))
        };
        for reference in image.references() {
            self.layout.tag_for(&reference.to_string(), &oci(self.stager.platform), found, keep)?;
        }
        Ok(())
    }

    /// Builds what the plan says.
    pub(crate) fn run<'p>(&self, plan: &'p Plan<'_>, jobs: NonZeroUsize) -> Vec<Finished<'p>> {
        // Two tasks for each image: staging needs nobody, assembling needs the staged context and the parents.
        let images = &plan.images;
        let place = |reference: &ImageRef| images.iter().position(|planned| planned.image.reference == *reference);
        let needs: Vec<Vec<usize>> = (0..2 * images.len())
            .map(|task| match task < images.len() {
                true => {
                    let parents = images[task].image.parents.values().filter_map(place);
                    parents.chain([images.len() + task]).collect()
                }
                false => Vec::new(),
            })
            .collect();
        let shared = Shared::default();
        let cancel = &self.stager.machine.cancel;
        let outcomes = schedule::run(&needs, jobs, cancel, |task| {
            let begin = Instant::now();
            let index = task % images.len();
            let planned = &images[index];
            let fate = match (&planned.decision, task < images.len()) {
                (Decision::Blocked(reasons), _) => Ok(Some(Fate::Blocked(reasons.clone()))),
                (Decision::Cached(_), false) => Ok(None),
                (Decision::Cached(digest), true) => {
                    lock(&shared.digests).insert(&planned.image.reference, *digest);
                    let built = match &self.engine {
                        Some(engine) => engine.there(planned.image)?,
                        None => self.records.get(planned.image),
                    };
                    Ok(built.map(|built| Fate::Cached(Box::new(built))))
                }
                (Decision::Build(_), false) => self.stage(planned, index, &shared).map(|()| None),
                (Decision::Build(_), true) => self.assemble(planned, index, &shared).map(Some),
            };
            *lock(&shared.elapsed).entry(index).or_default() += begin.elapsed();
            fate
        });
        let elapsed = lock(&shared.elapsed).clone();
        let mut outcomes: Vec<_> = outcomes.into_iter().map(Some).collect();
        let mut finished = Vec::new();
        for (index, planned) in images.iter().enumerate() {
            let staged = outcomes[images.len() + index].take();
            let assembled = outcomes[index].take();
            let fate = match (staged, assembled) {
                (Some(Outcome::Failed(error)), _) | (_, Some(Outcome::Failed(error))) => {
                    Fate::Failed { error, log: self.log_path(planned.image) }
                }
                (_, Some(Outcome::Done(Some(fate)))) => fate,
                (_, Some(Outcome::Skipped { because })) => {
                    Fate::Skipped(images[because % images.len()].image.reference.clone())
                }
                _ => Fate::Interrupted,
            };
            let elapsed = elapsed.get(&index).copied().unwrap_or_default();
            finished.push(Finished { platform: plan.platform, image: planned.image, fate, elapsed });
        }
        finished
    }

    fn log_path(&self, image: &Image) -> Utf8PathBuf {
        let name = image.reference.file_name();
        self.stager.workspace.logs().join(self.stager.platform.folder()).join(format!("build-{name}.log"))
    }

    fn stage(&self, planned: &Planned<'_>, index: usize, shared: &Shared<'_>) -> Result<()> {
        let image = planned.image;
        let prepared = self.prepare.map_or(Ok(()), |prepare| prepare(image));
        let step = self.board.step(&self.stager.label(image), "staging");
        let context = prepared.and_then(|()| self.stager.context(image, |what| step.now(what)));
        let context = context.inspect_err(|error| {
            let log = Log::begin(self.log_path(image));
            log.line(format_args!("staging failed: {error:#}"));
            // The error itself is reported at the end; a log that cannot be written must not hide it.
            drop(log.end());
        })?;
        lock(&shared.contexts).insert(index, context);
        Ok(())
    }

    fn assemble<'p>(&self, planned: &Planned<'p>, index: usize, shared: &Shared<'p>) -> Result<Fate> {
        let image = planned.image;
        let name = self.stager.label(image);
        let machine = self.stager.machine;
        let begin = Instant::now();
        let waiting = |holder: &str| self.board.say(&format!("waiting   {name} is being built by {holder}"));
        // Kept to the end: whoever waits to build the image begins its log anew.
        let _guard =
            Store::open(self.records.folder())?.lock(&image.reference.file_name(), &machine.cancel, &waiting)?;
        let parents = lock(&shared.digests).clone();
        // Another run may have built it while this one waited for it; and its parents may have come out as before.
        let record = match &self.engine {
            Some(engine) => engine.look_again(image)?,
            None => self.records.get(image).filter(|built| built.is_there(&self.layout)),
        };
        let (decision, inputs) = planned.settle(&parents, record.as_ref().map(|built| built.record.clone()));
        let context = lock(&shared.contexts).remove(&index).context("the context was not staged")?;
        if let (Decision::Cached(digest), Some(built)) = (decision, record) {
            lock(&shared.digests).insert(&image.reference, digest);
            self.board.step(&name, "").end("same");
            return Ok(Fate::Cached(Box::new(built)));
        }
        let step = self.board.step(&name, if self.engine.is_some() { "building" } else { "assembling" });
        let log = self.begin_log(planned);
        let staging = lock(&shared.elapsed).get(&index).copied().unwrap_or_default();
        let began = begin.checked_sub(staging).unwrap_or(begin);
        let built = match &self.engine {
            Some(engine) => {
                engine.make(&self.stager, &self.secrets, image, &context, &log, &step).and_then(|mut built| {
                    built.seconds = Some(began.elapsed().as_secs_f64());
                    self.records.put(image, &built)?;
                    Ok(built)
                })
            }
            None => self.write(image, &context, inputs, began, &log, &step),
        };
        match built {
            Ok(built) => {
                let digest = built.id.unwrap_or(built.record.manifest);
                log.line(format_args!("built in {}: {digest}", duration(begin.elapsed())));
                log.end()?;
                lock(&shared.digests).insert(&image.reference, built.record.manifest);
                step.end("built");
                Ok(Fate::Built(Box::new(built)))
            }
            Err(error) => {
                log.line(format_args!("failed: {error:#}"));
                drop(log.end());
                step.end("failed");
                Err(error)
            }
        }
    }

    fn begin_log(&self, planned: &Planned<'_>) -> Log {
        let log = Log::begin(self.log_path(planned.image));
        log.line(format_args!("image {}", self.stager.label(planned.image)));
        log.line(format_args!("Dockerfile {}", planned.image.dockerfile));
        if let Decision::Build(reasons) = &planned.decision {
            for reason in reasons {
                log.line(format_args!("because {reason}"));
            }
        }
        log
    }

    /// `began` is when the work on the image began, staging counted.
    fn write(
        &self,
        image: &Image,
        context: &Context,
        inputs: Inputs,
        began: Instant,
        log: &Log,
        step: &Step<'_>,
    ) -> Result<Built> {
        let text = std::fs::read_to_string(self.stager.workspace.path(&image.dockerfile))
            .with_context(|| format!("reading {}", image.dockerfile))?;
        let table = &self.stager.locked.catalog().table;
        let mut labels = self.stager.labels(image);
        labels.extend(self.stager.compile_labels(image)?);
        let mut args = image.args.clone();
        args.extend(image.parents.iter().map(|(arg, parent)| (arg.clone(), parent.to_string())));
        let output = |line: &str| {
            step.now(line);
            log.line(format_args!("| {line}"));
        };
        let running = Running {
            runner: &self.runner,
            network: match (image.network, self.stager.machine.offline) {
                (true, false) => Network::Allowed,
                (true, true) => Network::Unreachable { allow: "leave out --offline" },
                (false, _) => Network::Off { allow: &format!("write `network = true` in {}", image.file) },
            },
            caches: &self.caches,
            secrets: &self.secrets,
            output: &output,
        };
        let platform = oci(self.stager.platform);
        let request = assemble::Request {
            dockerfile: &text,
            name: &image.dockerfile,
            context,
            args: &args,
            target: image.target.as_deref(),
            images: &BTreeMap::new(),
            labels: &labels,
            epoch: table.epoch,
            platform: &platform,
            jobs: self.layer_jobs,
            running: Some(&running),
        };
        let built = assemble::build(&self.layout, &request)?;
        let mut layers = Vec::new();
        for layer in &built.layers {
            let state = match layer.origin {
                Origin::Base => "inherited",
                Origin::Cached => "as before",
                Origin::Written => "written",
            };
            let size = bytes(layer.descriptor.size);
            log.line(format_args!("{} {size} {state}: {}", layer.diff_id, layer.created_by));
            layers.push(
                Seen::look(&self.layout, &layer.descriptor.digest)
                    .with_context(|| format!("looking at {}", layer.diff_id))?,
            );
        }
        self.tag(image, &built.image)?;
        let size_of = |layers: &mut dyn Iterator<Item = &BuiltLayer>| layers.map(|layer| layer.descriptor.size).sum();
        let size = size_of(&mut built.layers.iter());
        let added = size_of(&mut built.layers.iter().filter(|layer| layer.origin != Origin::Base));
        let record = Record { inputs, manifest: built.image.digest };
        let built = Built { record, size, added, layers, id: None, seconds: Some(began.elapsed().as_secs_f64()) };
        self.records.put(image, &built)?;
        Ok(built)
    }
}
