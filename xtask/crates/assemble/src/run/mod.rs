//! RUN: what a command is given, and how what it changed becomes a layer.
//!
//! This crate starts no process. A [`Runner`] does, which the caller brings: it runs one command on an overlay of unpacked
//! layers and leaves what the command changed in the form of overlayfs. All else is done here: which mounts the command
//! gets, whether it was run before, and what its layer holds.

mod caches;
mod changes;
mod mounts;
mod scratch;
mod spread;

use std::{collections::BTreeMap, fmt, sync::Arc};

use blob::Digest;
use camino::{Utf8Path, Utf8PathBuf};

pub(crate) use changes::{Changes, Owners};
pub(crate) use mounts::{Expanded, Prepared};
pub(crate) use scratch::Scratch;

/// Why a runner could not run a command. It is shown with its causes.
pub type RunnerError = Box<dyn std::error::Error + Send + Sync>;

/// Runs commands in images.
pub trait Runner: Sync {
    /// Whether commands run with one mapped user, so that every file seems to belong to it: nobody but root can do
    /// otherwise.
    ///
    /// # Errors
    /// This machine can run no command.
    fn uid_emulated(&self) -> Result<bool, RunnerError>;

    /// Whether a layer was unpacked before.
    ///
    /// # Errors
    /// This machine can run no command.
    fn has_layer(&self, diff_id: &Digest) -> Result<bool, RunnerError>;

    /// Unpacks a layer from its uncompressed archive, and compares its bytes with its digest.
    ///
    /// # Errors
    /// The archive is damaged or cannot be unpacked.
    fn unpack(&self, diff_id: &Digest, archive: &Utf8Path) -> Result<(), RunnerError>;

    /// Runs a command to its end. Each line that it prints is handed to `line`.
    ///
    /// # Errors
    /// The command could not be started. That it failed is no error.
    fn run(&self, command: &Command<'_>, line: &(dyn Fn(&str) + Sync)) -> Result<Ended, RunnerError>;

    /// Whether all that waits should give up.
    fn is_cancelled(&self) -> bool;
}

/// What a runner is to run.
#[derive(Debug)]
pub struct Command<'c> {
    /// The unpacked layers that it sees, lowest first.
    pub layers: &'c [Digest],
    /// The program and its arguments.
    pub argv: &'c [String],
    /// The environment. The runner adds HOME, if it is not there, from what the image says of the user.
    pub env: &'c BTreeMap<String, String>,
    /// Where it starts: an absolute path of the image.
    pub cwd: &'c str,
    /// `user` or `user:group`, by name or number; empty for root.
    pub user: &'c str,
    /// Whether it reaches what the machine reaches; else there is no network.
    pub network: bool,
    /// What it sees beside the layers, in this order.
    pub mounts: &'c [Mount],
    /// An empty folder. What the command changes is put into `upper` in it, in the form of overlayfs with `userxattr`.
    pub changes: &'c Utf8Path,
}

/// A mount. Mount points that are missing must not be among the changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mount {
    /// A file or folder of the machine.
    Bind {
        /// On the machine.
        source: Utf8PathBuf,
        /// In the image.
        target: String,
        /// Whether changes are forbidden.
        read_only: bool,
    },
    /// An empty folder in memory.
    Tmpfs {
        /// In the image.
        target: String,
        /// The most bytes that it may hold.
        size: Option<u64>,
    },
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code; nothing if it was cancelled.
    pub code: Option<i32>,
    /// The user that ran it.
    pub uid: u32,
    /// The user's group.
    pub gid: u32,
}

/// What a build needs to run commands.
#[derive(Clone, Copy)]
pub struct Running<'r> {
    /// Runs them.
    pub runner: &'r dyn Runner,
    /// Whether they may use the network. `--network=none` goes without in any case.
    pub network: Network<'r>,
    /// Where caches lie that are kept between builds.
    pub caches: &'r Utf8Path,
    /// Secrets by id. They are in no layer, and in no key by which a layer is found again.
    pub secrets: &'r BTreeMap<String, Secret>,
    /// Gets each line that a command prints.
    pub output: &'r (dyn Fn(&str) + Sync),
}

impl fmt::Debug for Running<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("network", &self.network).field("caches", &self.caches).finish_non_exhaustive()
    }
}

/// The network of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network<'r> {
    /// Commands reach what the machine reaches.
    Allowed,
    /// Commands may reach what the machine reaches, but not now: what they made with it is taken, and what must be run is
    /// refused.
    Unreachable {
        /// What a user does to have it: "leave out x".
        allow: &'r str,
    },
    /// Commands reach nothing.
    Off {
        /// What a user does to allow it: "write x in y".
        allow: &'r str,
    },
}

impl Network<'_> {
    /// Whether commands may use it. It decides what they make, so that it is a part of each key; whether it can be reached
    /// now is not.
    pub(crate) fn is_allowed(self) -> bool {
        !matches!(self, Self::Off { .. })
    }
}

/// Something that a command may know and an image must not.
#[derive(Clone)]
pub enum Secret {
    /// The bytes of a file.
    File(Utf8PathBuf),
    /// These bytes.
    Bytes(Arc<[u8]>),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "secret of {path}"),
            Self::Bytes(_) => write!(f, "secret"),
        }
    }
}
