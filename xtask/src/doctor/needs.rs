//! What a build of the selected images would need: files, which of them the store has, what is built and compiled.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::Arc,
};

use ::registries::Kind;
use ::store::{Http, HttpOptions, Store};
use anyhow::{Context as _, Result};
use assemble::{Feature, Need};
use camino::Utf8PathBuf;
use catalog::{Artifact, Catalog, Coordinate, Decision, Image, Lock, Platform, Requests, Selection};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Finding, Section, State, reach::Samples};
use crate::{
    compile, fetch,
    flags::{DoctorArgs, Global},
    machine::{self, Machine, is_locked, kept_folder, store_folder},
    report::text::{bytes, count},
    session::Session,
    workspace::Workspace,
};

/// The machine and what it would have to do.
pub(crate) struct Needs {
    pub(crate) workspace: Workspace,
    pub(crate) machine: Machine,
    /// Where the store is, or should be.
    pub(crate) store: Utf8PathBuf,
    /// Where the sandbox keeps its files.
    pub(crate) kept: Utf8PathBuf,
    /// What kept a part of the machine from being opened.
    pub(crate) faults: Vec<Finding>,
    pub(crate) work: Work,
    /// The files of the work that the store lacks.
    pub(crate) missing: Vec<Artifact>,
    /// Those that the registries are asked for: these, or all of the lock.
    pub(crate) asked: Vec<Artifact>,
    /// The Dockerfiles of the images, with what each needs of a builder.
    pub(crate) dockerfiles: Vec<(String, Vec<Need>)>,
    pub(crate) architecture: &'static str,
    /// Whether the lock may be written.
    pub(crate) may_lock: bool,
    stale: bool,
    lock: Lock,
    _stand_in: Option<TempDir>,
}

/// What a build would do.
#[derive(Default)]
pub(crate) struct Work {
    /// The files that it needs.
    pub(crate) files: Vec<Artifact>,
    /// Images that it would build.
    pub(crate) to_build: usize,
    /// Versions of Spark that it would compile first.
    pub(crate) compiled: BTreeSet<String>,
    /// What the lock calls unresolved, with the reason and the images that need it.
    unresolved: BTreeMap<String, (String, BTreeSet<String>)>,
}

impl Work {
    /// The files of what a build would build, and what it would leave out.
    fn of(session: &Session, platforms: &[Platform], selected: &[Image], faults: &mut Vec<Finding>) -> Result<Self> {
        let images: Vec<&Image> = selected.iter().collect();
        let mut unresolved: BTreeMap<String, (String, BTreeSet<String>)> = BTreeMap::new();
        let mut plans = Vec::new();
        for &platform in platforms {
            for image in &images {
                for key in session.locked.unresolved(platform, image) {
                    let reason = session.locked.lock().unresolved.get(&key).map(|entry| entry.reason.clone());
                    let entry = unresolved.entry(key).or_insert_with(|| (reason.unwrap_or_default(), BTreeSet::new()));
                    entry.1.insert(image.reference.to_string());
                }
            }
            match session.builder(platform).and_then(|builder| session.plan(&builder, &images)) {
                Ok(plan) => plans.push(plan),
                Err(error) => {
                    let remedy = "set SPARK_IMAGES_OUT to a folder that can be written to";
                    faults.push(Finding::new(State::Problem, format!("the output folder: {error:#}"), remedy));
                }
            }
        }
        let mut needed: Vec<(Platform, &Image)> = match plans.len() == platforms.len() {
            // Nobody knows what is built: all of it may have to be.
            false => {
                platforms.iter().flat_map(|&platform| images.iter().map(move |&image| (platform, image))).collect()
            }
            true => plans
                .iter()
                .flat_map(|plan| plan.images.iter().map(|one| (plan.platform, one)))
                .filter(|(_, planned)| matches!(planned.decision, Decision::Build(_)))
                .map(|(platform, planned)| (platform, planned.image))
                .collect(),
        };
        let (to_build, compiled) = (needed.len(), compile::missing(session, &plans)?);
        needed.extend(compile::builders(session, &needed, false)?);
        let files = fetch::needed(&session.locked, &needed).into_iter().cloned().collect();
        Ok(Self { files, to_build, compiled, unresolved })
    }
}

