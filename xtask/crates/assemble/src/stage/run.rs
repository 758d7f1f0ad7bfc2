//! RUN: from an instruction to a layer of what its command changed.
//!
//! What was run before, on the same layers and with the same of all that decides what a command does, is not run again. As
//! with every layer, what is remembered is a hint that holds as long as the blob is there.

use std::{
    collections::{BTreeMap, VecDeque},
    fs::File,
    io,
    sync::{Mutex, PoisonError},
};

use blob::Digest;
use camino::Utf8PathBuf;

use super::{Layer, State, Surroundings};
use crate::{
    dockerfile::{CommandLine, Located, Network, Run},
    error::{Error, Problem, Problems, Result},
    image,
    layer::{
        record,
        tree::Tree,
        write::{self, Written},
    },
    layout::{Layout, to_bytes},
    run::{self, Changes, Command, Expanded, Owners, Prepared, RunnerError, Running, Scratch},
};

/// A change of what a RUN does, or of how its layer is made, is a change of this.
const RULES: &str = "run 1";
/// Variables that reach a command that may use the network, without an ARG, and that say nothing of what it makes.
const PROXIES: [&str; 5] = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"];
/// How many of the last lines of a command are shown when it failed.
const LINES: usize = 20;

/// Where an instruction stands, and what it runs.
struct Place<'p> {
    file: &'p str,
    line: usize,
    command: String,
}

impl Place<'_> {
    fn refuse(&self, message: impl Into<String>) -> Error {
        let problems = vec![Problem { line: self.line, message: message.into() }];
        Error::Dockerfile(Problems { file: self.file.to_owned(), problems })
    }

    fn interrupted(&self) -> Error {
        Error::Interrupted { file: self.file.to_owned(), line: self.line, command: self.command.clone() }
    }

    fn runner(&self) -> impl Fn(RunnerError) -> Error {
        let (file, line, command) = (self.file.to_owned(), self.line, self.command.clone());
        move |source| Error::Runner { file: file.clone(), line, command: command.clone(), source }
    }
}

/// What can be said against a RUN before anything is built.
pub(crate) fn objection(run: &Run, running: Option<&Running<'_>>) -> Option<String> {
    let Some(running) = running else {
        return Some("RUN needs something that runs commands, which this build has not".to_owned());
    };
    match (run.network, running.network) {
        (Some(Network::Default), run::Network::Off { allow }) => {
            let what = "--network=default asks for the network, which is off";
            Some(format!("{what}; {allow}, or put what the command fetches into the context"))
        }
        _ => None,
    }
}

/// Whether a build argument reaches commands without an ARG.
pub(crate) fn is_proxy(name: &str) -> bool {
    PROXIES.contains(&name.to_ascii_uppercase().as_str())
}

impl State {
    /// Runs a command, or takes what it made before. `from` is what its mounts' `from` name, by their places.
    pub(crate) fn execute(
        &mut self,
        instruction: &Located<&Run>,
        from: &BTreeMap<usize, &Tree>,
        around: &Surroundings<'_>,
        running: &Running<'_>,
        jobs: usize,
    ) -> Result<()> {
        let run = instruction.value;
        let argv = self.command(&run.command);
        let command = match &run.command {
            CommandLine::Shell(line) => line.trim().to_owned(),
            CommandLine::Exec(words) => words.join(" "),
        };
        let place = Place { file: around.file, line: instruction.line, command };
        let expand = self.expand(around);
        let word = |text: &str| expand.word(text);
        let mut mounts = Vec::new();
        for (index, mount) in run.mounts.iter().enumerate() {
            let cwd = &self.config.config.working_dir;
            let expanded = Expanded::new(mount, &word, cwd, from.get(&index).copied(), around.context);
            let expanded = expanded.map_err(|reason| place.refuse(reason))?;
            if let Some(id) = expanded.secret().filter(|id| mount.required && !running.secrets.contains_key(*id)) {
                return Err(place.refuse(format!("the secret `{id}` is required and was not given to this build")));
            }
            mounts.push(expanded);
        }
        self.settle(around.layout, jobs)?;
        let layers = self.diff_ids();
        if layers.is_empty() {
            return Err(place.refuse("there is nothing to run in an empty stage; begin FROM an image, or COPY one"));
        }
        let network = running.network.is_allowed() && run.network != Some(Network::None);
        let emulated = running.runner.uid_emulated().map_err(place.runner())?;
        let keys = mounts.iter().map(Expanded::key).collect::<Result<Vec<_>>>()?;
        let config = &self.config.config;
        let decides = (
            RULES,
            (&layers, &argv, &self.variables, &config.user, &config.working_dir),
            (keys, network, emulated, around.epoch),
        );
        let key = Digest::of(&to_bytes(&decides)?);
        let executing = Executing { state: self, argv: &argv, layers: &layers, network, emulated, around, running };
        let written = executing.written(&key, &mounts, &place)?;
        image::apply(around.layout, &mut self.tree, written.digest, written.size)?;
        let created_by = self.run_text(&argv);
        self.history(created_by.clone(), false, around);
        self.layers.push(Layer::Made { written, created_by });
        Ok(())
    }

