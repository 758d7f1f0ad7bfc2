//! Runs a command in an image: no engine, no daemon, no root.
//!
//! [`Layers`] unpacks each layer once and keeps it; a [`Root`] is a stack of such layers, and can be asked about files,
//! users and permissions without running anything; a [`Sandbox`] runs a [`Spec`] on an overlay of a root, with the
//! network off, and gives its [`Outcome`].
//!
//! # The runtime
//! Namespaces, mounts and privileges are the work of util-linux (`unshare`, `mount`, `setpriv`), which is on nearly every
//! Linux. An engine's runtime (runc, crun) is on the machines that have an engine, which are not the ones in need; it
//! takes its root file system ready mounted, so the namespaces would have to be made all the same. The library of youki
//! (`libcontainer` 0.7) costs 183 crates. The commands are fixed argument vectors and two fixed scripts that take what
//! varies as positional parameters (see `vector.rs` and `setup.sh`).
//!
//! # What the command sees
//! Its own pid, mount, ipc, uts and network namespace (loopback is up); exactly the environment it is given; `/dev`,
//! `/proc`, `/sys` as in a container; `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf` that fit. It is pid 1 itself,
//! as with an engine without `--init`, so an image brings its own reaper if it needs one. `no_new_privs` is set.
//!
//! Run by root, the command has the real uid and gid it asked for, and the kernel enforces owners and modes. Run by
//! anyone else, one uid is mapped, every file seems to belong to it, and [`Outcome::uid_emulated`] says so; the true
//! owners are in the record of each layer, and [`Root::allows`] judges by them.
//!
//! This crate knows nothing of registries, Dockerfiles or Spark. It keeps accidents and curiosity in; it is not meant to
//! hold a command that attacks the kernel. Open files that this process has inherited from its own parent, and that are
//! not close-on-exec, reach the command.

mod engine;
mod error;
pub mod host;
mod layers;
mod loopback;
mod mounts;
mod process;
mod record;
mod root;
mod sandbox;
mod scratch;
mod spec;
mod support;
mod tree;
mod unpack;
mod users;
mod vector;

pub use engine::{Container, Engine, Pause};
pub use error::{Error, Unsupported};
pub use layers::Layers;
pub use loopback::Loopback;
pub use process::Cancel;
pub use root::{Entry, Kind, Root};
pub use sandbox::Sandbox;
pub use spec::{Mount, Network, Outcome, Output, Spec, Status, Stdin};
pub use support::{Support, Upper};
pub use tree::remove as remove_tree;
pub use users::{Access, Identity};
