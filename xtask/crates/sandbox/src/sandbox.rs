//! The sandbox itself: from a [`Spec`] to its [`Outcome`].

use std::{fs::DirBuilder, os::unix::fs::DirBuilderExt, time::Instant};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    Cancel, Error, Layers, Network, Outcome, Spec, Status, Support, Upper,
    mounts::{self, UpperAt},
    process::{self, Streams, Victim},
    scratch::Scratch,
    support::{self, Mode},
    tree,
    vector::Vector,
};

/// Runs commands in images. Several threads and processes may use one folder at once.
#[derive(Debug, Clone)]
pub struct Sandbox {
    folder: Utf8PathBuf,
    runs: Utf8PathBuf,
    support: Support,
}

impl Sandbox {
    /// A sandbox with its scratch files below `folder`, which is made if it is missing. Tries whether this machine can
    /// run one, and removes what killed processes left.
    ///
    /// # Errors
    /// [`Error::Unsupported`] says why this machine cannot, and what to do; the folder cannot be used.
    pub fn open(folder: &Utf8Path) -> Result<Self, Error> {
        let runs = folder.join("runs");
        DirBuilder::new().recursive(true).mode(0o700).create(&runs).map_err(Error::io("making", &runs))?;
        let runs = runs.canonicalize_utf8().map_err(Error::io("resolving", &runs))?;
        Scratch::remove_abandoned(&runs).map_err(Error::io("cleaning", &runs))?;
        let support = support::probe(&runs)?;
        Ok(Self { folder: folder.to_owned(), runs, support })
    }

    /// The unpacked layers in the sandbox's folder, of the kind that it needs.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn layers(&self) -> Result<Layers, Error> {
        Layers::open(&self.folder, self.support.mode == Mode::Real)
    }

    /// What this machine can do.
    pub fn support(&self) -> Support {
        self.support
    }

    /// Runs a command to its end, or to the end of its time, or until `cancel` is used from another thread. When this
    /// process dies, by whatever signal, the command dies with it.
    ///
    /// # Errors
    /// The box could not be made; the command was not started then. A command that fails is no error: see
    /// [`Outcome::status`].
    pub fn run(&self, spec: Spec, cancel: &Cancel) -> Result<Outcome, Error> {
        let started = Instant::now();
        check(&spec)?;
        let Support { mode, upper, .. } = self.support;
        let (place, upper) = match (&spec.upper, upper) {
            (Some(folder), _) => (UpperAt::Kept(folder), Upper::Disk),
            (None, Upper::Disk) => (UpperAt::Scratch, Upper::Disk),
            (None, Upper::Memory) => (UpperAt::Memory, Upper::Memory),
        };
        let scratch = Scratch::new(&self.runs)?;
        let read_only = mounts::prepare(&scratch, &spec, mode, place)?;
        let mut vector = Vector::begin(&spec, mode, upper, scratch.path(), &read_only);
        vector.command(mode, &spec)?;
        let streams = Streams { stdin: spec.stdin.into(), stdout: spec.stdout, stderr: spec.stderr };
        let ended = process::run(&vector.0, process::environment(), streams, spec.timeout, Victim::Box, cancel)
            .map_err(|error| Error::Setup(format!("running {}: {error}", vector.0[0])))?;
        if let Some(folder) = &spec.upper {
            let work = folder.join("work");
            tree::remove(&work).map_err(Error::io("removing", work))?;
        }
        if let (Err(log), Status::Exited(code)) = (scratch.is_ready(), ended.status) {
            let said = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
            let reason = [log, said].into_iter().find(|text| !text.is_empty());
            let reason = reason.unwrap_or_else(|| "what standard error got says why".to_owned());
            return Err(Error::Setup(format!("{reason} (exit code {code})")));
        }
        Ok(Outcome {
            status: ended.status,
            stdout: ended.stdout,
            stderr: ended.stderr,
            elapsed: started.elapsed(),
            uid_emulated: self.support.uid_emulated,
        })
    }
}

/// What no run can satisfy.
fn check(spec: &Spec) -> Result<(), Error> {
    let wrong = |text: String| Err(Error::Spec(text));
    if spec.argv.first().is_none_or(String::is_empty) {
        return wrong("there is no command to run".to_owned());
    }
    if let Some(key) = spec.env.keys().find(|key| key.is_empty() || key.contains('=')) {
        return wrong(format!("`{key}` cannot be the name of an environment variable"));
    }
    let texts = spec.argv.iter().chain(spec.env.keys()).chain(spec.env.values());
    if let Some(text) = texts.into_iter().find(|text| text.contains('\0')) {
        return wrong(format!("{text:?} cannot be given to a command: it holds a NUL"));
    }
    if let Network::OfContainer { name, .. } = &spec.network {
        return wrong(format!("a box cannot join the network of the container {name}"));
    }
    let is_name_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let is_name = |name: &str| !name.is_empty() && name.len() <= 64 && name.chars().all(is_name_part);
    if let Some(name) = [&spec.hostname].into_iter().chain(&spec.names).find(|name| !is_name(name)) {
        return wrong(format!("`{name}` cannot be a host name"));
    }
    Ok(())
}
