//! A built image that is ready to run: its layers unpacked, its configuration read.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use assemble::{Layout, oci::ImageConfig};
use blob::Digest;
use catalog::{Catalog, Image, Platform};
use sandbox::{Cancel, Engine, Identity, Outcome, Root, Sandbox, Spec};

use store::Store;

use crate::{
    flags::EngineFlag,
    images::not_built,
    machine::{kept_folder, open_store},
    platform::{foreign, label, oci},
    workspace::Workspace,
};

/// What a run calls its host.
pub(crate) const HOSTNAME: &str = "spark";
/// How often a run looks whether Ctrl-C was pressed.
const POLL: Duration = Duration::from_millis(100);

/// A built image in a sandbox.
pub(crate) struct Boxed {
    sandbox: Sandbox,
    pub(crate) root: Root,
    pub(crate) config: ImageConfig,
    /// The digest of the image's manifest.
    pub(crate) digest: Digest,
    name: String,
    /// Nobody removes its layers while it runs.
    _in_use: (Store, Layout),
}

impl Boxed {
    /// Unpacks the layers of an image, unless they are unpacked already.
    ///
    /// # Errors
    /// It is not built for this platform, or this machine cannot run programs of it.
    pub(crate) fn open(workspace: &Workspace, catalog: &Catalog, image: &Image, platform: Platform) -> Result<Self> {
        let not_built = || not_built(catalog, image, platform);
        let layout = workspace.open_layout().with_context(not_built)?;
        let found = layout.lookup_for(&image.reference.to_string(), &oci(platform))?.with_context(not_built)?;
        let name = label(catalog, platform, image);
        if let Some(why) = foreign(platform) {
            bail!("{name} cannot be run: {why}");
        }
        let manifest = layout.manifest(&found)?;
        let config = layout.config(&manifest)?;
        let store = open_store()?;
        let sandbox = sandbox_in(workspace, &store)?;
        let layers = sandbox.layers()?;
        for layer in &manifest.layers {
            // The layers of this layout are not compressed: the blob's digest is the diff_id.
            layers.unpack(layer.digest, &layout.blob_path(&layer.digest))?;
        }
        let root = layers.root(&config.rootfs.diff_ids)?;
        Ok(Self { sandbox, root, config, digest: found.digest, name, _in_use: (store, layout) })
    }

    /// What a container of the image runs when it is given this command.
    pub(crate) fn argv(&self, command: &[String]) -> Vec<String> {
        let config = &self.config.config;
        let command = if command.is_empty() { config.cmd.clone().unwrap_or_default() } else { command.to_vec() };
        config.entrypoint.iter().flatten().cloned().chain(command).collect()
    }

    /// A run with the image's environment, folder and user, or as another user.
    pub(crate) fn spec(&self, argv: Vec<String>, user: Option<&str>) -> Result<Spec> {
        let config = &self.config.config;
        let user = user.unwrap_or(&config.user);
        let mut spec = Spec::new(self.root.clone(), argv);
        spec.user = Identity::of(&self.root, if user.is_empty() { "0" } else { user })?;
        let pairs = config.env.iter().filter_map(|pair| pair.split_once('='));
        spec.env = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        spec.env.entry("HOME".to_owned()).or_insert_with(|| spec.user.home.clone());
        if !config.working_dir.is_empty() {
            spec.cwd = config.working_dir.clone().into();
        }
        spec.hostname = HOSTNAME.to_owned();
        Ok(spec)
    }

    /// Whether the kernel enforces no owner and no group in runs of this sandbox.
    pub(crate) fn uid_emulated(&self) -> bool {
        self.sandbox.support().uid_emulated
    }

    /// Runs it until `cancel` is used.
    pub(crate) fn run_until(&self, spec: Spec, cancel: &Cancel) -> Result<Outcome> {
        self.sandbox.run(spec, cancel).with_context(|| format!("running in {}", self.name))
    }

    /// Runs it; Ctrl-C ends it and all that it started.
    pub(crate) fn run(&self, spec: Spec) -> Result<Outcome> {
        until_interrupted(|cancel| self.run_until(spec, cancel))?
    }
}

/// The engine that is meant, if it is not the sandbox.
pub(crate) fn container_engine(flag: EngineFlag) -> Option<Engine> {
    match flag {
        EngineFlag::Embedded => None,
        EngineFlag::Docker => Some(Engine::Docker),
        EngineFlag::Podman => Some(Engine::Podman),
    }
}

/// The sandbox that images are run in.
pub(crate) fn sandbox(workspace: &Workspace) -> Result<Sandbox> {
    sandbox_in(workspace, &open_store()?)
}

fn sandbox_in(workspace: &Workspace, store: &Store) -> Result<Sandbox> {
    Ok(Sandbox::open(&kept_folder(workspace, store).join("sandbox"))?)
}

/// Runs `work` with a [`Cancel`] that Ctrl-C uses.
pub(crate) fn until_interrupted<T>(work: impl FnOnce(&Cancel) -> T) -> Result<T> {
    let cancel = Cancel::new();
    let interrupted = crate::interrupt::flag()?;
    let ended = AtomicBool::new(false);
    Ok(thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                if interrupted.load(Ordering::Relaxed) {
                    cancel.cancel();
                }
                thread::park_timeout(POLL);
            }
        });
        let outcome = work(&cancel);
        ended.store(true, Ordering::Relaxed);
        watcher.thread().unpark();
        outcome
    }))
}
