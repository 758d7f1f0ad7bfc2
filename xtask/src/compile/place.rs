//! Where a compile runs: in the builder image, in the sandbox or in a container of an engine.

use std::{collections::BTreeMap, fs};

use anyhow::{Context as _, Result};
use assemble::export::{self, Format};
use blob::Digest;
use camino::{Utf8Path, Utf8PathBuf};
use sandbox::{Container, Engine, Mount, Network, Outcome, Output};

use super::Wanted;
use crate::{
    boxed::{Boxed, container_engine, until_interrupted},
    flags::EngineFlag,
    images::not_built,
    platform,
    session::Session,
};

/// The file in the folder of all compiles that names the container that runs.
const NOTE: &str = "container";

/// The builder image, ready to run.
pub(super) enum Place {
    /// Unpacked, in the sandbox.
    Sandbox(Box<Boxed>),
    /// In a container engine.
    Engine { engine: Engine, image: String, digest: Digest, container: String, note: Utf8PathBuf },
}

/// A command in the builder image, as its root.
pub(super) struct Job {
    pub(super) argv: Vec<String>,
    /// Beside the image's own.
    pub(super) env: BTreeMap<String, String>,
    pub(super) mounts: Vec<Mount>,
    pub(super) network: Network,
}

impl Place {
    /// Unpacks the builder image, or gives it to an engine that does not have it. `root` is the folder of all compiles.
    pub(super) fn open(session: &Session, wanted: &Wanted<'_>, engine: EngineFlag, root: &Utf8Path) -> Result<Self> {
        let platform = session.catalog().table.default_platform();
        let Some(engine) = container_engine(engine) else {
            let boxed = Boxed::open(&session.workspace, session.catalog(), wanted.builder, platform)?;
            return Ok(Self::Sandbox(Box::new(boxed)));
        };
        engine.probe()?;
        let image = wanted.builder.reference.to_string();
        let layout = session.workspace.open_layout()?;
        let found = layout.lookup_for(&image, &platform::oci(platform))?;
        let found = found.with_context(|| not_built(session.catalog(), wanted.builder, platform))?;
        if !engine.has(&image, &layout.manifest(&found)?.config.digest)? {
            let step = session.board.step(&image, &format!("loading it into {engine}"));
            let archive = root.join("builder.tar");
            export::export(&layout, &found, Format::DockerArchive, std::slice::from_ref(&image), &archive, true)?;
            engine.load(&archive)?;
            fs::remove_file(&archive).with_context(|| format!("removing {archive}"))?;
            step.end("loaded");
        }
        // One for each store, so that the next run finds what this one may leave.
        let container = format!("spark-images-compile-{}", &Digest::of(root.as_str().as_bytes()).hex()[..12]);
        Ok(Self::Engine { engine, image, digest: found.digest, container, note: root.join(NOTE) })
    }

    /// Removes the container that a killed run may have left, which still writes to the folders that it was given.
    pub(super) fn remove_leftover(root: &Utf8Path) -> Result<()> {
        let note = root.join(NOTE);
        let Ok(text) = fs::read_to_string(&note) else { return Ok(()) };
        let (program, container) = text.split_once(' ').with_context(|| format!("reading {note}"))?;
        let engine = [Engine::Docker, Engine::Podman].into_iter().find(|engine| engine.program() == program);
        engine.with_context(|| format!("reading {note}"))?.remove(container)?;
        fs::remove_file(&note).with_context(|| format!("removing {note}"))
    }

    /// The digest of the builder image's manifest.
    pub(super) fn digest(&self) -> Digest {
        match self {
            Self::Sandbox(boxed) => boxed.digest,
            Self::Engine { digest, .. } => *digest,
        }
    }

    /// Runs a command; Ctrl-C ends it and all that it started.
    pub(super) fn run(&self, job: Job, stdout: Output, stderr: Output) -> Result<Outcome> {
        let Job { argv, env, mounts, network } = job;
        match self {
            Self::Sandbox(boxed) => {
                let mut spec = boxed.spec(argv, Some("0"))?;
                spec.env.extend(env);
                spec.mounts.extend(mounts);
                (spec.network, spec.stdout, spec.stderr) = (network, stdout, stderr);
                boxed.run(spec)
            }
            Self::Engine { engine, image, container, note, .. } => {
                let (image, name) = (image.clone(), container.clone());
                let text = format!("{engine} {name}");
                blob::write(note, text.as_bytes()).with_context(|| format!("writing {note}"))?;
                let container = Container { image, name, argv, env, mounts, network, stdout, stderr };
                let outcome = until_interrupted(|cancel| engine.run(container, cancel))??;
                fs::remove_file(note).with_context(|| format!("removing {note}"))?;
                Ok(outcome)
            }
        }
    }
}