    /// Makes sure that all layers so far are in the layout.
    fn settle(&mut self, layout: &Layout, jobs: usize) -> Result<()> {
        let plans = self.layers.iter().filter_map(|layer| match layer {
            Layer::Planned { plan, .. } => Some(plan.clone()),
            _ => None,
        });
        let plans: Vec<_> = plans.collect();
        let plans: Vec<_> = plans.iter().map(|plan| &**plan).collect();
        let mut written = write::write_all(layout, &plans, jobs)?.into_iter();
        for layer in &mut self.layers {
            if let Layer::Planned { created_by, .. } = layer
                && let Some(written) = written.next()
            {
                *layer = Layer::Made { written, created_by: std::mem::take(created_by) };
            }
        }
        Ok(())
    }

    fn diff_ids(&self) -> Vec<Digest> {
        let of = |layer: &Layer| match layer {
            Layer::Inherited { diff_id, .. } => Some(*diff_id),
            Layer::Made { written, .. } => Some(written.digest),
            Layer::Planned { .. } => None,
        };
        self.layers.iter().filter_map(of).collect()
    }

    /// A RUN as BuildKit writes it into the history: the ARGs, how many they are, and the command.
    fn run_text(&self, argv: &[String]) -> String {
        let value = |name: &String| self.variables.get(name).cloned().unwrap_or_default();
        let args: Vec<_> = self.args.iter().map(|name| format!("{name}={}", value(name))).collect();
        let count = (!args.is_empty()).then(|| format!("|{}", args.len()));
        let words = ["RUN".to_owned()].into_iter().chain(count).chain(args).chain(argv.iter().cloned());
        words.collect::<Vec<_>>().join(" ")
    }
}

/// A command that may have to be run.
struct Executing<'e> {
    state: &'e State,
    argv: &'e [String],
    layers: &'e [Digest],
    network: bool,
    emulated: bool,
    around: &'e Surroundings<'e>,
    running: &'e Running<'e>,
}

