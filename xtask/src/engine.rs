//! Images that a container engine builds, of the contexts that the assembler builds.
//!
//! An image is known by its fingerprint: the digest of all that it is made of, with the fingerprints of its parents. So it
//! is known before anything is built, and the same for every engine and machine. It stands in a label, and in a name under
//! which the image is handed to its children. An engine that has this name has the image.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::{Mutex, OnceLock, PoisonError, mpsc},
    thread,
};

use anyhow::{Context as _, Result, bail};
use assemble::{Context, run::Secret};
use blob::Digest;
use camino::Utf8PathBuf;
use catalog::{Decision, Image, ImageRef, Inputs, Plan, Record};
use checkout::records::Built;
use engines::{
    Engine, Failure, Held, Listing, Problems,
    build::{self, Asked, Request},
};

use crate::{boxed::until_interrupted, build::Log, interrupt, report::progress::Step, session::Session, stage::Stager};

/// The label that holds the fingerprint.
pub(crate) const LABEL: &str = "io.spark-images.fingerprint";
/// The host in the names that hold it: one that can never be a registry (RFC 2606), so that nobody is asked for an image
/// that is not there.
pub(crate) const HOST: &str = "spark-images.invalid";

/// Builds with an engine.
pub(crate) struct EngineBuild {
    pub(crate) engine: Engine,
    /// Inputs and fingerprint of each image that can be built.
    known: BTreeMap<ImageRef, (Inputs, Digest)>,
    /// What the engine has of ours.
    there: Mutex<Listing>,
    /// Where contexts are made.
    contexts: Utf8PathBuf,
    /// Containers that were there before the first build, with engines that leave theirs when they are interrupted.
    before: OnceLock<BTreeSet<String>>,
}

impl EngineBuild {
    /// Asks the engine once what it has of ours.
    ///
    /// # Errors
    /// It does not answer: all that stands in the way.
    pub(crate) fn open(session: &Session, stager: &Stager<'_>, engine: Engine, images: &[&Image]) -> Result<Self> {
        let there = match engine.list(&format!("label={LABEL}")) {
            Ok(there) => there,
            Err(failure) => {
                probe(stager, engine, images)?;
                return Err(failure.into());
            }
        };
        let known = stager.fingerprints(images)?;
        let contexts = session.workspace.engine(engine.program()).join("contexts");
        Ok(Self { engine, known, there: Mutex::new(there), contexts, before: OnceLock::new() })
    }

    /// Asks whether the engine can build what the plan wants to be built.
    ///
    /// # Errors
    /// All that stands in the way.
    pub(crate) fn check(&self, stager: &Stager<'_>, plan: &Plan<'_>) -> Result<()> {
        let to_build = plan.images.iter().filter(|planned| matches!(planned.decision, Decision::Build(_)));
        let to_build: Vec<&Image> = to_build.map(|planned| planned.image).collect();
        if to_build.is_empty() { Ok(()) } else { probe(stager, self.engine, &to_build) }
    }

    /// What the image in the engine is made of. `last` is what was built here last.
    pub(crate) fn record(&self, image: &Image, last: Option<Built>) -> Option<Result<Record, Record>> {
        if let Some((inputs, fingerprint)) = self.known.get(&image.reference)
            && self.held(image, fingerprint).is_some()
        {
            return Some(Ok(Record { inputs: inputs.clone(), manifest: *fingerprint }));
        }
        let last = last?.record;
        Some(if self.held(image, &last.manifest).is_some() { Ok(last) } else { Err(last) })
    }

    fn held(&self, image: &Image, fingerprint: &Digest) -> Option<Held> {
        self.there.lock().unwrap_or_else(PoisonError::into_inner).get(&own_name(&image.reference, fingerprint)).cloned()
    }

    /// Asks again for one image, which another run may have built.
    pub(crate) fn look_again(&self, image: &Image) -> Result<Option<Built>> {
        let Some((inputs, fingerprint)) = self.known.get(&image.reference) else { return Ok(None) };
        let name = own_name(&image.reference, fingerprint);
        let found = self.engine.list(&format!("reference={name}"))?;
        self.there.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
        let held = self.held(image, fingerprint);
        Ok(held.map(|held| Self::built(inputs.clone(), *fingerprint, &held)))
    }

    /// An image that the engine has, once it has all its names.
    pub(crate) fn there(&self, image: &Image) -> Result<Option<Built>> {
        let Some((inputs, fingerprint)) = self.known.get(&image.reference) else { return Ok(None) };
        let Some(held) = self.held(image, fingerprint) else { return Ok(None) };
        let own = own_name(&image.reference, fingerprint);
        let names = image.references().map(ToString::to_string);
        for name in names.filter(|name| !held.names.contains(name)) {
            self.engine.tag(&own, &name)?;
        }
        Ok(Some(Self::built(inputs.clone(), *fingerprint, &held)))
    }

