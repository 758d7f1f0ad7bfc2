//! Judges built images from the layers that they are made of, and trees that images are made from. Nothing is run, and
//! nothing is unpacked.
//!
//! A [`Layer`](layer::Layer) is read once, whatever number of images share it; an [`Image`](image::Image) puts layers on top
//! of each other; a [`Rule`] looks at that and at what the version table [`expects`](expect::Expect), and gives
//! [`Finding`]s. What is as it should be stands in [`Exceptions`], each with its reason.
//!
//! Rules are pure: what they know was read before. This crate opens no socket, starts no process, and writes nothing.

pub mod exceptions;
pub mod expect;
mod finding;
pub mod image;
mod jar;
pub mod layer;
mod rules;
pub mod sarif;
mod secrets;
pub mod tree;

use blob::Digest;

pub use exceptions::{Exceptions, Scope};
pub use finding::{Finding, Place, Rule, Severity, combine};
pub use jar::Names;
pub use rules::judge;

/// The result of what this crate does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an image could not be judged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The layout, or a document in it.
    #[error(transparent)]
    Layout(#[from] oci::Error),
    /// A layer.
    #[error(transparent)]
    Layer(#[from] assemble::Error),
    /// A file of a layer.
    #[error("reading {path} in the layer {layer}")]
    File {
        /// Its path.
        path: String,
        /// The layer.
        layer: Digest,
        /// What the system said.
        source: std::io::Error,
    },
    /// An image has a layer that nobody read.
    #[error("layer {layer} was not read")]
    NotRead {
        /// The layer.
        layer: Digest,
    },
    /// The file of exceptions.
    #[error("docker/audit.toml cannot be understood: {0}")]
    Exceptions(String),
}
