//! What to run, and what came of it.

use std::{collections::BTreeMap, time::Duration};

use camino::Utf8PathBuf;

use crate::{Identity, Root};

/// A command and everything it may see.
pub struct Spec {
    /// The image's files. They are never changed: what the command writes goes to `upper`.
    pub root: Root,
    /// The program (looked for in the `PATH` of `env`, in the image) and its arguments.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: BTreeMap<String, String>,
    /// Where the command starts; made if the image does not have it.
    pub cwd: Utf8PathBuf,
    /// Who runs it.
    pub user: Identity,
    /// Mounted in this order, over the image and over `/dev`, `/proc` and `/sys`.
    pub mounts: Vec<Mount>,
    /// Forbid every change outside of mounts that allow it.
    pub read_only_root: bool,
    /// What the command can reach.
    pub network: Network,
    /// The host name, which resolves to the loopback address.
    pub hostname: String,
    /// Further names that resolve to the loopback address.
    pub names: Vec<String>,
    /// Where standard input comes from.
    pub stdin: Stdin,
    /// Where standard output goes.
    pub stdout: Output,
    /// Where standard error goes.
    pub stderr: Output,
    /// Leave the command the terminal of the caller, with its signals. Without, it cannot reach it, and Ctrl-C is not
    /// sent to it.
    pub terminal: bool,
    /// After so long, all that still runs is killed.
    pub timeout: Option<Duration>,
    /// An empty or missing folder that keeps what the command changes, in the form of overlayfs, in `upper/`: nothing but
    /// its changes. Without, they are gone after the run.
    pub upper: Option<Utf8PathBuf>,
}

impl Spec {
    /// Runs `argv` as root of the image, in `/`, with an empty environment, no network, no input, and its output kept.
    pub fn new(root: Root, argv: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            root,
            argv: argv.into_iter().map(Into::into).collect(),
            env: BTreeMap::new(),
            cwd: "/".into(),
            user: Identity { home: "/root".to_owned(), ..Identity::unknown(0) },
            mounts: Vec::new(),
            read_only_root: false,
            network: Network::None,
            hostname: "sandbox".to_owned(),
            names: Vec::new(),
            stdin: Stdin::Null,
            stdout: Output::Capture,
            stderr: Output::Capture,
            terminal: false,
            timeout: None,
            upper: None,
        }
    }
}

/// A mount in the box. Targets are absolute paths of the image; symbolic links in them are followed within the image, and
/// mount points that are missing are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mount {
    /// A file or folder of the host, with what is mounted below it.
    Bind {
        /// On the host.
        source: Utf8PathBuf,
        /// In the box.
        target: Utf8PathBuf,
        /// Forbid changes (mounts below the source keep what they allow).
        read_only: bool,
    },
    /// An empty folder in memory.
    Tmpfs {
        /// In the box.
        target: Utf8PathBuf,
        /// Permission bits of the folder, as 0o1777.
        mode: u32,
        /// Most bytes it may hold; half of the machine's memory without.
        size: Option<u64>,
    },
}

/// What a command can reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Network {
    /// A loopback interface of its own, nothing else.
    None,
    /// All that the host reaches.
    Host,
    /// What this process of the host has, which lives until the command is started: see [`Loopback`](crate::Loopback).
    Of {
        /// The process.
        pid: u32,
    },
    /// What this container of an engine has: see [`Pause`](crate::Pause). The names of hosts are that container's, too.
    OfContainer {
        /// The container's name.
        name: String,
        /// A file with its names of hosts.
        hosts: Utf8PathBuf,
    },
}

/// Standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdin {
    /// Empty.
    Null,
    /// The caller's.
    Inherit,
}

/// Standard output or standard error.
pub enum Output {
    /// The caller's.
    Inherit,
    /// Kept in memory, for [`Outcome`].
    Capture,
    /// Written to this file, which is replaced.
    File(Utf8PathBuf),
    /// Each line (without its end, not UTF-8 replaced) as soon as it is whole; of a line of more than
    /// 64 KiB each piece of that size. Called on a thread of its own.
    Lines(Box<dyn FnMut(&str) + Send>),
    /// For standard error: where standard output goes, in the order in which the command writes.
    Stdout,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// With this exit code. 128 + n after a fatal signal n, 126 and 127 if it could not be started or found, as with a
    /// container engine. (Pid 1, which the command is, has no default signal actions: it cannot end itself by a signal.)
    Exited(i32),
    /// It was killed because its time was over.
    TimedOut,
    /// It was killed by [`Cancel`](crate::Cancel).
    Cancelled,
}

impl Status {
    /// Whether the exit code is 0.
    pub fn success(self) -> bool {
        self == Self::Exited(0)
    }
}

/// What came of a run. When it is there, nothing of the command is left running.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// Standard output, if it was captured.
    pub stdout: Vec<u8>,
    /// Standard error, if it was captured.
    pub stderr: Vec<u8>,
    /// Wall time, with the making of the box.
    pub elapsed: Duration,
    /// One uid was mapped and every file seemed to belong to it: the kernel enforced no owner, group or supplementary
    /// group.
    pub uid_emulated: bool,
}
