//! Where jobs run: in the sandbox, or in containers of an engine that has the images.

use std::{collections::BTreeMap, fs, path::Path, process};

use anyhow::{Context as _, Result, bail};
use blob::Digest;
use camino::Utf8Path;
use catalog::{Catalog, Image, Platform};
use sandbox::{Cancel, Engine, Loopback, Network, Outcome, Pause, Spec, Status};

use super::Jobs;
use crate::{
    boxed::{self, Boxed, HOSTNAME, container_engine},
    flags::EngineFlag,
    images::not_built,
    machine::{kept_folder, open_store},
    platform::{flags, oci},
    workspace::Workspace,
};

/// A uid that no image knows, as OpenShift gives them; its group is 0.
const RANDOM_UID: u32 = 1_000_650_000;
/// The same for an engine without root, whose containers have 65,536 uids if `/etc/subuid` is as `useradd` writes it.
const ROOTLESS_UID: u32 = 60_650;

/// How Docker and Podman end when it was not the command that failed.
const REFUSED: i32 = 125;

/// The title of what holds the network of servers.
const NETWORK: &str = "network";

/// Where jobs and their servers run.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// In the sandbox.
    Sandbox,
    /// In containers, whose names begin as those of all runs with this store do.
    Engine {
        engine: Engine,
        prefix: String,
        /// Whether jobs that use a GPU see those of the machine.
        gpus: bool,
        /// Whether it knows a range of uids only.
        rootless: bool,
    },
}

/// A network that servers and jobs share, with nothing outside; there until this is dropped.
pub(super) enum Shared {
    Loopback(Loopback),
    Pause(Pause),
}

impl Place {
    /// Makes sure that the engine answers, and removes the containers of runs that were killed.
    ///
    /// # Errors
    /// The engine does not answer.
    pub(crate) fn open(workspace: &Workspace, flag: EngineFlag, gpus: bool) -> Result<Self> {
        let Some(engine) = container_engine(flag) else { return Ok(Self::Sandbox) };
        engine.probe()?;
        let store = kept_folder(workspace, &open_store()?);
        let prefix = format!("spark-images-smoke-{}-", &Digest::of(store.as_str().as_bytes()).hex()[..12]);
        let mut left = engine.containers(&prefix)?;
        left.retain(|name| {
            let pid = name[prefix.len()..].split('-').next().unwrap_or_default();
            !Path::new("/proc").join(pid).exists()
        });
        // Podman keeps a container whose network others share.
        left.sort_by_key(|name| name.ends_with(&mark(NETWORK)));
        for name in left {
            engine.remove(&name)?;
        }
        Ok(Self::Engine { engine, prefix, gpus, rootless: engine.is_rootless() })
    }

    /// Makes sure that the engine has these images, as they were built.
    ///
    /// # Errors
    /// It lacks one: with the command that loads it.
    pub(super) fn require<'a>(
        &self,
        workspace: &Workspace,
        catalog: &Catalog,
        images: impl Iterator<Item = (&'a Image, Platform)>,
    ) -> Result<()> {
        let Self::Engine { engine, .. } = self else { return Ok(()) };
        let layout = workspace.open_layout()?;
        let mut missing = BTreeMap::new();
        for (image, platform) in images {
            let name = image.reference.to_string();
            let found = layout.lookup_for(&name, &oci(platform))?;
            let found = found.with_context(|| not_built(catalog, image, platform))?;
            if !engine.has(&name, &layout.manifest(&found)?.config.digest)? {
                missing.insert(name, (image, platform));
            }
        }
        let Some((_, (_, platform))) = missing.first_key_value() else { return Ok(()) };
        let flags = flags(catalog, *platform, &missing.values().map(|(image, _)| *image).collect::<Vec<_>>());
        let list = missing.into_keys().collect::<Vec<_>>().join(" ");
        bail!("{engine} lacks what was built here: {list}\nto load it: cargo xtask load {list}{flags} --to {engine}")
    }

    /// The flags that mean this place, each behind a space.
    pub(super) fn flags(&self) -> String {
        match self {
            Self::Sandbox => String::new(),
            Self::Engine { engine, gpus, .. } => {
                format!(" --engine {engine}{}", if *gpus { " --gpus" } else { "" })
            }
        }
    }

    /// Whether the kernel enforces no owner and no group in what runs here.
    pub(super) fn uid_emulated(&self, boxed: &Boxed) -> bool {
        matches!(self, Self::Sandbox) && boxed.uid_emulated()
    }

    /// A uid that no image knows.
    pub(super) fn random_uid(&self) -> u32 {
        match self {
            Self::Engine { rootless: true, .. } => ROOTLESS_UID,
            Self::Engine { .. } | Self::Sandbox => RANDOM_UID,
        }
    }

    /// Whether jobs that use a GPU see one.
    pub(super) fn has_gpus(&self) -> bool {
        matches!(self, Self::Engine { gpus: true, .. })
    }

    /// Why the engine itself, by what it logged, started no container; nothing if it did.
    pub(super) fn refusal(&self, outcome: &Outcome, log: &Utf8Path) -> Option<String> {
        let Self::Engine { engine, .. } = self else { return None };
        if outcome.status != Status::Exited(REFUSED) || !outcome.stdout.is_empty() {
            return None;
        }
        let said = fs::read_to_string(log).unwrap_or_default();
        let line = said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it said nothing");
        Some(format!("{engine} did not start the job: {line}"))
    }

    /// A network for servers and jobs, in which these names lead to itself. `image` is one that runs here.
    pub(super) fn network(
        &self,
        workspace: &Workspace,
        jobs: &Jobs,
        image: &Image,
        names: &[String],
    ) -> Result<Shared> {
        Ok(match self {
            Self::Sandbox => Shared::Loopback(Loopback::new(&boxed::sandbox(workspace)?)?),
            Self::Engine { engine, prefix, .. } => {
                let (image, name) = (image.reference.to_string(), container(prefix, NETWORK));
                Shared::Pause(Pause::start(*engine, &image, &name, HOSTNAME, names, jobs.path().join("hosts"))?)
            }
        })
    }

    /// Runs something in an image until `cancel` is used. `title` is of it alone.
    pub(super) fn run(
        &self,
        boxed: &Boxed,
        image: &Image,
        title: &str,
        spec: Spec,
        gpus: bool,
        cancel: &Cancel,
    ) -> Result<Outcome> {
        match self {
            Self::Sandbox => boxed.run_until(spec, cancel),
            Self::Engine { engine, prefix, .. } => {
                let (image, name) = (image.reference.to_string(), container(prefix, title));
                Ok(engine.run_spec(&image, &name, spec, gpus, cancel)?)
            }
        }
    }
}

impl Shared {
    /// What a run joins it by.
    pub(super) fn network(&self) -> Network {
        match self {
            Self::Loopback(loopback) => loopback.network(),
            Self::Pause(pause) => pause.network(),
        }
    }
}

/// What a container of this process is called.
fn container(prefix: &str, title: &str) -> String {
    format!("{prefix}{}{}", process::id(), mark(title))
}

/// How its name ends.
fn mark(title: &str) -> String {
    format!("-{}", &Digest::of(title.as_bytes()).hex()[..12])
}