impl Executing<'_> {
    /// The layer of the command.
    fn written(&self, key: &Digest, mounts: &[Expanded<'_>], place: &Place<'_>) -> Result<Written> {
        let layout = self.around.layout;
        let found = || -> Result<Option<Written>> {
            Ok(record::find(layout, key)?.map(|(digest, size)| Written { digest, size, cached: true }))
        };
        if let Some(written) = found()? {
            return Ok(written);
        }
        let _ours = layout.lock_layer(key)?;
        // Whoever held the lock has run it.
        if let Some(written) = found()? {
            return Ok(written);
        }
        if self.running.runner.is_cancelled() {
            return Err(place.interrupted());
        }
        if let (true, run::Network::Unreachable { allow }) = (self.network, self.running.network) {
            return Err(place.refuse(format!(
                "`{}` was not run before and needs the network; {allow}, or write RUN --network=none if it fetches nothing",
                place.command
            )));
        }
        let scratch = Scratch::new(layout)?;
        self.unpack(&scratch, place)?;
        let Some(prepared) = Prepared::new(mounts, self.running, &scratch, !self.emulated)? else {
            return Err(place.interrupted());
        };
        let changes = scratch.folder("changes")?;
        let owners = self.run(&prepared, &changes, place)?;
        let read = Changes::read(&changes.join("upper"), &self.state.tree, owners, self.around.epoch)?;
        let Changes { plan, kept } = read.map_err(|reason| place.refuse(format!("`{}`: {reason}", place.command)))?;
        if let [first, ..] = &kept[..] {
            (self.running.output)(&format!(
                "note: {} files, /{first} among them, keep the owners and set-id bits that their layers give them: without \
                 root no command can change these",
                kept.len()
            ));
        }
        let written = write::write_all(layout, &[&plan], 1)?;
        let written = written.first().copied().ok_or_else(|| place.refuse("its layer was not written"))?;
        record::point(layout, key, written.digest)?;
        Ok(Written { cached: false, ..written })
    }

    /// Unpacks the layers that are not unpacked yet.
    fn unpack(&self, scratch: &Scratch, place: &Place<'_>) -> Result<()> {
        let runner = self.running.runner;
        for layer in &self.state.layers {
            let (digest, size, diff_id) = match layer {
                Layer::Inherited { descriptor, diff_id, .. } => (descriptor.digest, descriptor.size, *diff_id),
                Layer::Made { written, .. } => (written.digest, written.size, written.digest),
                Layer::Planned { .. } => continue,
            };
            if runner.has_layer(&diff_id).map_err(place.runner())? {
                continue;
            }
            let path = match digest == diff_id {
                true => self.around.layout.blob_path(&digest),
                false => self.inflate(scratch, digest, size)?,
            };
            runner.unpack(&diff_id, &path).map_err(place.runner())?;
        }
        Ok(())
    }

    /// A compressed layer as a plain archive.
    fn inflate(&self, scratch: &Scratch, digest: Digest, size: u64) -> Result<Utf8PathBuf> {
        let archive = image::archive(self.around.layout, digest, size)?;
        let path = scratch.folder("layers")?.join(digest.hex());
        let mut plain = archive.plain()?;
        io::Seek::rewind(&mut plain).map_err(Error::io("reading", archive.name()))?;
        let mut file = File::create_new(&path).map_err(Error::io("making", &path))?;
        io::copy(&mut plain, &mut file).map_err(Error::io("writing", &path))?;
        Ok(path)
    }

    /// Runs the command, and says whose what it made is.
    fn run(&self, prepared: &Prepared, changes: &camino::Utf8Path, place: &Place<'_>) -> Result<Owners> {
        let config = &self.state.config.config;
        let mut env = self.state.variables.clone();
        if self.network {
            let given = self.around.args.iter().filter(|(name, _)| is_proxy(name));
            let missing: Vec<_> = given.filter(|(name, _)| !env.contains_key(*name)).collect();
            env.extend(missing.into_iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        let command = Command {
            layers: self.layers,
            argv: self.argv,
            env: &env,
            cwd: if config.working_dir.is_empty() { "/" } else { &config.working_dir },
            user: &config.user,
            network: self.network,
            mounts: &prepared.mounts,
            changes,
        };
        let last: Mutex<VecDeque<String>> = Mutex::default();
        let ended = self.running.runner.run(&command, &|line| {
            (self.running.output)(line);
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.len() == LINES {
                last.pop_front();
            }
            last.push_back(line.to_owned());
        });
        let ended = ended.map_err(place.runner())?;
        match ended.code {
            Some(0) if self.emulated => Ok(Owners::All { uid: ended.uid, gid: ended.gid }),
            Some(0) => Ok(Owners::Real),
            None => Err(place.interrupted()),
            Some(code) => {
                let output: Vec<_> = last.into_inner().unwrap_or_else(PoisonError::into_inner).into();
                let note = if self.emulated { emulation(&output) } else { None };
                let (file, command) = (place.file.to_owned(), place.command.clone());
                Err(Error::Failed { file, line: place.line, command, code, output, note })
            }
        }
    }
}

/// Why a command may have failed that only root can run.
fn emulation(output: &[String]) -> Option<String> {
    const SIGNS: [&str; 4] = ["Invalid argument", "Operation not permitted", "setgroups", "setegid"];
    let hit = output.iter().any(|line| SIGNS.iter().any(|sign| line.contains(sign)));
    hit.then(|| {
        "one user is mapped, since this build is not run by root: no file can be given to another user or group (chown says \
         `Invalid argument`) and no program can become another user; give owners with COPY --chown, set USER before RUN, or \
         build as root"
            .to_owned()
    })
}