impl Needs {
    /// Reads the checkout and looks which files the store has.
    ///
    /// # Errors
    /// There is no checkout, its table or lock cannot be read, or what was asked for does not exist.
    pub(crate) fn find(global: &Global, args: &DoctorArgs) -> Result<Self> {
        let workspace = Workspace::find(global)?;
        let catalog = workspace.catalog()?;
        let lock = workspace.lock()?;
        let mut faults = Vec::new();
        let (machine, stand_in) = open_machine(&workspace, global, &catalog, &mut faults)?;
        let platforms = catalog.table.platforms(&args.platforms.platform).map_err(anyhow::Error::msg)?;
        let selected: Vec<Image> = Selection::from(&args.select).with_parents(&catalog)?.into_iter().cloned().collect();
        let architecture = catalog.table.default_platform().architecture();
        let dockerfiles = dockerfiles(&workspace, &selected);
        let stale = !lock.answers(&Requests::of(&catalog));
        let (workspace, machine, work) = if stale {
            // What the table asks for now is not known: the old answers are what can be looked for.
            let files = lock.artifacts.values().cloned().collect();
            (workspace, machine, Work { files, to_build: selected.len(), ..Work::default() })
        } else {
            let session = Session::as_it_is(workspace, machine, catalog, lock.clone(), args.origin.origin)?;
            let work = Work::of(&session, &platforms, &selected, &mut faults)?;
            (session.workspace, session.machine, work)
        };
        let has = |artifact: &Artifact| machine.store.get(&artifact.sha256, Some(artifact.size)).is_some();
        let missing: Vec<Artifact> = work.files.iter().filter(|artifact| !has(artifact)).cloned().collect();
        let mut asked: Vec<Artifact> =
            if args.all { lock.artifacts.values().cloned().collect() } else { missing.clone() };
        asked.retain(|artifact| !matches!(artifact.id, Coordinate::File(_)));
        let kept = kept_folder(&workspace, &machine.store);
        let (store, may_lock) = (store_folder()?, !is_locked(global) && !global.offline);
        Ok(Self {
            workspace,
            machine,
            store,
            kept,
            faults,
            work,
            missing,
            asked,
            dockerfiles,
            architecture,
            may_lock,
            stale,
            lock,
            _stand_in: stand_in,
        })
    }

    /// Whether a build would run a command: RUN, or a compile.
    pub(crate) fn run_in_sandbox(&self) -> Option<String> {
        if let Some(version) = self.work.compiled.first() {
            return Some(format!("Spark {version} has to be compiled"));
        }
        let runs = |needs: &[Need]| needs.iter().find(|need| need.feature == Feature::Run).map(|need| need.line);
        self.dockerfiles.iter().find_map(|(name, needs)| Some(format!("{name}:{} has a RUN", runs(needs)?)))
    }

    /// Something of each kind that the lock asks for, to see what a registry says to it.
    pub(crate) fn samples(&self) -> Samples {
        Samples::of(self.asked.iter().map(|artifact| &artifact.id).chain(self.lock.artifacts.keys()))
    }

    /// The kinds of registries that a build would ask.
    pub(crate) fn kinds(&self) -> Vec<Kind> {
        let kinds = self.missing.iter().filter_map(|artifact| machine::kind_of(&artifact.id));
        match self.stale {
            // Whatever is new in the table, locking asks for it.
            true => Kind::ALL.to_vec(),
            false => kinds.collect::<BTreeSet<_>>().into_iter().collect(),
        }
    }

