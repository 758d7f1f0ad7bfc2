//! From a Dockerfile and a staged context to an image in an OCI layout: in this process, without a daemon, a container,
//! a mount or any privilege.
//!
//! The way of the data: a Dockerfile is parsed; its instructions are evaluated against
//! [`Tree`]s, which are file systems without bytes; what an instruction changes becomes a planned layer; layers that were
//! not seen before are written, in one pass from where their files' bytes lie; and a manifest names them all. The same
//! inputs give the same bytes on every machine: entries are sorted, owners are numbers, and time is an argument.
//!
//! RUN needs a [`run::Runner`], which the caller brings. The semantics are BuildKit's. This crate knows nothing of what the
//! images are for, starts no process and opens no socket.

mod archive;
mod build;
pub mod context;
mod dockerfile;
mod error;
pub mod export;
mod glob;
mod image;
mod layer;
mod path;
pub mod run;
mod source;
mod stage;

pub use build::{Built, BuiltLayer, Origin, Request, build};
pub use context::Context;
pub use dockerfile::{Feature, Need, needs};
pub use error::{Error, Problem, Problems, Result};
pub use image::{LayerFiles, instructions, tree};
pub use layer::{
    entry::{Entry as LayerEntry, Kind, Xattrs},
    tree::{Body, FileBody, Node, Tree},
};
pub use oci::{self, Layout, Platform, layout};
pub use path::clean;
pub use source::Source;
