//! Runs the commands of RUN in the sandbox.

use std::{
    sync::{Mutex, OnceLock, PoisonError, mpsc},
    thread,
};

use assemble::run::{Command, Ended, Mount, RunnerError};
use blob::Digest;
use camino::{Utf8Path, Utf8PathBuf};
use catalog::Platform;
use sandbox::{Identity, Layers, Network, Output, Sandbox, Spec, Status};

use crate::{boxed::until_interrupted, interrupt, platform::foreign};

/// The host name that commands see: BuildKit's, since what a command writes may hold it.
const HOST_NAME: &str = "buildkitsandbox";

/// How many lines of a command may wait to be taken.
const LINES: usize = 64;

/// A sandbox that is opened by the first command: an image without RUN needs none.
pub(crate) struct Runner {
    folder: Utf8PathBuf,
    opened: OnceLock<Opened>,
    opening: Mutex<()>,
    /// Why this machine cannot run what is to be run.
    foreign: Option<String>,
    #[cfg(test)]
    pub(crate) beside: Vec<sandbox::Mount>,
}

struct Opened {
    sandbox: Sandbox,
    layers: Layers,
}

impl Runner {
    /// A runner of programs of `platform`, whose unpacked layers and scratch files lie below `folder`.
    pub(crate) fn new(folder: Utf8PathBuf, platform: Platform) -> Self {
        Self {
            folder,
            opened: OnceLock::new(),
            opening: Mutex::default(),
            foreign: foreign(platform),
            #[cfg(test)]
            beside: Vec::new(),
        }
    }

    fn open(&self) -> Result<&Opened, RunnerError> {
        if let Some(why) = &self.foreign {
            return Err(why.clone().into());
        }
        let _one_at_a_time = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        let sandbox = Sandbox::open(&self.folder)?;
        let layers = sandbox.layers()?;
        Ok(self.opened.get_or_init(|| Opened { sandbox, layers }))
    }

    fn spec(&self, command: &Command<'_>, layers: &Layers) -> Result<Spec, RunnerError> {
        let root = layers.root(command.layers)?;
        let mut spec = Spec::new(root, command.argv.iter().cloned());
        spec.user = Identity::of(&spec.root, command.user)?;
        spec.env.clone_from(command.env);
        spec.env.entry("HOME".to_owned()).or_insert_with(|| spec.user.home.clone());
        spec.cwd = command.cwd.into();
        spec.hostname = HOST_NAME.to_owned();
        spec.network = if command.network { Network::Host } else { Network::None };
        spec.upper = Some(command.changes.to_owned());
        #[cfg(test)]
        spec.mounts.extend(self.beside.iter().cloned());
        spec.mounts.extend(command.mounts.iter().map(|mount| match mount.clone() {
            Mount::Bind { source, target, read_only } => {
                sandbox::Mount::Bind { source, target: target.into(), read_only }
            }
            Mount::Tmpfs { target, size } => sandbox::Mount::Tmpfs { target: target.into(), mode: 0o1777, size },
        }));
        Ok(spec)
    }
}

impl assemble::run::Runner for Runner {
    fn uid_emulated(&self) -> Result<bool, RunnerError> {
        Ok(self.open()?.sandbox.support().uid_emulated)
    }

    fn has_layer(&self, diff_id: &Digest) -> Result<bool, RunnerError> {
        Ok(self.open()?.layers.has(*diff_id))
    }

    fn unpack(&self, diff_id: &Digest, archive: &Utf8Path) -> Result<(), RunnerError> {
        self.open()?.layers.unpack(*diff_id, archive)?;
        Ok(())
    }

    fn run(&self, command: &Command<'_>, line: &(dyn Fn(&str) + Sync)) -> Result<Ended, RunnerError> {
        let Opened { sandbox, layers } = self.open()?;
        let mut spec = self.spec(command, layers)?;
        let (uid, gid) = (spec.user.uid, spec.user.gid);
        // The sandbox hands lines to functions that may outlive this one, so that they only pass them on.
        // There is room for few of them: a command that prints faster than its lines are taken waits.
        let (sender, lines) = mpsc::sync_channel::<String>(LINES);
        spec.stdout = Output::Lines(Box::new(move |line: &str| drop(sender.send(line.to_owned()))));
        // Together, so that the last lines before a failure are the last ones.
        spec.stderr = Output::Stdout;
        let outcome = thread::scope(|scope| {
            scope.spawn(move || lines.iter().for_each(|text| line(&text)));
            until_interrupted(|cancel| sandbox.run(spec, cancel))
        })??;
        let code = match outcome.status {
            Status::Exited(code) => Some(code),
            Status::TimedOut | Status::Cancelled => None,
        };
        Ok(Ended { code, uid, gid })
    }

    fn is_cancelled(&self) -> bool {
        interrupt::is_set()
    }
}

#[cfg(test)]
mod tests;