    fn built(inputs: Inputs, fingerprint: Digest, held: &Held) -> Built {
        // The engine rounds: what one image adds to another cannot be told from that.
        let record = Record { inputs, manifest: fingerprint };
        Built { record, size: held.size, added: 0, layers: Vec::new(), id: Some(held.id), seconds: None }
    }

    /// Has the engine build a staged image.
    pub(crate) fn make(
        &self,
        stager: &Stager<'_>,
        secrets: &BTreeMap<String, Secret>,
        image: &Image,
        context: &Context,
        log: &Log,
        step: &Step<'_>,
    ) -> Result<Built> {
        let (_, fingerprint) = self.known.get(&image.reference).context("the image has no fingerprint")?;
        let table = &stager.locked.catalog().table;
        let work = self.contexts.join(image.reference.file_name());
        // A killed run may have left it; nobody else is at work on this image.
        remove(&work)?;
        let folder = work.join(fingerprint.hex());
        step.now("writing the context");
        assemble::context::materialize(context, &folder, table.epoch)
            .with_context(|| format!("writing the context of {}", image.reference))?;
        let mut labels = stager.labels(image);
        labels.extend(stager.compile_labels(image)?);
        labels.insert(LABEL.to_owned(), fingerprint.hex());
        let mut args = image.args.clone();
        for (arg, parent) in &image.parents {
            let (_, fingerprint) = self.known.get(parent).with_context(|| format!("{parent} has no fingerprint"))?;
            args.insert(arg.clone(), own_name(parent, fingerprint));
        }
        let own = own_name(&image.reference, fingerprint);
        let names: Vec<String> =
            std::iter::once(own.clone()).chain(image.references().map(ToString::to_string)).collect();
        let request = Request {
            dockerfile: &stager.workspace.path(&image.dockerfile),
            context: &folder,
            target: image.target.as_deref(),
            args: &args,
            labels: &labels,
            names: &names,
            network: image.network && !stager.machine.offline,
            platform: &stager.platform.to_string(),
            epoch: table.epoch,
            secrets,
            id_file: &work.join("id"),
        };
        let id = self.run(&request, log, step);
        remove(&work)?;
        let id = id?;
        let built = self.look_again(image)?.filter(|built| built.id == Some(id));
        built.with_context(|| format!("{} built {id}, and does not have it as {own}", self.engine))
    }

    /// Runs the engine's build; what it prints goes to the log and, the last line, to the board.
    fn run(&self, request: &Request<'_>, log: &Log, step: &Step<'_>) -> Result<Digest> {
        let engine = self.engine;
        if engine != Engine::Docker {
            self.before.get_or_init(|| engine.containers().unwrap_or_default());
        }
        let (sender, lines) = mpsc::channel::<String>();
        let (outcome, last) = thread::scope(|scope| {
            let watcher = scope.spawn(move || {
                let mut last = String::new();
                for line in lines {
                    log.line(format_args!("| {line}"));
                    if !line.trim().is_empty() {
                        step.now(&line);
                        last = line;
                    }
                }
                last
            });
            // The receiver lives until the client has ended.
            let line = move |line: &str| drop(sender.send(line.to_owned()));
            let outcome = until_interrupted(|cancel| build::build(engine, request, line, cancel));
            (outcome, watcher.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        match outcome? {
            Ok(id) => Ok(id),
            Err(_) if interrupt::is_set() => bail!("{engine} build was interrupted"),
            Err(Failure::Refused { code: Some(0), said, .. }) => bail!("{engine} build: {said}"),
            Err(Failure::Refused { code: Some(code), .. }) => {
                bail!("{engine} build failed with exit code {code}: {last}")
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// Containers that an interrupted build has left: these engines do not take them away.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let Some(before) = self.before.get() else { return Vec::new() };
        let now = self.engine.containers().unwrap_or_default();
        now.difference(before).cloned().collect()
    }
}

/// The name under which an image is handed to its children.
fn own_name(image: &ImageRef, fingerprint: &Digest) -> String {
    format!("{HOST}/{}:{}", image.name, fingerprint.hex())
}

/// Asks whether an engine is there and understands the Dockerfiles of these images.
fn probe(stager: &Stager<'_>, engine: Engine, images: &[&Image]) -> Result<()> {
    let names: BTreeSet<&str> = images.iter().map(|image| image.dockerfile.as_str()).collect();
    let mut read = Vec::new();
    for name in names {
        let text = fs::read_to_string(stager.workspace.path(name)).with_context(|| format!("reading {name}"))?;
        read.push((name, assemble::needs(name, &text)?));
    }
    let asked: Vec<Asked<'_>> = read.iter().map(|(dockerfile, needs)| Asked { dockerfile, needs }).collect();
    build::probe(engine, &asked, stager.platform.architecture())
        .map_err(|problems: Problems| anyhow::anyhow!("{engine} cannot build these images\n{problems}"))
}

fn remove(folder: &camino::Utf8Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {folder}"))
        }
        _ => Ok(()),
    }
}
