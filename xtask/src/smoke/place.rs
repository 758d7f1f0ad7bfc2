//! Where jobs run: in the sandbox, or in containers of an engine that has the images.

use std::{path::Path, process};

use anyhow::{Context as _, Result, bail};
use blob::Digest;
use catalog::Catalog;
use sandbox::{Engine, Outcome, Spec};

use super::Target;
use crate::{
    boxed::{Boxed, container_engine, until_interrupted},
    flags::EngineFlag,
    images::not_built,
    machine::{kept_folder, open_store},
    platform::oci,
    workspace::Workspace,
};

/// Where jobs run.
pub(crate) enum Place {
    /// In the sandbox.
    Sandbox,
    /// In containers, whose names begin as those of all runs with this store do.
    Engine { engine: Engine, prefix: String },
}

impl Place {
    /// Makes sure that the engine has these images, and removes the containers of runs that were killed.
    ///
    /// # Errors
    /// The engine does not answer, or lacks an image: with the command that loads it.
    pub(crate) fn open(
        workspace: &Workspace,
        catalog: &Catalog,
        flag: EngineFlag,
        targets: &[Target<'_>],
    ) -> Result<Self> {
        let Some(engine) = container_engine(flag) else { return Ok(Self::Sandbox) };
        engine.probe()?;
        let layout = workspace.open_layout()?;
        let mut missing = Vec::new();
        for target in targets {
            let name = target.image.reference.to_string();
            let found = layout.lookup_for(&name, &oci(target.platform))?;
            let found = found.with_context(|| not_built(catalog, target.image, target.platform))?;
            if !engine.has(&name, &layout.manifest(&found)?.config.digest)? {
                missing.push(name);
            }
        }
        if !missing.is_empty() {
            let list = missing.join(" ");
            bail!("{engine} lacks what was built here: {list}\nto load it: cargo xtask load {list} --to {engine}");
        }
        let store = kept_folder(workspace, &open_store()?);
        let prefix = format!("spark-images-smoke-{}-", &Digest::of(store.as_str().as_bytes()).hex()[..12]);
        for name in engine.containers(&prefix)? {
            let pid = name[prefix.len()..].split('-').next().unwrap_or_default();
            if !Path::new("/proc").join(pid).exists() {
                engine.remove(&name)?;
            }
        }
        Ok(Self::Engine { engine, prefix })
    }

    /// Whether the kernel enforces no owner and no group in what runs here.
    pub(super) fn uid_emulated(&self, boxed: &Boxed) -> bool {
        matches!(self, Self::Sandbox) && boxed.uid_emulated()
    }

    /// Runs a job; Ctrl-C ends it and all that it started. `title` is of this job alone.
    pub(super) fn run(&self, boxed: &Boxed, target: &Target<'_>, title: &str, spec: Spec) -> Result<Outcome> {
        match self {
            Self::Sandbox => boxed.run(spec),
            Self::Engine { engine, prefix } => {
                let name = format!("{prefix}{}-{}", process::id(), &Digest::of(title.as_bytes()).hex()[..12]);
                let image = target.image.reference.to_string();
                Ok(until_interrupted(|cancel| engine.run_spec(&image, &name, spec, cancel))??)
            }
        }
    }
}