    /// What would be built and what left out.
    pub(crate) fn images(&self) -> Section {
        let mut findings = Vec::new();
        if self.stale {
            let what = "docker/versions.lock does not answer the table";
            findings.push(match self.may_lock {
                true => {
                    Finding::new(State::Note, format!("{what}; the next build locks what is new"), "cargo xtask lock")
                }
                false => Finding::new(
                    State::Problem,
                    format!("{what}, and must not be written"),
                    "cargo xtask lock, where there is a network, and commit it",
                ),
            });
        } else {
            findings.push(Finding::fine(match self.work.to_build {
                0 => "nothing to build: all images that were asked for are there".to_owned(),
                n => format!("{} to build", count(n, "image")),
            }));
        }
        findings.extend(
            self.work
                .compiled
                .iter()
                .map(|version| Finding::note(format!("Spark {version} is compiled first: an hour"))),
        );
        for (key, (reason, images)) in &self.work.unresolved {
            let what = format!("{key}: {reason}\nneeded by {}", images.iter().cloned().collect::<Vec<_>>().join(", "));
            findings.push(Finding::new(
                State::LeftOut,
                what,
                format!("to look again: cargo xtask lock --update {}", quoted(key)),
            ));
        }
        Section::new("images", findings)
    }

    /// The same for programs.
    pub(crate) fn facts(&self) -> Value {
        let size = |files: &[Artifact]| files.iter().map(|artifact| artifact.size).sum::<u64>();
        json!({
            "images": self.work.to_build,
            "files": self.work.files.len(),
            "bytes": size(&self.work.files),
            "missing-files": self.missing.len(),
            "missing-bytes": size(&self.missing),
            "lock-is-stale": self.stale,
        })
    }

    /// `12 files of 30 MB`.
    pub(crate) fn missing_shown(&self) -> String {
        let size = self.missing.iter().map(|artifact| artifact.size).sum();
        format!("{} of {}", count(self.missing.len(), "file"), bytes(size))
    }
}

fn quoted(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), |word| word.into_owned())
}

/// The machine; what cannot be opened is a finding, and something harmless stands in its place.
fn open_machine(
    workspace: &Workspace,
    global: &Global,
    catalog: &Catalog,
    faults: &mut Vec<Finding>,
) -> Result<(Machine, Option<TempDir>)> {
    let found = ::registries::Machine::current(&workspace.root);
    let registries = ::registries::discover(&found, &global.registry, &catalog.table.debian.suites);
    let mut extra_ca = Vec::new();
    for ca in &registries.extra_ca {
        let usable = |read| Http::new(machine::quick(std::slice::from_ref(&read), global.offline)).map(|_| read);
        let read = ca.read().map_err(anyhow::Error::from);
        match read.and_then(|read| usable(read).with_context(|| format!("reading the CA {}", ca.path))) {
            Ok(read) => extra_ca.push(read),
            Err(error) => {
                let remedy = format!("name a PEM file in {}: cargo xtask setup --ca FILE", ca.found_in);
                faults.push(Finding::new(State::Problem, format!("{error:#}"), remedy));
            }
        }
    }
    let cancel = crate::interrupt::flag()?;
    let http = Http::new(HttpOptions { cancel: Arc::clone(&cancel), ..machine::quick(&extra_ca, global.offline) })?;
    let (store, stand_in) = match Store::open(store_folder()?) {
        Ok(store) => (store, None),
        Err(error) => {
            let remedy = "set SPARK_IMAGES_CACHE to a folder that can be written to";
            faults.push(Finding::new(State::Problem, format!("the store: {error}"), remedy));
            // A store that has nothing.
            let folder = tempfile::tempdir().context("making a temporary folder")?;
            (Store::open(Utf8PathBuf::try_from(folder.path().to_path_buf())?)?, Some(folder))
        }
    };
    Ok((Machine::of(store, http, registries, extra_ca, catalog, cancel), stand_in))
}

/// The Dockerfiles of these images, each once. One that cannot be read is said by the build that needs it.
fn dockerfiles(workspace: &Workspace, images: &[Image]) -> Vec<(String, Vec<Need>)> {
    let names: BTreeSet<&String> = images.iter().map(|image| &image.dockerfile).collect();
    let read = |name: &String| {
        let text = fs::read_to_string(workspace.path(name)).ok()?;
        Some((name.clone(), assemble::needs(name, &text).ok()?))
    };
    names.into_iter().filter_map(read).collect()
}
